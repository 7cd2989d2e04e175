"""DynamoDB calls as the repositories need them, with what each costs counted, and its refusals as our errors."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from oms.errors import Invalid, Retryable
from oms.storage.clients import client
from oms.storage.codec import Attribute, decode, encode

_RETRYABLE = {
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
}


MOST_WRITES = 100
"""What DynamoDB takes in one transaction."""
_MOST_READS = 100
_ROUNDS = 5


class Lost(Retryable):
    """Somebody else wrote first: read again and decide again."""


@dataclass
class Cancelled(Exception):
    """A transaction whose conditions failed: the indexes of the writes that were refused."""

    refused: list[int] = field(default_factory=list)


@dataclass
class Meter:
    """Capacity units that this process has used, as DynamoDB reports them."""

    write_units: float = 0
    read_units: float = 0

    def add(self, consumed: Any, write: bool) -> None:
        """Count the ConsumedCapacity of one answer."""
        for part in consumed if isinstance(consumed, list) else [consumed] if consumed else []:
            units = float(part.get("CapacityUnits", 0))
            if write:
                self.write_units += units
            else:
                self.read_units += units


meter = Meter()


@dataclass(frozen=True)
class Write:
    """One write of a transaction. `expression` makes it an update, `delete` a deletion, else it is a put."""

    table: str
    item: Attribute
    condition: str = ""
    values: Attribute = field(default_factory=dict)
    expression: str = ""
    names: dict[str, str] = field(default_factory=dict)
    delete: bool = False

    def request(self) -> dict[str, Any]:
        """The write as DynamoDB takes it."""
        key = {"pk": self.item["pk"], "sk": self.item["sk"]}
        body: dict[str, Any] = {"TableName": self.table}
        if self.condition:
            body["ConditionExpression"] = self.condition
        if self.names:
            body["ExpressionAttributeNames"] = self.names
        if self.values:
            body["ExpressionAttributeValues"] = self.values
        if self.delete:
            return {"Delete": {**body, "Key": key}}
        if self.expression:
            return {"Update": {**body, "Key": key, "UpdateExpression": self.expression}}
        return {"Put": {**body, "Item": self.item}}


def write(writes: list[Write]) -> None:
    """All or nothing: a single write as it is (half the price), several as one transaction.

    Cancelled names the writes whose condition failed; Lost when another transaction held an item.
    """
    if len(writes) == 1:
        _write_one(writes[0])
        return
    if len(writes) > MOST_WRITES:
        raise Invalid(f"this needs {len(writes)} writes at once and {MOST_WRITES} are possible; use fewer distinct SKUs", kind="too-large")
    try:
        items = [each.request() for each in writes]
        answer = client("dynamodb").transact_write_items(TransactItems=items, ReturnConsumedCapacity="INDEXES")
    except ClientError as error:
        if error.response["Error"]["Code"] != "TransactionCanceledException":
            raise _plain(error) from error
        reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons", [])]
        refused = [index for index, code in enumerate(reasons) if code == "ConditionalCheckFailed"]
        if refused:
            raise Cancelled(refused) from error
        if set(reasons) & {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}:
            raise Lost(f"the transaction met another one: {reasons}") from error
        raise
    meter.add(answer.get("ConsumedCapacity"), write=True)


def _write_one(each: Write) -> None:
    ((kind, body),) = each.request().items()
    call = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
    try:
        answer = getattr(client("dynamodb"), call)(**body, ReturnConsumedCapacity="INDEXES")
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            raise Cancelled([0]) from error
        raise _plain(error) from error
    meter.add(answer.get("ConsumedCapacity"), write=True)


def get(table: str, pk: str, sk: str, *, consistent: bool = True) -> dict[str, Any] | None:
    """One item, or None."""
    key = encode({"pk": pk, "sk": sk})
    answer = client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
    meter.add(answer.get("ConsumedCapacity"), write=False)
    return decode(answer["Item"]) if "Item" in answer else None


def get_many(table: str, keys: Sequence[dict[str, Any]], *, consistent: bool = True) -> list[dict[str, Any]]:
    """The items of these keys that exist, in no order. Lost when DynamoDB leaves some out again and again."""
    found: list[dict[str, Any]] = []
    left = [encode(key) for key in keys]
    for _ in range(_ROUNDS + len(left) // _MOST_READS):
        if not left:
            return found
        asked = {table: {"Keys": left[:_MOST_READS], "ConsistentRead": consistent}}
        answer = client("dynamodb").batch_get_item(RequestItems=asked, ReturnConsumedCapacity="TOTAL")
        meter.add(answer.get("ConsumedCapacity"), write=False)
        found += [decode(item) for item in answer["Responses"].get(table, [])]
        throttled = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        left = throttled + left[_MOST_READS:]
        if throttled:
            time.sleep(random.uniform(0, 0.05))
    if left:
        raise Lost(f"DynamoDB did not answer for {len(left)} items")
    return found


def query(table: str, condition: str, values: dict[str, Any], **more: Any) -> Iterator[dict[str, Any]]:
    """All items that match, page by page; `more` goes to DynamoDB as it is. Strongly consistent unless an index is read."""
    request: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": encode(values),
        "ReturnConsumedCapacity": "TOTAL",
        "ConsistentRead": "IndexName" not in more,
        **more,
    }
    left = more.get("Limit")
    while True:
        answer = client("dynamodb").query(**request)
        meter.add(answer.get("ConsumedCapacity"), write=False)
        yield from (decode(item) for item in answer["Items"])
        if left is not None:
            left -= len(answer["Items"])
        if "LastEvaluatedKey" not in answer or (left is not None and left <= 0):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _plain(error: ClientError) -> Exception:
    """Throttling and conflicts are worth another try; the rest is what it is."""
    code = error.response["Error"]["Code"]
    return Lost(f"DynamoDB: {code}") if code in _RETRYABLE else error
