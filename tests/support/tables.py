"""DynamoDB as far as the storage uses it, in a dictionary: transactions, conditions, updates and queries, at once.

For properties over hundreds of lives, where moto would take minutes; what it means is proven against moto and DynamoDB Local elsewhere.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

JSON = dict[str, Any]
Rule = Callable[[JSON, JSON], bool]
_OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
SORTED_BY = {"lists": "at", "places": "pk"}
"""The sort keys of the indexes."""
_PARTS = [
    (re.compile(r"attribute_not_exists\((\w+)\)"), r"('\1' not in item)"),
    (re.compile(r"attribute_exists\((\w+)\)"), r"('\1' in item)"),
    (re.compile(r"begins_with\((\w+), (:\w+)\)"), r"begins(item, values, '\1', '\2')"),
    (
        re.compile(r"(\w+) BETWEEN (:\w+) AND (:\w+)"),
        r"(compare(item, values, '\1', '>=', '\2') and compare(item, values, '\1', '<=', '\3'))",
    ),
    (re.compile(r"(?<!')\b(\w+) (=|<=|>=|<|>) (:\w+)"), r"compare(item, values, '\1', '\2', '\3')"),
    (re.compile(r"\bAND\b"), "and"),
    (re.compile(r"\bOR\b"), "or"),
]


class Tables:
    """What `client("dynamodb")` is to the storage. `on_write` is called before and after each write; it may raise."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, dict[str, JSON]]] = {}  # per table and partition
        self.writes = 0
        self.on_write: Callable[[str], None] = lambda when: None

    def transact_write_items(self, TransactItems: list[JSON], **_: Any) -> JSON:  # noqa: N803 its name in DynamoDB
        """All or nothing."""
        self._write([next(iter(each.items())) for each in TransactItems], "TransactionCanceledException")
        return {}

    def put_item(self, **body: Any) -> JSON:
        """One put."""
        self._write([("Put", body)], "ConditionalCheckFailedException")
        return {}

    def update_item(self, **body: Any) -> JSON:
        """One update."""
        self._write([("Update", body)], "ConditionalCheckFailedException")
        return {}

    def delete_item(self, **body: Any) -> JSON:
        """One deletion."""
        self._write([("Delete", body)], "ConditionalCheckFailedException")
        return {}

    def get_item(self, TableName: str, Key: JSON, **_: Any) -> JSON:  # noqa: N803
        """One item."""
        found = self._item(TableName, Key)
        return {"Item": dict(found)} if found else {}

    def batch_get_item(self, RequestItems: JSON, **_: Any) -> JSON:  # noqa: N803
        """Several items of one table."""
        ((name, asked),) = RequestItems.items()
        found = [self._item(name, key) for key in asked["Keys"]]
        return {"Responses": {name: [dict(item) for item in found if item]}}

    def query(self, TableName: str, KeyConditionExpression: str, ExpressionAttributeValues: JSON, **more: Any) -> JSON:  # noqa: N803
        """Items of one partition in order, or of an index, for which it looks at all that there are."""
        for short, name in more.get("ExpressionAttributeNames", {}).items():
            KeyConditionExpression = KeyConditionExpression.replace(short, name)  # noqa: N806
        rule, partitions = _rule(KeyConditionExpression), self.items.get(TableName, {})
        if index := more.get("IndexName"):
            every = (item for partition in partitions.values() for item in partition.values())
            found = [item for item in every if rule(item, ExpressionAttributeValues)]
            found.sort(key=lambda item: (str(_plain(item[SORTED_BY[index]])), _key(item)))
        else:
            mine = partitions.get(ExpressionAttributeValues[":pk"]["S"], {})
            found = [mine[sk] for sk in sorted(mine) if rule(mine[sk], ExpressionAttributeValues)]
        if not more.get("ScanIndexForward", True):
            found.reverse()
        return {"Items": [dict(item) for item in found[: more.get("Limit")]]}

    def _write(self, writes: list[tuple[str, JSON]], error: str) -> None:
        self.on_write("before")
        allowed = []
        for _, body in writes:
            there = self._item(body["TableName"], body.get("Key") or body["Item"]) or {}
            condition = body.get("ConditionExpression")
            allowed.append(not condition or _rule(condition)(there, body.get("ExpressionAttributeValues", {})))
        if not all(allowed):
            reasons = [{"Code": "None" if fine else "ConditionalCheckFailed"} for fine in allowed]
            answer: Any = {"Error": {"Code": error, "Message": "a condition failed"}, "CancellationReasons": reasons}
            raise ClientError(answer, "write")
        self.writes += 1
        for kind, body in writes:
            self._do(kind, body)
        self.on_write("after")

    def _do(self, kind: str, body: JSON) -> None:
        pk, sk = _key(body.get("Key") or body["Item"])
        partition = self.items.setdefault(body["TableName"], {}).setdefault(pk, {})
        if kind == "Put":
            partition[sk] = dict(body["Item"])
        elif kind == "Delete":
            partition.pop(sk, None)
        else:
            there = {**body["Key"], **partition.get(sk, {})}
            partition[sk] = _updated(there, body["UpdateExpression"], body.get("ExpressionAttributeValues", {}))

    def _item(self, table: str, key: JSON) -> JSON | None:
        pk, sk = _key(key)
        return self.items.get(table, {}).get(pk, {}).get(sk)


def _key(item: JSON) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


@cache
def _rule(expression: str) -> Rule:
    for pattern, python in _PARTS:
        expression = pattern.sub(python, expression)
    found: Rule = eval(f"lambda item, values: {expression}", {"compare": _compare, "begins": _begins})
    return found


def _compare(item: JSON, values: JSON, name: str, sign: str, placeholder: str) -> bool:
    return name in item and bool(_OPERATORS[sign](_plain(item[name]), _plain(values[placeholder])))


def _begins(item: JSON, values: JSON, name: str, placeholder: str) -> bool:
    return name in item and str(_plain(item[name])).startswith(str(_plain(values[placeholder])))


def _plain(attribute: JSON) -> Any:
    ((kind, content),) = attribute.items()
    return int(content) if kind == "N" else content


def _updated(item: JSON, expression: str, values: JSON) -> JSON:
    """`SET a = :a, b = :b ADD c :c, d :d REMOVE e`, each part at most once."""
    words = re.split(r"\b(SET|ADD|REMOVE)\b", expression)[1:]
    for verb, parts in zip(words[::2], words[1::2], strict=True):
        for part in (each.strip() for each in parts.split(",")):
            if verb == "REMOVE":
                item.pop(part, None)
            elif verb == "SET":
                name, placeholder = part.split(" = ")
                item[name] = values[placeholder]
            else:
                name, placeholder = part.split()
                item[name] = {"N": str(_plain(item.get(name, {"N": "0"})) + _plain(values[placeholder]))}
    return item
