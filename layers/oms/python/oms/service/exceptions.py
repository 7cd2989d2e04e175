"""Process exceptions: a step that failed, why, and what can be done. Retry resumes exactly that step."""

from __future__ import annotations

from pydantic import Field

from oms.errors import Fault, NotFound, invalid
from oms.fulfillment.arrivals import arrive
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.unfillable import give_up, why_unfillable
from oms.fulfillment.work import cancel_work
from oms.orders.order import Order
from oms.orders.records import Hold
from oms.orders.statuses import totals
from oms.payments.by_hand import note_by_hand
from oms.payments.cover import release_covered, surplus
from oms.returns.states import want_no_label
from oms.service.changes import open_change
from oms.service.closing import HELD, close_exception, close_paid, is_unpaid, is_unsure, release_held
from oms.service.opening import exception_about, put_before_somebody
from oms.service.records import ProcessException
from oms.wire import Amount, Key, Text, Wire

_HINTS = {
    "Unfillable": (
        "allocation",
        "Put stock or enable a location, then retry; or resolve it: what has no place is cancelled and not charged.",
    ),
    "ReturnedToSender": ("parcel", "Agree with the customer: send the parcel again and retry, or resolve it as delivered."),
    "PaymentDeclined": (
        "payment",
        "A retry is a new attempt at the same tender. Or take another tender (POST /v1/orders/{id}/payments), or send a payment link.",
    ),
    "FundsMissing": (
        "payment",
        "No tender covers it. Take another tender (POST /v1/orders/{id}/payments) or send a payment link; it goes on by itself when paid.",
    ),
    "Unpaid": (
        "payment",
        "The customer owes it. A retry tries the same tenders again. Or take another tender (POST /v1/orders/{id}/payments), send a "
        "payment link, note what came in (POST /v1/invoices/{id}/payments), or credit it; it goes on by itself when nothing is open.",
    ),
    "Unsure": (
        "payment",
        "Look at the gateway whether this instruction moved money. Resolve it as recorded if it did, or as not_done if it did not.",
    ),
    "NoReplacement": (
        "stock",
        "No location can send the replacement. Put stock, then retry; or resolve it as a refund instead.",
    ),
    "NoLabel": ("carrier", "The carrier will not sell this label. Agree with the customer on another way back, then resolve it."),
    "HeldForCapture": (
        HELD,
        "The order is held for capture, and this takes money. It goes on by itself when its last such hold is released, or has expired.",
    ),
    "Conflict": ("state", "The record does not allow this step now. Read the cause, change what blocks it, then retry."),
    "States.Timeout": ("timeout", "The step took too long. Retry; if it repeats, look at the function's log."),
    "Retryable": ("outage", "A provider could not be reached after several tries. Retry when it is back."),
    "Lost": ("contention", "Too many writers at the same moment. Retry."),
}
_MONEY = {
    "Secure payment": ["resolve:release_anyway", "resolve:cancel"],
    "Capture payment": ["resolve:release_anyway"],
    "Return": ["resolve:recorded"],
    "Settle": ["resolve:recorded"],
}
"""What else can be done where the money is in the way. Letting goods go without it needs the scope finance.write."""
_CAME_BACK = " Where the goods have come back, resolve it with release_anyway: they are owed then, and what is credited comes off that."
_UNKNOWN = ("bug", "An unexpected error. Look at the function's log for this execution, mend the cause, then retry.")


class ResolveRequest(Wire):
    """`POST /v1/exceptions/{id}/resolve`."""

    action: Key
    note: Text | None = None


class CloseRequest(Wire):
    """`POST /v1/exceptions/{id}/abandon`."""

    note: Text | None = None


class TenderPart(Wire):
    """A tender of the order, and the most it is to give or get; 0: all it can."""

    payment_id: Key
    amount: Amount = 0


class RetryRequest(CloseRequest):
    """`POST /v1/exceptions/{id}/retry`. `payments`: in which order tenders pay, or are paid back, from now on; the others come after
    them as they were declared."""

    payments: list[TenderPart] | None = Field(None, max_length=20)


def open_exception(order: Order, subject: str, step: str, error: str, cause: str, execution: str, entered: str) -> ProcessException:
    """The exception of one failed visit to one step; opening it again changes nothing."""
    exception_id = exception_about(order, f"{subject}/{step}/{execution}/{entered}")
    if exception_id in order.exceptions:
        return order.exceptions[exception_id]
    kind, hint = _HINTS.get(error, _UNKNOWN)
    if error == "Unfillable":
        cause = why_unfillable(order) or cause
    by = {
        "ReturnedToSender": ["resolve:mark_delivered"],
        "Unfillable": ["resolve:cancel_and_refund"],
        # An authorization that was made is of no use without the gateway's name for it, which only its own news can tell.
        "Unsure": ["resolve:not_done"] if step == "Capture" and not order.summary.undoing else ["resolve:recorded", "resolve:not_done"],
        "NoReplacement": ["resolve:refund"],
        "NoLabel": ["resolve:no_label"],
    }
    # What came in for an invoice that nobody pays is noted on the invoice.
    money = _MONEY.get(step, []) if kind == "payment" and error not in ("Unsure", "Unpaid") else []
    actions = ["retry", *by.get(error, []), *money, "abandon"]
    problem = put_before_somebody(
        order,
        exception_id,
        kind=kind,
        step=step,
        cause=f"{error}: {cause}",
        hint=hint + (_CAME_BACK if money and step == "Capture payment" else ""),
        actions=actions,
        subject=subject,
        execution=execution,
        error=error,
    )
    fo = order.fulfillment_orders.get(subject)
    if fo and step == "Secure payment" and kind == "payment" and fo.held_by != "payment" and not is_unsure(problem):
        close_exception(order, problem, "resolved", "paid", None)  # the money came while the exception was on its way here
    if is_unpaid(problem):
        close_paid(order)  # likewise
    if kind == HELD:
        release_held(order)  # likewise, where the hold went meanwhile
    return problem


