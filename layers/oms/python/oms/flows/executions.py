"""The executions that belong to an order, with their state as Step Functions tells it."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from oms.machines.executions import Execution, change_execution, console_url, fulfillment_execution, order_execution, return_execution
from oms.orders.order import Order
from oms.storage.clients import client
from oms.storage.environment import environment

_MOST = 25


def executions_of(order: Order) -> list[dict[str, Any]]:
    """The present run of every record's execution, those that have been started; of a large order the first ones."""
    wanted = [order_execution(order)]
    wanted += [fulfillment_execution(order, key) for key in order.fulfillment_orders]
    wanted += [return_execution(order, key) for key in order.returns]
    wanted += [change_execution(order, key) for key in order.changes]
    wanted = wanted[:_MOST] if order.placed.chunks else wanted
    return [shown for execution in wanted if (shown := _shown(execution))]


def execution_arn(execution: Execution) -> str:
    """ARN of an execution, derived from its machine's ARN and its name."""
    return environment().machine_arn(execution.machine).replace(":stateMachine:", ":execution:") + f":{execution.name}"


def _shown(execution: Execution) -> dict[str, Any] | None:
    arn = execution_arn(execution)
    try:
        found = client("stepfunctions").describe_execution(executionArn=arn)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return None
        raise
    return {
        "machine": execution.machine,
        "name": execution.name,
        "run": execution.run,
        "arn": arn,
        "status": found["status"],
        "console_url": console_url(arn),
    }
