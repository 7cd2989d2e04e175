"""What has to do with money is sent to the books: one queue, first in, first out within a channel, read by one consumer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oms.storage.clients import client
from oms.storage.environment import environment

_MESSAGES_PER_CALL = 10


@dataclass(frozen=True)
class Notice:
    """An order with something for the books. `key` tells notices of one order apart: the queue forgets what it has seen."""

    order_id: str
    channel: str
    key: str
    sequences: tuple[int, ...] = ()


def send(notices: Sequence[Notice]) -> list[str]:
    """Send them; returns the orders of those that the queue did not take. Raises when it cannot be reached at all."""
    refused: list[str] = []
    for at in range(0, len(notices), _MESSAGES_PER_CALL):
        part = notices[at : at + _MESSAGES_PER_CALL]
        answer = client("sqs").send_message_batch(
            QueueUrl=environment().books_queue_url, Entries=[_message(number, each) for number, each in enumerate(part)]
        )
        refused += [part[int(failed["Id"])].order_id for failed in answer.get("Failed", [])]
    return refused


def _message(number: int, notice: Notice) -> dict[str, Any]:
    # A group's name is plain ASCII, which a channel's need not be.
    group = hashlib.sha256(notice.channel.encode()).hexdigest()[:32]
    body = json.dumps({"order_id": notice.order_id, "channel": notice.channel, "sequences": list(notice.sequences)})
    return {
        "Id": str(number),
        "MessageBody": body,
        "MessageGroupId": group,
        "MessageDeduplicationId": f"{notice.order_id}#{notice.key}",
    }
