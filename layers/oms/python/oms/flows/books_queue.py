"""What has to do with money is sent to the books: one queue, first in, first out within a channel, read by one consumer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from oms.storage.clients import client
from oms.storage.environment import environment


@dataclass(frozen=True)
class Notice:
    """An order with something for the books. `key` tells notices of one order apart: the queue forgets what it has seen."""

    order_id: str
    channel: str
    key: str
    sequences: tuple[int, ...] = ()


def send(notice: Notice) -> None:
    """Send it. Raises when the queue does not take it."""
    # One by one: few orders of a batch have to do with money, and the local engine knows SendMessageBatch as a permission of its own.
    client("sqs").send_message(QueueUrl=environment().books_queue_url, **message(notice))


def message(notice: Notice) -> dict[str, Any]:
    """The notice as the queue takes it. A group's name is plain ASCII, which a channel's need not be."""
    return {
        "MessageBody": json.dumps({"order_id": notice.order_id, "channel": notice.channel, "sequences": list(notice.sequences)}),
        "MessageGroupId": hashlib.sha256(notice.channel.encode()).hexdigest()[:32],
        "MessageDeduplicationId": f"{notice.order_id}#{notice.key}",
    }