def retry(order: Order, problem: ProcessException, request: RetryRequest) -> None:
    """Run the failed step again. A parcel that was on its way back is on its way out again. Invalid for tenders of another order."""
    parts = request.payments or []
    faults = [
        Fault("the order has no such tender", f"/payments/{i}/payment_id")
        for i, part in enumerate(parts)
        if part.payment_id not in order.payments
    ]
    if faults:
        raise invalid(*faults)
    if request.payments is not None:
        order.summary.tender_sequence = [(part.payment_id, part.amount) for part in parts]
    close_exception(order, problem, "retried", "retry", request.note)
    if problem.kind == "allocation":
        for state in order.summary.lines.values():
            state.attempts = 0  # a person has seen them
    _let_go(order, problem)
    for shipment in order.shipments_of(problem.subject):
        if shipment.status == "return_to_sender":
            shipment.status, shipment.status_at = "in_transit", order.now


def resolve(order: Order, problem: ProcessException, action: str, note: str | None, by: str = "") -> None:
    """Take one of the exception's actions, then go on at the step."""
    offered = [name.removeprefix("resolve:") for name in problem.actions if name.startswith("resolve:")]
    if action not in offered:
        raise invalid(Fault(f"this exception can be resolved by {' or '.join(offered) or 'nothing'}; or use /retry, /abandon", "/action"))
    close_exception(order, problem, "resolved", action, note)
    if action == "mark_delivered":
        arrive(order, order.under_way(problem.subject), order.now)
    _let_go(order, problem)
    if action == "accept" and problem.subject.startswith("hold_") and surplus(order):
        open_change(order, "overpayment", worth=surplus(order), reason=problem.cause)
    if action == "cancel_and_refund":
        order.summary.gives_up = True  # Allocate, where it goes on, looks a last time
    if action in ("release_anyway", "cancel"):
        _decide_unpaid(order, order.fulfillment_orders[problem.subject], action, by)
    if action == "refund":
        from oms.returns.replacing import refund_instead  # noqa: PLC0415 it is seldom needed

        refund_instead(order, order.returns[problem.subject])
    if action == "no_label":
        want_no_label(order.returns[problem.subject])
    if action in ("recorded", "not_done"):
        note_by_hand(order, problem.subject, done=action == "recorded", note=note or "")


def would_pay(order: Order, problem: ProcessException, action: str) -> dict[str, list[list[int]]]:
    """Units that an action of the exception would pay back instead of sending them once more, per line."""
    if f"resolve:{action}" not in problem.actions:
        return {}
    if action == "refund":
        from oms.returns.replacing import units_to_replace  # noqa: PLC0415 as above

        return units_to_replace(order.returns[problem.subject])
    if action == "cancel_and_refund":
        from oms.fulfillment.replacements import kept_unplaced  # noqa: PLC0415

        return kept_unplaced(order)
    return {}


def hold_released(order: Order, hold: Hold) -> None:
    """A hold was released by hand: the exception of the problem at capture that it stands for is over, and money that it kept moves."""
    for problem in [each for each in order.exceptions.values() if each.subject == hold.id and each.status == "open"]:
        close_exception(order, problem, "resolved", "released", None)
    release_held(order)


def _let_go(order: Order, problem: ProcessException) -> None:
    """What was kept for a problem at capture goes on."""
    if problem.subject.startswith("hold_"):
        from oms.orders.holds import release_hold  # noqa: PLC0415 it is seldom, and every cold start would pay for it

        if any(hold.id == problem.subject and not hold.released_at for hold in order.summary.holds):
            release_hold(order, problem.subject, problem.id, lambda _: True)


def _decide_unpaid(order: Order, fo: FulfillmentOrder, action: str, by: str) -> None:
    """Work whose share is not covered: it goes on somebody's word, and the customer owes it; or it is given up."""
    if action == "release_anyway":
        fo.trusted_by = by or "somebody"
        release_covered(order)
        return
    before = totals(order).grand_total
    for line_id, units in cancel_work(order, fo).items():
        give_up(order, line_id, units, "not paid for")
    open_change(order, "cancellation", worth=before - totals(order).grand_total, reason="not paid for")


def abandon(order: Order, problem: ProcessException, note: str | None) -> None:
    """Give the work up: its execution ends as Abandoned and is not started again."""
    close_exception(order, problem, "abandoned", "abandon", note)


def find(order: Order, exception_id: str) -> ProcessException:
    """One exception, or NotFound."""
    if exception_id not in order.exceptions:
        raise NotFound(f"there is no exception '{exception_id}'")
    return order.exceptions[exception_id]
