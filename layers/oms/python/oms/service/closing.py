"""How process exceptions end, by somebody's word or because what was in the way is gone."""

from __future__ import annotations

from oms.errors import Conflict
from oms.ids import invoice_of_change
from oms.orders.order import Order
from oms.payments.cover import release_covered
from oms.payments.funds import Unpaid, open_to_pay, unsecured
from oms.service.records import ProcessException

HELD = "hold"
"""The kind of an exception about money that waits until its order is held for capture no more."""


class HeldForCapture(Conflict):
    """A document comes due while its order is held for capture. When the last such hold goes, it goes on by itself."""


def release_held(order: Order) -> None:
    """What waited for the order's holds on capture goes on, once none of them is left."""
    if order.open_holds("capture"):
        return
    for problem in list(order.exceptions.values()):
        if problem.status == "open" and problem.kind == HELD:
            close_exception(order, problem, "resolved", "released", None)


def release_paid(order: Order) -> None:
    """Release work that was held for want of money and is covered now, and close what was open about it, about parcels whose capture was
    declined, and about changes whose invoice has nothing open any more: their execution goes on, and tries again."""
    released = release_covered(order)
    released += [fo.id for fo in order.fulfillment_orders.values() if any(parcel.to_invoice for parcel in order.shipments_of(fo.id))]
    for problem in list(order.exceptions.values()):
        if problem.status == "open" and problem.kind == "payment" and problem.subject in released and not is_unsure(problem):
            close_exception(order, problem, "resolved", "paid", None)
    close_paid(order)


def close_paid(order: Order) -> None:
    """Close what was open about changes whose invoice nobody paid, once nothing of it is open any more: paid, or credited. A change that
    collects what an exchange left owed has none of its own: it is about all of them."""
    for problem in list(order.exceptions.values()):
        if problem.status != "open" or not is_unpaid(problem):
            continue
        invoice = order.invoices.get(invoice_of_change(problem.subject))
        if not (unsecured(order, invoice) if invoice else open_to_pay(order)):
            close_exception(order, problem, "resolved", "paid", None)


def is_unpaid(problem: ProcessException) -> bool:
    """Whether it is about an invoice that nobody pays."""
    return problem.error == Unpaid.__name__


def is_unsure(problem: ProcessException) -> bool:
    """Whether it asks what became of an instruction: that has to be said, whatever the work needs by now."""
    return "resolve:not_done" in problem.actions


def close_exception(order: Order, problem: ProcessException, status: str, action: str, note: str | None) -> None:
    """Put an end to it: retried, resolved or abandoned, by which action. Conflict if it has one."""
    if problem.status != "open":
        raise Conflict(f"exception {problem.id} is {problem.status} since {problem.closed_at}")
    update = problem.model_copy(update={"status": status, "action": action, "note": note, "closed_at": order.now})
    order.exceptions[problem.id] = update
    order.record(f"exception.{status}", exception_id=problem.id, step=problem.step, action=action)
