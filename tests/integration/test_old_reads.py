"""What is read without strong consistency may be old. Here it is so old that nothing is there yet, and it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import botocore.client
import pytest

from oms.clock import stamp
from tests.support.world import JSON, World, order_body

LATE = "2030-01-01T00:00:00.000Z"


@pytest.fixture
def old_reads(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Reads that are not strongly consistent find nothing, but for settings; the names of those that were made."""
    real, made = cast(Any, botocore.client.BaseClient)._make_api_call, list[str]()

    def call(that: Any, operation: str, given: JSON) -> Any:
        answer = real(that, operation, given)
        old = operation in ("GetItem", "Query") and not given.get("ConsistentRead") and "IndexName" not in given
        if old and given["TableName"] != "oms-settings":
            made.append(operation)
            return {"Items": []} if operation == "Query" else {}
        return answer

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    yield made
    assert made, "nothing was read that way"


def test_work_is_handed_out_all_the_same(world: World, old_reads: list[str]) -> None:
    order = world.allocated(order_body())
    assert [fo["location_id"] for fo in order["fulfillment_orders"]] == ["berlin"]


def test_nothing_is_cancelled_because_stock_was_not_seen(world: World, old_reads: list[str]) -> None:
    world.done("PUT", "/v1/channels/web", {"on_unfillable": "cancel_and_refund"})
    world.stock("A", "lyon", 0)
    order = world.place(order_body())
    world.done("PUT", "/v1/locations/berlin", {"name": "Berlin", "type": "warehouse", "enabled": False})
    world.stock("A", "lyon", 5)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    order = world.order(order["id"])
    assert [fo["location_id"] for fo in order["fulfillment_orders"]] == ["lyon"]
    assert not order["changes"]


def test_news_of_a_parcel_reach_it_whichever_came_first(world: World, old_reads: list[str]) -> None:
    order = world.allocated(order_body())
    number = f"T-{order['fulfillment_orders'][0]['id']}"
    assert not world.carrier(number, "in_transit").body["changed"], "it is not known yet"
    assert world.ship_all(order) == [number]
    assert world.order(order["id"])["shipments"][0]["status"] == "in_transit"
    assert world.carrier(number, "delivered", at=LATE).body["changed"]
    assert world.order(order["id"])["delivery_status"] == "delivered"


def test_the_books_lack_nothing(world: World, old_reads: list[str]) -> None:
    order = world.delivered(order_body())
    world.keep_books()
    (entry,) = world.done("GET", "/v1/journal", query={"date": stamp()[:10]})["data"]
    assert entry["facts"] == ["invoice.created", "payment.captured"]
    assert world.order(order["id"])["invoices"][0]["number"] == "INV-1"
