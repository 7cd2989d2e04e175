"""Every (status, action) pair of the hand-shake: what is refused changes nothing, what is allowed keeps every law."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest

from oms.errors import Conflict
from oms.fulfillment import work
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.requests import CollectRequest, RejectRequest, ShipRequest
from oms.fulfillment.reroute import reroute
from oms.inventory.stock import Stock
from oms.orders.order import Order, StockChange
from oms.orders.quantities import broken_laws
from oms.settings import Location, Settings
from tests.support.orders import a_line, an_order, units
from tests.unit.memory import World


def _advance(action: str, order: Order, fo: FulfillmentOrder) -> None:
    work.advance(order, fo, action)


def _reroute(order: Order, fo: FulfillmentOrder) -> None:
    stock = {"A": [Stock(sku="A", location_id="lyon", on_hand=3, spare=3, available=3)]}
    reroute(order, fo, stock, Settings(locations={"lyon": Location(id="lyon")}))


ENDED = ("shipped", "delivered", "rejected", "cancelled", "expired")
ACTS: dict[str, Callable[[Order, FulfillmentOrder], None]] = {
    **{name: partial(_advance, name) for name in ("accept", "pick", "pack", "ready", "hold", "release")},
    "reject": lambda order, fo: work.reject(order, fo, RejectRequest(reason="no")),
    "ship": lambda order, fo: work.ship(order, fo, ShipRequest.model_validate({"packages": [{"lines": units({"1": 1})}]}), {}),
    "collect": lambda order, fo: work.collect(order, fo, CollectRequest()),
    "deliver": work.deliver,
    "expire": work.expire,
    "reroute": _reroute,
}


def standing(status: str) -> tuple[World, Order, FulfillmentOrder]:
    """A fulfillment order of three units in this status, with the parcels that such a status means."""
    world = World({"A": {"berlin": 100, "lyon": 100}})
    order, fo = world.allocated(an_order(a_line(quantity=3)))
    if status == "partially_shipped":
        world.ship(order, fo, {"1": 1})
    if status in ("shipped", "delivered"):
        world.ship(order, fo, {"1": 3})
    if status == "delivered":
        work.deliver(order, fo)
    if status in ("rejected", "expired"):
        (work.expire if status == "expired" else ACTS["reject"])(order, fo)
    if status == "cancelled":
        fo.lines["1"].cancelled, order.summary.lines["1"].allocated = 3, 0
        order.stock.append(StockChange("A", "berlin", reserve=-3))
    if status == "on_hold":
        work.advance(order, fo, "hold")
    world.commit(order)
    fo.status = status
    return world, order, fo


@pytest.mark.parametrize(("status", "action"), list(product((*work.OPEN, "on_hold", *ENDED), work.ACTIONS)))
def test_a_pair(status: str, action: str) -> None:
    world, order, fo = standing(status)
    before = (fo.model_dump(), order.summary.model_dump(), len(order.shipments), world.row("A").model_dump())
    try:
        ACTS[action](order, fo)
    except Conflict:
        world.commit(order)
        after = (fo.model_dump(exclude={"v"}), order.summary.lines["1"].model_dump(), len(order.shipments), world.row("A").model_dump())
        assert after == ({k: v for k, v in before[0].items() if k != "v"}, before[1]["lines"]["1"], before[2], before[3])
        assert status not in work.ACTIONS[action][0]
        return
    world.commit(order)
    line, state, stock = fo.lines["1"], order.summary.lines["1"], world.row("A")
    assert not broken_laws(state)
    assert line.open >= 0
    moved = sum(other.lines["1"].open for other in order.fulfillment_orders.values() if other is not fo)
    assert (state.allocated, state.shipped) == (line.quantity - line.rejected - line.cancelled + moved, line.shipped)
    assert (stock.reserved, stock.on_hand) == (line.open, 100 - line.shipped)
    assert stock.available == stock.on_hand - stock.reserved
    assert (line.open == 0) == (fo.status in ENDED)
