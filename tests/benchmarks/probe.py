"""Does the engine bill as DynamoDB does? A table of its own, items of known sizes, and the figures side by side."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from typing import Any

from infra.local.stack import Stack
from oms.storage.codec import encode, item_bytes

_INDEX = "lists"


@dataclass(frozen=True)
class Check:
    """One kind of call: what DynamoDB bills by its rules, and what the engine says."""

    what: str
    by_size: float
    engine: float

    @property
    def agrees(self) -> bool:
        """True if the engine's figure may be used."""
        return self.by_size == self.engine


def probe(stack: Stack) -> list[Check]:
    """Make a table, use it, delete it."""
    client = stack.aws.client("dynamodb")
    table = f"oms-bench-{uuid.uuid4().hex[:8]}"
    _create(client, table)
    try:
        return _checks(client, table)
    finally:
        client.delete_table(TableName=table)


def _create(client: Any, table: str) -> None:
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    listed = [{"AttributeName": "list", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}]
    client.create_table(
        TableName=table,
        KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "list", "at")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[{"IndexName": _INDEX, "KeySchema": listed, "Projection": {"ProjectionType": "KEYS_ONLY"}}],
    )


def _checks(client: Any, table: str) -> list[Check]:
    small, large = (_item(sk, text) for sk, text in (("a", "x" * 300), ("b", "x" * 2500)))
    indexed = _item("c", "x" * 300, list="open", at="1")
    moved = _item("c", "x" * 300, list="done", at="1")
    units = [2 * math.ceil(item_bytes(item) / 1024) for item in (small, large)]

    def put(*items: dict[str, Any]) -> float:
        answer = client.transact_write_items(
            TransactItems=[{"Put": {"TableName": table, "Item": item}} for item in items], ReturnConsumedCapacity="INDEXES"
        )
        return float(sum(part["CapacityUnits"] for part in answer["ConsumedCapacity"]))

    single = client.put_item(TableName=table, Item=large, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]["CapacityUnits"]
    checks = [
        Check("a write of one item, by size", math.ceil(item_bytes(large) / 1024), single),
        Check("a transaction: twice, by size", sum(units), put(small, large)),
        Check("in the index for the first time: 1 more", 2 + 1, put(indexed)),
        Check("to another place of the index: 2 more", 2 + 2, put(moved)),
        Check("the index untouched: none more", 2, put(moved)),
    ]
    client.put_item(TableName=table, Item=_item("d", "x" * 5000))
    read = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "p"}},
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )
    size = sum(item_bytes(item) for item in read["Items"])
    return [*checks, Check("a read of several items, by size", math.ceil(size / 4096), read["ConsumedCapacity"]["CapacityUnits"])]


def _item(sk: str, text: str, **more: str) -> dict[str, Any]:
    return encode({"pk": "p", "sk": sk, "text": text, **more})
