"""Events from outside may come late, twice and in any order: the result is the same."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from oms.carriers.tracking import Tracking, apply
from oms.fulfillment.records import Shipment
from oms.orders.order import Order
from oms.orders.quantities import broken_laws
from oms.payments.ledger import add, fold, newest
from oms.payments.records import Payment, PaymentEvent
from tests.support.orders import an_order
from tests.unit.memory import World

KINDS = ["authorization", "adjustment", "capture", "refund", "void", "chargeback", "refund_reversal"]
EVENTS = st.builds(
    PaymentEvent,
    kind=st.sampled_from(KINDS),
    state=st.sampled_from(["requested", "failed", "succeeded"]),
    amount=st.integers(0, 300),
    at=st.sampled_from("123"),
    reference=st.sampled_from("abc"),
    key=st.none(),
)
TIED, OTHER = (PaymentEvent(kind="capture", state="succeeded", amount=amount, at="1", reference="a") for amount in (1, 2))
STATUSES = ["pre_transit", "in_transit", "out_for_delivery", "failure", "return_to_sender", "delivered"]
RANK = {"shipped": 0, "pre_transit": 0, "in_transit": 1, "out_for_delivery": 2, "failure": 2, "return_to_sender": 3, "delivered": 4}
NEWS = st.builds(
    Tracking,
    tracking_number=st.just("T1"),
    status=st.sampled_from(STATUSES),
    occurred_at=st.integers(1, 9).map(lambda hour: f"2026-11-24T0{hour}:00:00.000Z"),
)


def tender(events: list[PaymentEvent]) -> Payment:
    payment = Payment(id="p", method="card", gateway="sandbox", amount=100)
    for event in events:
        add(payment, event)
    return payment


@given(st.lists(EVENTS, max_size=8).flatmap(lambda events: st.tuples(st.just(events), st.permutations(events * 2))))
@example(([TIED, OTHER], [OTHER, TIED]))
def test_a_ledger_folds_to_the_same_in_any_order_and_with_any_repetition(told: tuple[list[PaymentEvent], list[PaymentEvent]]) -> None:
    once, again = told
    assert fold(tender(again)) == fold(tender(once))


@given(st.lists(EVENTS, max_size=8))
def test_of_each_thing_only_the_newest_counts(events: list[PaymentEvent]) -> None:
    chosen = newest(events)
    assert len({(event.kind, event.reference) for event in chosen}) == len(chosen)
    for event in events:
        winner = next(each for each in chosen if (each.kind, each.reference) == (event.kind, event.reference))
        assert winner.at >= event.at


@given(st.sampled_from(["capture", "refund", "void"]), st.sampled_from(["failed", "succeeded"]), st.data())
def test_our_answer_and_the_webhook_about_it_count_once(kind: str, state: str, data: st.DataObject) -> None:
    fields: dict[str, Any] = {"kind": kind, "state": state, "amount": 100, "reference": "r"}
    answer = PaymentEvent.model_validate({**fields, "at": data.draw(st.sampled_from("123")), "key": "k/1"})
    told = PaymentEvent.model_validate({**fields, "at": data.draw(st.sampled_from("123"))})
    asked = answer.model_copy(update={"state": "requested", "at": "0", "reference": None})
    # The request is always recorded first; the answer and the news about it come in any order.
    later = data.draw(st.permutations([answer, told, told]))
    assert fold(tender([asked, *later])) == fold(tender([answer]))


def parcel() -> tuple[Order, Shipment]:
    world = World()
    order, fo = world.allocated(an_order())
    world.ship(order, fo, {"1": 2})
    return order, next(iter(order.shipments.values()))


@given(st.lists(NEWS, max_size=10))
def test_a_parcel_never_moves_backwards_and_counts_once(news: list[Tracking]) -> None:
    order, shipment = parcel()
    for each in news:
        before, known = shipment.status, shipment.status_at
        moved = apply(order, shipment, each)
        assert RANK[shipment.status] >= RANK[before]
        assert moved == ((shipment.status, shipment.status_at) != (before, known))
        assert not broken_laws(order.summary.lines["1"])
    assert order.summary.lines["1"].delivered == (2 if shipment.status == "delivered" else 0)


@given(st.lists(NEWS.filter(lambda each: each.status != "return_to_sender"), max_size=8), st.data())
def test_a_delivered_parcel_ends_delivered_in_whatever_order_the_news_came(news: list[Tracking], data: st.DataObject) -> None:
    delivered = Tracking(tracking_number="T1", status="delivered", occurred_at="2026-11-24T09:00:00.000Z")
    repeated = [*news, delivered, *data.draw(st.lists(st.sampled_from([*news, delivered]), max_size=3))]
    order, shipment = parcel()
    for each in data.draw(st.permutations(repeated)):
        apply(order, shipment, each)
    assert (shipment.status, order.summary.lines["1"].delivered) == ("delivered", 2)
    assert [fo.status for fo in order.fulfillment_orders.values()] == ["delivered"]


@given(st.lists(NEWS, max_size=8))
def test_news_told_twice_in_a_row_changes_nothing_the_second_time(news: list[Tracking]) -> None:
    order, shipment = parcel()
    for each in news:
        apply(order, shipment, each)
        assert not apply(order, shipment, each)
