"""Reconcile proves the laws of money of orders at rest, and says which one breaks them and how."""

from __future__ import annotations

from typing import Any

import pytest

from oms.storage.clients import client
from tests.support.world import World, order_body


@pytest.fixture
def order(world: World) -> Any:
    """Delivered and paid, and nobody has touched it for some minutes."""
    found = world.delivered(order_body())
    world.advance(minutes=10)
    return found


def proved(world: World) -> tuple[int, list[str]]:
    report = world.invoke("reconcile", {})
    assert report["failed"] == 0
    return report["unbalanced"], report["unbalanced_orders"]


def tamper(order: Any, sk: str, expression: str, **values: str) -> None:
    """Somebody writes into the table by hand."""
    client("dynamodb").update_item(
        TableName="oms-orders",
        Key={"pk": {"S": order["id"]}, "sk": {"S": sk}},
        UpdateExpression=expression,
        ExpressionAttributeValues={name: {"N": value} for name, value in values.items()},
    )


def test_an_order_that_is_as_it_should_be(world: World, order: Any) -> None:
    assert proved(world) == (0, [])


def test_a_document_that_was_changed_by_hand(world: World, order: Any) -> None:
    invoice = order["invoices"][0]["id"]
    tamper(order, f"doc#invoice#{invoice}", "SET total_amount = :n", **{":n": "3400"})
    count, named = proved(world)
    assert (count, len(named)) == (1, 1)
    assert named[0].startswith(f"{order['id']}: 3500 was paid for documents that come to 3400")


def test_an_authorization_that_was_changed_by_hand(world: World, order: Any) -> None:
    payment = order["payments"][0]["id"]
    tamper(order, f"state#payment#{payment}", "SET events[0].amount = :n", **{":n": "100"})
    count, named = proved(world)
    assert count == 1
    assert "3500 was drawn on an authorization of 100" in named[0]
