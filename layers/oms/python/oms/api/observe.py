"""One decorator for every handler: a log line per invocation with its correlation ids, its time and what it cost in DynamoDB.

No name, address, token or whole event ever goes into a log line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from oms.api import cold_start
from oms.errors import Refused, Retryable
from oms.storage.table import meter

logger = Logger()
Handler = Callable[[dict[str, Any], Any], Any]


def observed(handler: Handler) -> Handler:
    """Log each invocation; errors are logged with their class and raised on. It is the last that a function's module does."""
    cold_start.end()

    @wraps(handler)
    def run(event: dict[str, Any], context: Any) -> Any:
        begun = time.perf_counter()
        meter.write_units = meter.read_units = 0.0
        ids = correlation(event) | {"request_id": getattr(context, "aws_request_id", "")}
        result = "error"
        try:
            answer = handler(event, context)
            result = "ok"
            return answer
        except Refused as error:
            result = error.kind
            raise
        except Exception as error:
            logger.exception("failed", extra=ids)
            if passes_by_itself(error):
                # Step Functions selects by the exact class name: every error that is worth another try is named Retryable.
                raise Retryable(f"{type(error).__name__}: {error}") from error
            raise
        finally:
            cost = {"write_units": meter.write_units, "read_units": meter.read_units}
            logger.info("invoked", extra={**ids, **cost, "result": result, "ms": round((time.perf_counter() - begun) * 1000, 1)})

    return run


def passes_by_itself(error: Exception) -> bool:
    """Lost races, and AWS being slow, throttling or out of order."""
    if isinstance(error, ClientError):
        answer = error.response
        return answer["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500 or "Throttl" in answer["Error"]["Code"]
    return isinstance(error, Retryable | BotoCoreError)


def correlation(event: dict[str, Any]) -> dict[str, Any]:
    """The ids that tie a log line to an order, an execution and a step (or a route)."""
    given = event.get("input") if isinstance(event.get("input"), dict) else None
    if given:
        ids = {name: given[name] for name in ("order_id", "fulfillment_order_id", "return_id", "change_id") if name in given}
        return {**ids, "step": event.get("step"), "execution": event.get("execution")}
    if "routeKey" in event:
        secret = "/credit-accounts/" in event["routeKey"]  # who knows the number of a gift card can spend it
        names = {} if secret else event.get("pathParameters") or {}
        return {"route": event["routeKey"], **{name: value for name, value in names.items() if name != "token"}}
    if "Records" in event:
        return {"records": len(event["Records"])}
    return {}
