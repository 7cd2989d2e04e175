"""What the inventory table keeps of an order's commit beside the stock rows, and what others are told of it."""

from __future__ import annotations

from typing import Any

from oms.inventory.counts import Movement
from oms.orders.order import Order, StockChange
from oms.payments.gift_cards import sells_cards
from oms.storage.capacity import bookings
from oms.storage.effects import movement, queue_entries, reservations
from oms.storage.inventory import note, record_note
from oms.storage.table import Write

_Facts = list[tuple[str, dict[str, Any]]]


def beside(order: Order, stock: list[StockChange], arrived: list[str], at: str, actor: str) -> list[Write]:
    """Movements, reservations, places in capacity windows and in the queue; and news for the queue of each SKU that something became
    free of (`arrived`)."""
    name = f"{order.id}#{order.summary.sequence}"
    writes = [movement(_moved(change, at, name, actor)) for change in stock if change.on_hand]
    writes += reservations(order.id, order.held_before, order.held(as_stored=True), at)
    writes += bookings(order.booked_before, order.booked(), order.limits)
    skus = {line.id: line.sku for line in order.every_line}
    in_line = f"{order.placed.priority}#{order.placed.placed_at}#{order.id}"
    writes += queue_entries(skus, order.waiting_before, order.waiting(), in_line)
    writes += [note(sku, at, name, actor, facts) for sku, facts in _news(order, skus, arrived).items()]
    if any(fact.type == "shipment.delivered" for fact in order.facts) and sells_cards(order):
        writes.append(record_note(f"credit_{order.id}", at, name, actor, [("gift_card.delivered", {"order_id": order.id})]))
    return writes


def _moved(change: StockChange, at: str, cause: str, actor: str) -> Movement:
    return Movement(
        sku=change.sku,
        location_id=change.location_id,
        at=at,
        kind="shipped" if change.on_hand < 0 else "restocked",
        delta=change.on_hand,
        cause=change.cause or cause,
        actor=actor,
    )


def _news(order: Order, skus: dict[str, str], arrived: list[str]) -> dict[str, _Facts]:
    """What the queue of each SKU has to hear."""
    before, after = order.waiting_before, order.waiting()
    news: dict[str, _Facts] = {sku: [("stock.arrived", {"sku": sku})] for sku in arrived}
    for sku, type_, data in order.news:
        news.setdefault(sku, []).append((type_, data))
    for line_id, place in after.items():
        if place.units > (before[line_id].units if line_id in before else 0):
            # What arrived at the same moment has not seen this debt: somebody must look again.
            about = {"sku": skus[line_id], "line_id": line_id, "order_id": order.id, "units": place.units, "class": order.placed.priority}
            news.setdefault(skus[line_id], []).append(("backorder.queued", about))
    granted = any(fact.type == "backorder.granted" for fact in order.facts)  # its worker sees to the others by itself
    for line_id, place in before.items() if not granted else ():
        left = place.units - (after[line_id].units if line_id in after else 0)
        if left > 0:
            about = {"sku": skus[line_id], "line_id": line_id, "order_id": order.id, "units": left}
            news.setdefault(skus[line_id], []).append(("backorder.left", about))
    return news
