"""What an exchange brings, as a tender: it counts once, pays what was invoiced on it first, and secures nothing twice."""

from __future__ import annotations

from oms.orders import capture
from oms.orders.order import Order
from oms.orders.records import Origin
from oms.orders.statuses import money_owed, to_come
from oms.payments.cover import available
from oms.payments.exchange_tender import Brought, backed, room, still_to_come, take_in
from oms.payments.funds import ensure_funds, unapplied, unsecured
from oms.payments.ledger import fold
from oms.payments.records import Invoice, Payment
from oms.payments.releases import is_last, to_release
from tests.support.orders import a_card, an_order
from tests.unit.memory import GATEWAYS, NOW, World

ORIGIN = Origin(order_id="ord_a", order_number="W-1", change_id="chg_a_1")


def brought(worth: int, *, secured: bool = False, others: int = 0) -> tuple[Order, Payment]:
    """A new order of 20.00, captured, which an exchange is to bring so much."""
    world = World()
    body = an_order(payments=[a_card(others)] if others else [])
    order = world.take(body, brought=Brought(ORIGIN, worth, secured))
    capture.conclude_capture(order, capture.authorize(order, GATEWAYS))
    return order, next(payment for payment in order.payments.values() if payment.method == "exchange")


def invoiced(order: Order, amount: int) -> Invoice:
    """Invoiced, and owed by whoever has promised it."""
    funds = ensure_funds(order, amount)
    rows = [{"payment_id": part.payment.id, "amount": part.amount, "due_at": NOW} for part in funds.receivables]
    order.invoices["inv_1"] = Invoice(id="inv_1", issued_at=NOW, total_amount=amount, receivables=rows)
    return order.invoices["inv_1"]


def test_until_it_comes_it_is_money_to_come() -> None:
    order, payment = brought(2000)
    assert (money_owed(order), to_come(order), available(order, NOW), still_to_come(payment)) == ("none", 2000, 2000, 2000)


def test_it_pays_no_more_than_the_order_costs() -> None:
    order, payment = brought(5000)
    assert (payment.amount, room(order, payment)) == (2000, 2000)


def test_the_same_transfer_counts_once() -> None:
    order, payment = brought(2000)
    for reference in ("moved:1", "moved:1", "moved:2"):
        take_in(order, payment, reference, 700)
    assert (fold(payment).captured, unapplied(order, payment), still_to_come(payment), to_come(order)) == (1400, 1400, 600, 600)


def test_what_comes_pays_invoices_that_wait_for_it_then_those_to_come() -> None:
    order, payment = brought(2000)
    invoice = invoiced(order, 1500)
    take_in(order, payment, "moved:1", 1800)
    assert (unsecured(order, invoice), unapplied(order, payment), order.facts[-2].type) == (0, 300, "invoice.paid")
    take_in(order, payment, "moved:1", 1800)
    assert fold(payment).captured == 1800


def test_what_does_not_come_is_owed_by_the_customer() -> None:
    order, payment = brought(2000)
    invoice = invoiced(order, 2000)
    assert unsecured(order, invoice) == 0
    take_in(order, payment, "moved:1", 500)
    payment.closed = True
    assert (unsecured(order, invoice), money_owed(order), room(order, payment)) == (1500, "balance_due", 0)


def test_in_advance_the_card_secures_it_and_is_there_for_nothing_else() -> None:
    order, payment = brought(2000, secured=True, others=2000)
    assert (backed(order), available(order, NOW), to_come(order), money_owed(order)) == (2000, 2000, 2000, "none")
    invoice = invoiced(order, 2000)
    assert [row["payment_id"] for row in invoice.receivables] == [payment.id]
    assert (available(order, NOW), money_owed(order), to_release(order), is_last(order, invoice)) == (0, "none", [], False)
    take_in(order, payment, "moved:1", 2000)
    assert (backed(order), available(order, NOW)) == (0, 2000)


def test_a_declined_order_takes_nothing() -> None:
    order, payment = brought(2000)
    order.summary.status = "declined"
    assert room(order, payment) == 0
