"""Process exceptions and notes: what agents see and decide."""

from __future__ import annotations

import pytest

from oms.clock import later
from oms.errors import Conflict, Invalid, NotFound
from oms.fulfillment.records import FulfillmentOrder
from oms.orders.hold_request import HoldRequest
from oms.orders.holds import place_hold
from oms.orders.order import Order
from oms.payments.cover import hold_uncovered
from oms.payments.funds import ensure_funds
from oms.service import closing, exceptions
from oms.service.notes import NoteRequest, add_note
from oms.service.records import ProcessException
from tests.support.orders import an_order, paid
from tests.unit.memory import NOW, World


def shipped_back() -> tuple[Order, str]:
    """A parcel that comes back to the sender, and its fulfillment order."""
    world = World()
    order, fo = world.allocated(an_order())
    world.ship(order, fo, {"1": 2})
    next(iter(order.shipments.values())).status = "return_to_sender"
    return order, fo.id


UNFILLABLE = "Unfillable: no location can serve it: 2 of A (line 1, reserved at berlin, which may not send it now)"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("Unfillable", "allocation"),
        ("ReturnedToSender", "parcel"),
        ("PaymentDeclined", "payment"),
        ("FundsMissing", "payment"),
        ("Unsure", "payment"),
        ("Conflict", "state"),
        ("HeldForCapture", "hold"),
        ("States.Timeout", "timeout"),
        ("Retryable", "outage"),
        ("Lost", "contention"),
        ("KeyError", "bug"),
    ],
)
def test_an_exception_says_what_where_why_and_what_to_do(error: str, kind: str) -> None:
    order = World().place(an_order())
    place_hold(order, HoldRequest(kind="fraud", reason="odd", blocks=["capture"]))
    problem = exceptions.open_exception(order, order.id, "Allocate", error, "no place", "arn", NOW)
    assert (problem.kind, problem.step, problem.status) == (kind, "Allocate", "open")
    assert problem.cause == (f"{error}: no place" if error != "Unfillable" else UNFILLABLE)
    assert problem.hint
    assert {"retry", "abandon"} <= set(problem.actions)


def test_one_failed_visit_is_one_exception() -> None:
    order = World().place(an_order())
    first = exceptions.open_exception(order, order.id, "Ship", "Lost", "", "arn", NOW)
    again = exceptions.open_exception(order, order.id, "Ship", "Lost", "", "arn", NOW)
    other = exceptions.open_exception(order, order.id, "Ship", "Lost", "", "arn", later(NOW, seconds=1))
    assert (again.id, len(order.exceptions)) == (first.id, 2)
    assert other.id != first.id


def test_an_endless_cause_is_cut() -> None:
    order = World().place(an_order())
    assert len(exceptions.open_exception(order, order.id, "Ship", "KeyError", "x" * 5000, "arn", NOW).cause) == 1000


def test_a_closed_exception_stays_closed() -> None:
    order, fo_id = shipped_back()
    problem = exceptions.open_exception(order, fo_id, "Deliver", "ReturnedToSender", "", "arn", NOW)
    exceptions.retry(order, problem, exceptions.RetryRequest(note="sent again"))
    closed = exceptions.find(order, problem.id)
    assert (closed.status, closed.action, closed.note, closed.closed_at) == ("retried", "retry", "sent again", NOW)
    with pytest.raises(Conflict, match="is retried since"):
        exceptions.retry(order, closed, exceptions.RetryRequest())
    with pytest.raises(Conflict, match="is retried since"):
        exceptions.abandon(order, closed, None)


def test_retrying_a_returned_parcel_sends_it_out_again() -> None:
    order, fo_id = shipped_back()
    exceptions.retry(
        order, exceptions.open_exception(order, fo_id, "Deliver", "ReturnedToSender", "", "arn", NOW), exceptions.RetryRequest()
    )
    assert [parcel.status for parcel in order.shipments.values()] == ["in_transit"]


def test_a_returned_parcel_may_be_resolved_as_delivered() -> None:
    order, fo_id = shipped_back()
    problem = exceptions.open_exception(order, fo_id, "Deliver", "ReturnedToSender", "", "arn", NOW)
    exceptions.resolve(order, problem, "mark_delivered", None)
    assert order.summary.lines["1"].delivered == 2
    assert exceptions.find(order, problem.id).status == "resolved"


def test_only_what_is_offered_resolves() -> None:
    order, fo_id = shipped_back()
    parcel = exceptions.open_exception(order, fo_id, "Deliver", "ReturnedToSender", "", "arn", NOW)
    with pytest.raises(Invalid, match="can be resolved by mark_delivered"):
        exceptions.resolve(order, parcel, "forget", None)
    other = exceptions.open_exception(order, fo_id, "Ship", "Lost", "", "arn", NOW)
    with pytest.raises(Invalid, match="can be resolved by nothing"):
        exceptions.resolve(order, other, "mark_delivered", None)


