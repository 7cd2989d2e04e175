"""Transactions of moto at a price that does not grow with the tables: what they touch is kept for undoing, not copies of whole tables."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from moto.dynamodb import models
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table


def keep_only_what_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto copies every table of a transaction before it begins; with thousands of items that is all it does."""
    real = models.DynamoDBBackend.transact_write_items

    def transact(backend: Any, actions: list[dict[str, Any]]) -> None:
        touched = [_touched(backend, *next(iter(each.values())).items()) for each in actions]
        before = [(items, sort, copy.deepcopy(items.get(sort))) for items, sort in touched]
        try:
            real(backend, actions)
        except BaseException:
            for items, sort, item in before:
                if item is None:
                    items.pop(sort, None)
                else:
                    items[sort] = item
            raise

    stay = SimpleNamespace(copy=copy.copy, deepcopy=lambda thing: thing if isinstance(thing, Table) else copy.deepcopy(thing))
    monkeypatch.setattr(models, "copy", stay)
    monkeypatch.setattr(models.DynamoDBBackend, "transact_write_items", transact)


def _touched(backend: Any, *parts: tuple[str, Any]) -> tuple[Any, DynamoType]:
    """Where the item of an action is: the items of its partition, and its sort key."""
    action = dict(parts)
    key = action.get("Key") or action["Item"]
    return backend.tables[action["TableName"]].items[DynamoType(key["pk"])], DynamoType(key["sk"])
