"""Carrier news: late, repeated, reordered; nothing moves backwards."""

from __future__ import annotations

import pytest

from oms.carriers.tracking import Tracking, apply, read_standard
from oms.errors import Invalid
from oms.fulfillment.records import Shipment
from oms.orders.order import Order
from tests.support.orders import a_line, an_order, tracking_news
from tests.unit.memory import World

BEFORE, AT, AFTER = (f"2026-11-24T{hour:02d}:00:00Z" for hour in (8, 9, 10))


def parcel() -> tuple[Order, Shipment]:
    world = World()
    order, fo = world.allocated(an_order())
    world.ship(order, fo, {"1": 2})
    return order, next(iter(order.shipments.values()))


def tell(order: Order, shipment: Shipment, status: str, at: str = AT) -> bool:
    return apply(order, shipment, Tracking.model_validate({"tracking_number": "T1", "status": status, "occurred_at": at}))


@pytest.mark.parametrize(
    ("news", "status"),
    [
        (["in_transit"], "in_transit"),
        (["in_transit", "pre_transit"], "in_transit"),
        (["out_for_delivery", "in_transit"], "out_for_delivery"),
        (["delivered", "in_transit", "failure", "out_for_delivery"], "delivered"),
        (["delivered", "return_to_sender"], "delivered"),
        (["in_transit", "return_to_sender", "in_transit"], "return_to_sender"),
        (["in_transit", "in_transit"], "in_transit"),
    ],
)
def test_a_parcel_never_moves_backwards(news: list[str], status: str) -> None:
    order, shipment = parcel()
    for word in news:
        tell(order, shipment, word)
    assert shipment.status == status


@pytest.mark.parametrize(("at", "status"), [(BEFORE, "failure"), (AT, "failure"), (AFTER, "out_for_delivery")])
def test_after_a_failed_attempt_only_newer_news_counts(at: str, status: str) -> None:
    order, shipment = parcel()
    assert tell(order, shipment, "failure")
    assert tell(order, shipment, "out_for_delivery", at) is (status != "failure")
    assert shipment.status == status


def test_the_first_news_counts_whatever_our_clock_said_when_it_shipped() -> None:
    order, shipment = parcel()
    assert tell(order, shipment, "pre_transit", "2020-01-01T00:00:00Z")


def test_delivery_counts_units_once_and_ends_the_fulfillment_order() -> None:
    order, shipment = parcel()
    assert tell(order, shipment, "delivered", "2026-11-24T10:00:00+01:00")
    assert not tell(order, shipment, "delivered", AFTER)
    assert (shipment.delivered_at, order.summary.lines["1"].delivered) == ("2026-11-24T09:00:00.000Z", 2)
    assert [fo.status for fo in order.fulfillment_orders.values()] == ["delivered"]


def test_one_parcel_of_two_does_not_end_the_fulfillment_order() -> None:
    world = World()
    order, fo = world.allocated(an_order(a_line(quantity=2)))
    world.ship(order, fo, {"1": 1}, {"1": 1})
    first, second = order.shipments.values()
    tell(order, first, "delivered")
    assert (fo.status, order.summary.lines["1"].delivered) == ("shipped", 1)
    tell(order, second, "delivered")
    assert (fo.status, order.summary.lines["1"].delivered) == ("delivered", 2)


def test_each_move_is_a_fact_and_nothing_else_is() -> None:
    order, shipment = parcel()
    for status in ("in_transit", "in_transit", "delivered", "failure"):
        tell(order, shipment, status)
    assert [fact.type for fact in order.facts] == ["shipment.in_transit", "shipment.delivered", "fulfillment_order.delivered"]


def test_a_body_is_read() -> None:
    news = read_standard(tracking_news("T1", "in_transit", AT))
    assert news is not None
    assert (news.tracking_number, news.status) == ("T1", "in_transit")


@pytest.mark.parametrize("body", [{}, {"type": "invoice.paid", "data": {}}])
def test_unknown_types_are_ignored(body: dict[str, object]) -> None:
    assert read_standard(body) is None


@pytest.mark.parametrize("change", [{"status": "lost_in_space"}, {"occurred_at": "now"}, {"tracking_number": ""}, {"colour": "red"}])
def test_a_faulty_body_is_refused(change: dict[str, str]) -> None:
    body = tracking_news("T1", "in_transit", AT)
    with pytest.raises(Invalid):
        read_standard({**body, "data": {**body["data"], **change}})
