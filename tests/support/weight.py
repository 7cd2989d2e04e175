"""What calls to DynamoDB cost, by its rules and the sizes of the items in moto: a kilobyte written or four read is a unit.

A write in a transaction counts twice, an eventually consistent read half. An entry of an index costs a unit when it comes, goes or is
changed, and nothing while it stays as it is. (`tests.benchmarks.probe` compares these rules with what the local engine bills.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import botocore.client
import pytest
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from oms.storage.codec import item_bytes
from tests.support.world import INDEXES, JSON, World

_WRITTEN, _READ = 1024, 4096
_ACCOUNT = "123456789012"
LONGEST_TOKEN = 1024
"""Bytes of a task token on AWS at most; moto's are short. Reads are weighed as if each were that long."""


@dataclass(frozen=True)
class Weighed:
    """One write or read: who did it, of which table, what kind of item, how (`jointly`: in a transaction), and what it cost."""

    function: str
    table: str
    item: str
    how: str
    units: float

    def __str__(self) -> str:
        return f"{self.function:<16}{self.table:<10}{self.item:<15}{self.how:<16}{self.units:g}"


@dataclass
class Scale:
    """Everything that was weighed, in order."""

    world: World
    writes: list[Weighed] = field(default_factory=list)
    reads: list[Weighed] = field(default_factory=list)

    def weigh_writes(self, writes: list[tuple[str, JSON]], before: list[JSON | None], *, together: bool) -> None:
        """Note what these writes have cost: what was there, what is there now, and whether it was one transaction."""
        for (how, body), old in zip(writes, before, strict=True):
            new, table = stored(body), body["TableName"]
            units = max(1, *(math.ceil(item_bytes(item or {}) / _WRITTEN) for item in (old, new))) * (2 if together else 1)
            was, is_ = _entry(table, old), _entry(table, new)
            units += bool(was) + bool(is_) if was != is_ else 0
            key = body.get("Key") or body["Item"]
            kind, name = kind_of(key["pk"]["S"], key["sk"]["S"]), how.lower()
            self.writes.append(Weighed(self._function, table.removeprefix("oms-"), kind, f"{name} jointly" if together else name, units))

    def weigh_read(self, operation: str, given: JSON, items: list[JSON]) -> None:
        """Note what a read has cost."""
        sizes = [_with_long_token(item) for item in items]
        singly = operation == "BatchGetItem"
        pages = sum(max(1, math.ceil(size / _READ)) for size in sizes) if singly else max(1, math.ceil(sum(sizes) / _READ))
        asked = next(iter(given["RequestItems"].values())) if singly else given
        table = next(iter(given["RequestItems"])) if singly else given["TableName"]
        units = pages if asked.get("ConsistentRead") else pages / 2
        self.reads.append(Weighed(self._function, table.removeprefix("oms-"), "", operation, units))

    @property
    def _function(self) -> str:
        return str(vars(self.world.wire.work).get("name", "")).partition(" ")[0]


@contextmanager
def weighing(world: World) -> Iterator[Scale]:
    """Weigh every call to DynamoDB that succeeds, other than scans, which no function makes."""
    scale, real = Scale(world), cast(Any, botocore.client.BaseClient)._make_api_call

    def call(that: Any, operation: str, given: JSON) -> Any:
        if that.meta.service_model.service_name != "dynamodb" or operation == "Scan":
            return real(that, operation, given)
        writes = _writes(operation, given)
        before = [stored(body) for _, body in writes]
        answer = real(that, operation, given)
        if writes:
            scale.weigh_writes(writes, before, together=operation == "TransactWriteItems")
        else:
            scale.weigh_read(operation, given, _found(answer))
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        yield scale


def kind_of(pk: str, sk: str) -> str:
    """What an item is, whoever's it is: state#fo, timeline, stock, number."""
    if pk.startswith("ord_"):
        return "#".join(sk.split("#")[:2]) if sk.startswith(("doc#", "state#")) else sk.partition("#")[0]
    return (sk if pk.startswith("sku#") else pk).partition("#")[0]


def stored(body: JSON) -> JSON | None:
    """The item that a write is about, as it is now."""
    key = body.get("Key") or body["Item"]
    table = dynamodb_backends[_ACCOUNT]["us-east-1"].tables[body["TableName"]]
    item = table.items.get(DynamoType(key["pk"]), {}).get(DynamoType(key["sk"]))
    return {name: value.to_regular_json() for name, value in item.attrs.items()} if item else None


def _writes(operation: str, given: JSON) -> list[tuple[str, JSON]]:
    if operation == "TransactWriteItems":
        return [next(iter(each.items())) for each in given["TransactItems"]]
    return [(operation.removesuffix("Item"), given)] if operation in ("PutItem", "UpdateItem", "DeleteItem") else []


def _found(answer: JSON) -> list[JSON]:
    if "Responses" in answer:
        return [item for items in answer["Responses"].values() for item in items]
    return list(answer.get("Items", [answer["Item"]] if "Item" in answer else []))


def _entry(table: str, item: JSON | None) -> JSON:
    """What the table's index holds of an item: the keys alone."""
    names = {"pk", "sk", *INDEXES.get(table, ("", ""))[1:]}
    return {name: item[name] for name in names} if item and table in INDEXES and names <= item.keys() else {}


def _with_long_token(item: JSON) -> int:
    longer = LONGEST_TOKEN - len(item["token"]["S"]) if "token" in item else 0
    return item_bytes(item) + max(0, longer)