@pytest.mark.parametrize(
    ("step", "error", "offered"),
    [
        ("Secure payment", "FundsMissing", ["resolve:release_anyway", "resolve:cancel"]),
        ("Secure payment", "PaymentDeclined", ["resolve:release_anyway", "resolve:cancel"]),
        ("Secure payment", "Lost", []),
        ("Capture payment", "PaymentDeclined", ["resolve:release_anyway"]),
        ("Capture payment", "Unsure", ["resolve:recorded", "resolve:not_done"]),
        ("Capture payment", "Conflict", []),
        ("Return", "PaymentDeclined", ["resolve:recorded"]),
        ("Settle", "PaymentDeclined", ["resolve:recorded"]),
        ("Settle", "Unsure", ["resolve:recorded", "resolve:not_done"]),
        ("Capture", "PaymentDeclined", []),
    ],
)
def test_what_can_be_done_besides_where_the_money_is_in_the_way(step: str, error: str, offered: list[str]) -> None:
    order, fo = World().allocated(an_order())
    problem = exceptions.open_exception(order, fo.id, step, error, "", "arn", NOW)
    assert problem.actions == ["retry", *offered, "abandon"]


def unpaid() -> tuple[Order, FulfillmentOrder, ProcessException]:
    """Overdue work of 20.00 whose authorization has run out, held, and its exception."""
    order, fo = World().allocated(an_order())
    order.now = later(NOW, days=8)
    hold_uncovered(order)
    assert (fo.status, fo.held_by) == ("on_hold", "payment")
    return order, fo, exceptions.open_exception(order, fo.id, "Secure payment", "FundsMissing", "", "arn", NOW)


def test_unpaid_work_may_go_on_somebodys_word() -> None:
    order, fo, problem = unpaid()
    exceptions.resolve(order, problem, "release_anyway", "a good customer", "agent-7")
    assert (fo.status, fo.held_by, fo.trusted_by) == ("released", None, "agent-7")
    assert (order.changes, exceptions.find(order, problem.id).action) == ({}, "release_anyway")


def test_unpaid_work_may_be_cancelled_and_the_change_is_worth_what_it_would_have_cost() -> None:
    order, fo, problem = unpaid()
    exceptions.resolve(order, problem, "cancel", None, "agent-7")
    assert (fo.status, fo.trusted_by, order.summary.lines["1"].cancelled) == ("cancelled", None, 2)
    assert [(change.kind, change.worth, change.status) for change in order.changes.values()] == [("cancellation", 2000, "pending")]
    assert [(change.sku, change.location_id, change.reserve) for change in order.stock] == [("A", "berlin", -2)]


def test_what_is_paid_meanwhile_is_released_and_nobody_needs_to_decide() -> None:
    order, fo, problem = unpaid()
    closing.release_paid(order)
    assert (fo.status, exceptions.find(order, problem.id).status) == ("on_hold", "open")
    order.now = NOW  # as if the authorization had not run out
    closing.release_paid(order)
    closed = exceptions.find(order, problem.id)
    assert (fo.status, fo.held_by, closed.status, closed.action) == ("released", None, "resolved", "paid")


def test_what_was_paid_before_its_exception_is_on_record_waits_for_nobody() -> None:
    order, fo = World().allocated(an_order())
    problem = exceptions.open_exception(order, fo.id, "Secure payment", "FundsMissing", "", "arn", NOW)
    closed = exceptions.find(order, problem.id)
    assert (closed.status, closed.action) == ("resolved", "paid")
    assert exceptions.open_exception(order, fo.id, "Secure payment", "FundsMissing", "", "arn", NOW) == closed


def test_who_retries_may_say_which_tender_pays_first_but_only_tenders_of_the_order() -> None:
    order, fo = World().allocated(paid(an_order(payments=[]), "tok_approve", "tok_approve"))
    first, second = order.payments
    problem = exceptions.open_exception(order, fo.id, "Capture payment", "PaymentDeclined", "", "arn", NOW)
    for parts in ([second, "pay_x"], ["pay_x"]):
        with pytest.raises(Invalid) as refused:
            exceptions.retry(order, problem, sequence(*parts))
        assert [fault.pointer for fault in refused.value.errors] == [f"/payments/{len(parts) - 1}/payment_id"]
    assert (exceptions.find(order, problem.id).status, order.summary.tender_sequence) == ("open", [])
    exceptions.retry(order, problem, sequence(second))
    assert [(part.payment.id, part.amount) for part in ensure_funds(order, 1500).captures] == [(second, 1000), (first, 500)]


def sequence(*payment_ids: str) -> exceptions.RetryRequest:
    return exceptions.RetryRequest.model_validate({"payments": [{"payment_id": payment_id} for payment_id in payment_ids]})


def test_an_unknown_exception_is_not_found() -> None:
    with pytest.raises(NotFound):
        exceptions.find(World().place(an_order()), "exc_x")


def test_what_a_note_says_stays_out_of_the_timeline() -> None:
    order = World().place(an_order())
    note = add_note(order, NoteRequest(text="called Ann"), "agent-7")
    assert (note.text, note.author, note.at) == ("called Ann", "agent-7", NOW)
    assert [fact.model_dump() for fact in order.facts] == [{"type": "note.added", "data": {"note_id": note.id}}]


@pytest.mark.parametrize("header", [None, "*", '"2"', "2", 'W/"2"', ' "2" '])
def test_if_match_names_the_present_version(header: str | None) -> None:
    order = World().place(an_order())
    order.summary.version = 2
    order.expect(header)


@pytest.mark.parametrize("header", ['"1"', "3", "x"])
def test_another_version_is_stale(header: str) -> None:
    order = World().place(an_order())
    order.summary.version = 2
    with pytest.raises(Exception, match="at version 2 now"):
        order.expect(header)
