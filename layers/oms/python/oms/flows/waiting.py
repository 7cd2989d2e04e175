"""The token protocol: store the token, then read the record; whoever commits second resumes the execution."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from oms.machines.outcomes import Resume, outcome
from oms.orders.order import Order
from oms.service.records import Wait
from oms.storage.clients import client
from oms.storage.marks import store_wait
from oms.storage.orders import load

_GONE = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


def wait_for(order_id: str, record_id: str, event: dict[str, Any]) -> Order | None:
    """Wait in the state that `event` comes from, or go on at once when what it waits for is there already.

    A token that is older than the one on record belongs to an attempt that has been overtaken: nothing is done with it.
    Returns the order as it was read, or None for such a token.
    """
    entered = f"{event['entered']}#{int(event.get('retry', 0)):04d}"
    wait = Wait(id=record_id, state=event["step"], token=event["token"], entered=entered, execution=event.get("execution", ""))
    if not store_wait(order_id, wait):
        return None
    order = load(order_id)
    now = outcome(order, wait)
    if now:
        resume(wait, now)
    return order


def resume(wait: Wait, how: Resume) -> bool:
    """Resume the execution. False if the token is gone: the execution went on, or ended, without it."""
    states = client("stepfunctions")
    try:
        if how.error:
            states.send_task_failure(taskToken=wait.token, error=how.error, cause=how.cause)
        else:
            states.send_task_success(taskToken=wait.token, output=json.dumps(how.output))
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            return False
        raise
    return True
