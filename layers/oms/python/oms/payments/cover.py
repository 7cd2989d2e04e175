"""No goods without money: work is released only while its share is covered by money that will still be there when it is to ship."""

from __future__ import annotations

from oms.fulfillment.records import FulfillmentOrder
from oms.money.units import Units, count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.quantities import cancelled_units
from oms.orders.statuses import buckets, to_come, totals
from oms.orders.worth import delivery_worth, worth
from oms.payments.exchange_tender import backed
from oms.payments.funds import excess, open_amount, terms_left, unsecured, was_declined
from oms.payments.invoices import invoice_for, lowered
from oms.payments.ledger import authorizations, newest, open_at

OPEN = ("released", "accepted", "picking", "packed", "ready_for_pickup", "partially_shipped")


def to_invoice(order: Order) -> int:
    """What the kept units that are not invoiced yet are worth, with their delivery and the fees that are still to come. What is to be
    credited of units that were invoiced takes nothing off it."""
    invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
    credited = sum(memo.total_amount for memo in order.credit_memos.values())
    return totals(order).grand_total - invoiced + credited + uncredited(order)


def uncredited(order: Order) -> int:
    """What changes took off units that had left, and no credit memo says yet."""
    told = {memo.change_id for memo in order.credit_memos.values()}
    return sum(-lowered(change) for change in order.changes.values() if change.id not in told)


def available(order: Order, until: str) -> int:
    """Money for invoices to come, as it will be at that time: captured and unused, being captured for an invoice that is not on record
    yet, authorized and not run out, on terms or by an exchange. For a time that is over, as it is now: what has run out since covers no
    overdue work."""
    until = max(until, order.now)
    free = sum(each.free for payment in order.payments.values() for each in authorizations(payment) if each.live(until))
    promised = sum(terms_left(order, payment) for payment in order.payments.values())
    # What secures an exchange is not there for anything else.
    return excess(order) + _being_captured(order) + free + promised - backed(order)


def _being_captured(order: Order) -> int:
    """What is taken, or about to be, for invoices that are not on record yet: their parcels still count as to be invoiced."""
    return sum(
        event.amount
        for payment in order.payments.values()
        for event in newest(payment.events)
        if event.kind == "capture"
        and event.state != "failed"
        and (event.document or "").startswith("inv_")
        and event.document not in order.invoices
    )


def due(order: Order) -> int:
    """What another tender may be for: what the customer owes, or what the money does not reach of the work at hand."""
    sums = buckets(order)
    there = sums.captured - sums.refunded - sums.charged_back + to_come(order)
    asked = sums.pending_authorization
    return max(0, totals(order).grand_total - there - asked, sum(uncovered(order).values()) - asked, _declined(order) - asked)


def _declined(order: Order) -> int:
    """What parcels cost that have left, and what invoices have open that nobody owes by terms, whose capture was declined."""
    invoices = [(each, open_amount(order, each)) for each in (invoice_for(order, parcel) for parcel in order.uninvoiced)]
    invoices += [(each, left) for each in order.invoices.values() if (left := unsecured(order, each))]
    refused = [(each, left) for each, left in invoices if any(was_declined(payment, each.id) for payment in order.payments.values())]
    others = [payment for payment in order.payments.values() if not any(was_declined(payment, each.id) for each, _ in refused)]
    return sum(left for _, left in refused) - sum(open_at(payment, order.now) for payment in others)


def surplus(order: Order) -> int:
    """Captured money that no unit, sold or sent, will use."""
    return max(0, excess(order) - to_invoice(order))


def uncovered(order: Order) -> dict[str, int]:
    """What is missing for each open fulfillment order that the money does not reach, the most urgent served first. Work that was released
    on somebody's word is not among them, nor counted; replacements cost nothing."""
    work = [fo for fo in order.fulfillment_orders.values() if fo.status in (*OPEN, "on_hold") and not fo.trusted_by and not fo.replaces]
    if not work or available(order, max(fo.ship_by for fo in work)) >= to_invoice(order):
        return {}
    spent = sum(invoice_for(order, parcel).total_amount for parcel in order.uninvoiced)
    missing: dict[str, int] = {}
    taken: dict[str, list[list[int]]] = {}
    for fo in sorted(work, key=lambda fo: (fo.ship_by, fo.id)):
        share = _share(order, fo, taken)
        short = spent + share - available(order, fo.ship_by)
        if share > 0 and short > 0:
            missing[fo.id] = min(short, share)
        else:
            spent += share
    return missing


def hold_uncovered(order: Order) -> None:
    """Hold open work that the money does not reach; its machine then secures the payment."""
    for fulfillment_order_id in uncovered(order):
        fo = order.fulfillment_orders[fulfillment_order_id]
        if fo.status in OPEN:
            fo.held_from, fo.held_by, fo.status = fo.status, "payment", "on_hold"
            order.record("fulfillment_order.held", fulfillment_order_id=fo.id, by="payment")


def release_covered(order: Order) -> list[str]:
    """Release what was held for want of money and is covered now; holds of the order take over where there are any. Returns which."""
    held = [fo for fo in order.fulfillment_orders.values() if fo.held_by == "payment"]
    missing = uncovered(order) if held else {}
    released = [fo for fo in held if fo.id not in missing]
    for fo in released:
        if order.open_holds("ship"):
            fo.held_by = "order"
            continue
        fo.status, fo.held_from, fo.held_by = fo.held_from or "released", None, None
        order.record("fulfillment_order.released", fulfillment_order_id=fo.id, by="payment")
    return [fo.id for fo in released]


def _share(order: Order, fo: FulfillmentOrder, taken: dict[str, list[list[int]]]) -> int:
    """What the open units of a fulfillment order will be invoiced for: the lowest numbers that nobody else has taken, as shipping does."""
    total = 0
    for line_id, row in fo.lines.items():
        if row.open > 0:
            _, state = order.line(line_id)
            gone = [parcel.lines.get(line_id, []) for parcel in order.sold]
            free = minus([[1, state.ordered]], union(*gone, cancelled_units(state), taken.get(line_id, [])))
            units: Units = lowest(free, min(row.open, count(free)))
            taken[line_id] = union(taken.get(line_id, []), units)
            total += worth(order, line_id, units).total + delivery_worth(order, line_id, units).total
    first = not order.shipments and not any(other.shipped for each in order.fulfillment_orders.values() for other in each.lines.values())
    fees = order.placed.fees if first and not taken.get("#fees") and total else []
    if fees:
        taken["#fees"] = [[1, 1]]
    return total + sum(fee.frozen.total for fee in fees)
