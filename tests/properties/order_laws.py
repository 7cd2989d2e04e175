"""Statuses of live orders, unit by unit and from the documents (contract: the order's predicates), and law 1 over the stock in the tables.

The words are those of tests.properties.oracle; what is found out here is where every unit of a stored order is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from oms.money.units import count
from oms.orders import quantities
from oms.orders import statuses as derived
from oms.orders.order import Order
from oms.payments import ledger
from oms.payments.payouts import EXCHANGE
from oms.payments.records import TERMS
from oms.storage.inventory import stock_of
from tests.properties import oracle
from tests.properties.orders import SKUS

ENDED = ("completed", "cancelled")


def statuses(order: Order) -> None:
    """Every axis says what the contract says."""
    if order.summary.status in ("received", "declined"):
        return
    order.now = order.summary.updated_at or order.now  # as of then: what has run out since, is seen with the next commit
    lines = {line.id: _units(order, line.id) for line, _ in order.lines()}
    assert derived.fulfillment_status(order) == oracle.fulfillment(lines)
    assert derived.delivery_status(order) == oracle.delivery(lines)
    assert derived.return_status(order) == oracle.returns(lines)
    for line, state in order.lines():
        units = lines[line.id]
        assert quantities.line_status(state) == (oracle.of_line(units, state.backordered) if units.units else "cancelled")
    sums, total = _sums(order), derived.totals(order).grand_total
    assert derived.payment_status(order) == _payment(sums, total)
    if not any(payment.method == EXCHANGE for payment in order.payments.values()):
        assert derived.money_owed(order) == _owed(order, sums, total)
    _ends_when_it_may(order, lines, sums)


def stock(orders: Iterable[Order]) -> None:
    """Law 1: what is reserved is promised to exactly these orders, and nothing is below zero."""
    promised: Counter[tuple[str, str]] = Counter()
    for order in orders:
        for line, state in order.lines():
            promised.update({(line.sku, place): units for place, units in state.pins.items()})
            for fo in order.fulfillment_orders.values():
                if line.id in fo.lines:
                    promised[line.sku, fo.location_id] += fo.lines[line.id].open
    for sku, rows in stock_of(SKUS).items():
        for row in rows:
            assert row.reserved == promised[sku, row.location_id], (sku, row.location_id)
            assert row.on_hand >= 0


def _units(order: Order, line_id: str) -> oracle.Line:
    """Where each unit is that is not cancelled."""
    state = order.summary.lines[line_id]
    cancelled = _numbers(quantities.cancelled_units(state))
    units = {number: oracle.Unit() for number in range(1, state.ordered + 1) if number not in cancelled}
    for parcel in order.shipments.values():
        mine = _numbers(parcel.lines.get(line_id, []))
        for number in mine if not parcel.replaces else ():
            units[number].parcel = parcel.id
            units[number].delivered |= bool(parcel.delivered_at)
        for number in _numbers(parcel.written_off.get(line_id, [])) if not parcel.replaces else ():
            units[number].delivered = True
    for ret in order.returns.values():
        for row in ret.lines:
            if row.line_id == line_id:
                here = sorted(_numbers(row.units))[: row.quantity - row.closed]
                for place, number in enumerate(here):
                    settled = place < row.settled
                    units[number].returned |= settled and row.resolution != "replace"
                    units[number].coming_back |= not (settled and row.resolution == "replace")
    out = sum(fo.lines[line_id].open for fo in order.fulfillment_orders.values() if line_id in fo.lines and not fo.replaces)
    for unit in units.values():
        unit.allocated = bool(unit.parcel)
    for unit in [unit for unit in units.values() if not unit.parcel][:out]:
        unit.allocated = True
    return oracle.Line(list(units.values()))


def _numbers(runs: Iterable[list[int]]) -> set[int]:
    return {number for first, last in runs for number in range(first, last + 1)}


def _sums(order: Order) -> Counter[str]:
    """Money by kind, fact by fact; `asked` is what has no answer yet, `held` what can be captured now."""
    sums: Counter[str] = Counter()
    for payment in order.payments.values():
        for fact in ledger.newest(payment.events):
            name = {"succeeded": fact.kind, "requested": "asked", "failed": "failed"}[fact.state]
            sums[name] += fact.amount
        sums["held"] += sum(each.open for each in ledger.authorizations(payment) if not each.expires_at or each.expires_at > order.now)
    sums["refund"] -= sums["refund_reversal"]
    return sums


def _payment(sums: Counter[str], grand_total: int) -> str:
    captured, refunded = sums["capture"], sums["refund"]
    if sums["chargeback"]:
        return "charged_back"
    if captured and refunded:
        return "refunded" if refunded == captured else "partially_refunded"
    if captured:
        return "captured" if captured >= grand_total else "partially_captured"
    if sums["held"]:
        return "authorized"
    gone = (("asked", "pending"), ("void", "voided"), ("expiry", "voided"), ("failed", "failed"))
    return next((word for name, word in gone if sums[name]), "none")


def _owed(order: Order, sums: Counter[str], grand_total: int) -> str:
    there = sums["capture"] - sums["refund"] - sums["chargeback"]
    rows = [row for invoice in order.invoices.values() for row in invoice.receivables]
    terms = sum(
        max(0, payment.amount - sum(row["amount"] for row in rows if row["payment_id"] == payment.id))
        for payment in order.payments.values()
        if payment.method == TERMS and not payment.closed
    )
    if there > grand_total:
        return "credit_owed"
    return "balance_due" if there + sums["held"] + terms < grand_total else "none"


def _ends_when_it_may(order: Order, lines: dict[str, oracle.Line], sums: Counter[str]) -> None:
    """Law 5, both ways: it is at its end exactly if nothing is owed, reserved, asked, held, pending, or on its way."""
    units = [unit for line in lines.values() for unit in line.units]
    work = any(row.open for fo in order.fulfillment_orders.values() for row in fo.lines.values())
    moving = any(parcel.replaces and not parcel.ended for parcel in order.shipments.values())
    waits = any(count(runs) for state in order.summary.lines.values() for runs in state.to_replace.values())
    pins = any(state.pins for state in order.summary.lines.values())
    pending = any(change.status == "pending" for change in order.changes.values())
    bills = any(not parcel.invoice_id for parcel in order.sold)
    money = derived.money_owed(order) != "none" or sums["asked"] or sums["held"]
    ended = all(unit.delivered for unit in units) and not (work or moving or waits or pins or pending or bills or money)
    assert (order.summary.status in ENDED) == ended, order.summary.status
    if ended:
        assert order.summary.status == ("completed" if units else "cancelled")
