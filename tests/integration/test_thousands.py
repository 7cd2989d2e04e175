"""Stock when there is much of it, or many who want it: a hundred SKUs at a hundred places in one answer; who waits, by the thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from oms import clock
from oms.errors import Conflict
from oms.flows import backorders
from oms.flows.allocate import allocate_step
from oms.flows.capture import place
from oms.flows.idempotency import Request
from oms.flows.inventory import availability, counted
from oms.inventory.stock import Stock
from oms.inventory.stock_requests import AvailabilityQuery
from oms.orders.placing import read_order
from oms.settings import LocationSettings
from oms.storage.codec import encode
from oms.storage.effects import row_key
from oms.storage.inventory import stock_at
from oms.storage.orders import load
from oms.storage.settings import put_setting
from tests.support.shop import Shop, a_shop
from tests.support.world import order_body

SKUS = [f"S{number:03d}" for number in range(100)]
PLACES = [f"p{number:03d}" for number in range(100)]
WAITING, ARRIVED = 1_050, 400


@pytest.fixture
def shop() -> Iterator[Shop]:
    with a_shop() as found:
        yield found


def count(sku: str, location_id: str, on_hand: int) -> None:
    known = stock_at(sku, location_id) or Stock(sku=sku, location_id=location_id)
    counted(known, on_hand, clock.stamp(), f"count {on_hand}", "test", {}, None)


def groups_of(number: int) -> list[str]:
    """Groups may overlap: every second place is in one, every third in the other."""
    return [name for name, every in (("second", 2), ("third", 3)) if number % every == 0]


def test_a_hundred_skus_at_a_hundred_places_and_their_groups_in_one_answer(shop: Shop) -> None:
    for number, location_id in enumerate(PLACES):
        settings = LocationSettings(name=location_id, type="store", groups=groups_of(number))
        put_setting("locations", location_id, settings.model_dump())
    for at, sku in enumerate(SKUS):
        for number, location_id in enumerate(PLACES):
            # As a count leaves it; counting ten thousand rows would be all that this test does.
            figures = {"on_hand": at + number, "spare": at + number, "available": at + number, "moves": 1, "v": 1}
            shop.tables.put_item(TableName="inventory", Item=encode({**row_key(sku, location_id), **figures}))
    rows = availability(AvailabilityQuery(skus=SKUS, location_ids=PLACES, group_ids=["second", "third", "all"]))
    assert len(rows) == 100 * (100 + 3)
    found = {(row["sku"], row.get("location_id") or row["group_id"]): row["available_to_fulfill"] for row in rows}
    for at, sku in enumerate(SKUS):
        assert [found[sku, location_id] for location_id in PLACES] == [at + number for number in range(100)]
        sums = [sum(at + number for number in range(0, 100, every)) for every in (2, 3, 1)]
        assert [found[sku, group] for group in ("second", "third", "all")] == sums


@pytest.mark.slow
@pytest.mark.usefixtures("shop")
def test_what_arrives_for_more_than_a_thousand_who_wait_goes_to_exactly_those_in_front() -> None:
    put_setting("locations", "berlin", LocationSettings(name="Berlin", type="warehouse").model_dump())
    count("A", "berlin", 0)
    orders = [wait(number) for number in range(WAITING)]
    before = {key: load(key).summary.version for key in orders}
    count("A", "berlin", ARRIVED)
    with pytest.raises(Conflict, match="stock is short"):
        buy(WAITING, "refuse")
    assert backorders.serve("A", lambda: 600.0) == ARRIVED
    pins = [load(key).summary.lines["1"].pins for key in orders]
    assert pins == [{"berlin": 1}] * ARRIVED + [{}] * (WAITING - ARRIVED)
    woken = Counter(load(key).summary.version - before[key] for key in orders)
    assert woken == {1: ARRIVED, 0: WAITING - ARRIVED}
    left = stock_at("A", "berlin")
    assert left
    assert (left.on_hand, left.reserved, left.queued, left.available_to_fulfill) == (ARRIVED, ARRIVED, WAITING - ARRIVED, 0)


def buy(number: int, policy: str) -> str:
    body = order_body(f"W-{number}", quantities={"A": 1})
    body["lines"][0]["backorder"] = policy
    return place(read_order(body), Request("shop", "orders", f"k{number}", "digest"), actor="test", later_on=False).order.id


def wait(number: int) -> str:
    order_id = buy(number, "allow")
    assert allocate_step(order_id, "test") == {"next": "wait_for_stock"}
    return order_id
