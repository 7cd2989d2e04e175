"""Statuses on every axis, derived from counters and folded payments, never set by hand (contract: the order's predicates)."""

from __future__ import annotations

from oms.money.shares import Share
from oms.money.units import minus, union
from oms.orders.order import Order
from oms.orders.quantities import arrived, cancelled_units, kept, reserved
from oms.orders.records import LineState
from oms.orders.totals import Totals
from oms.orders.worth import delivery_worth, worth
from oms.payments.funds import terms_left
from oms.payments.invoices import overdue
from oms.payments.ledger import Buckets, fold, open_at

_PARCEL_TROUBLE = ("failure", "return_to_sender")


def buckets(order: Order) -> Buckets:
    """All tenders of the order together."""
    return sum((fold(payment) for payment in order.payments.values()), Buckets())


def open_authorization(order: Order) -> int:
    """What can still be captured at this moment: expired authorizations do not count."""
    return sum(open_at(payment, order.now) for payment in order.payments.values())


def to_come(order: Order) -> int:
    """Money that is still to be taken: authorized, or to be invoiced on terms or on an exchange. What is invoiced and unpaid is owed."""
    left = [(payment.secured, terms_left(order, payment)) for payment in order.payments.values()]
    # What is secured is held by other tenders too, and comes once.
    return max(open_authorization(order), sum(amount for secured, amount in left if secured)) + sum(
        amount for secured, amount in left if not secured
    )


def credited_units(order: Order, *, delivery: bool = False) -> dict[str, list[list[int]]]:
    """Units of each line that were settled as returned; `delivery`: those whose part of the delivery charge went back with them."""
    out: dict[str, list[list[int]]] = {}
    for memo in order.credit_memos.values():
        for row in memo.lines if memo.return_id else ():
            if not delivery or row.get("delivery"):
                out.setdefault(row["line_id"], []).extend(row["units"])
    return out


def totals(order: Order) -> Totals:
    """Totals of the units that are ordered, not cancelled and not settled as returned."""
    came_back, with_delivery = credited_units(order), credited_units(order, delivery=True)
    goods: list[Share] = []
    charges: list[Share] = []
    for line, state in order.lines():
        kept_units = minus([[1, state.ordered]], cancelled_units(state))
        goods.append(worth(order, line.id, minus(kept_units, came_back.get(line.id, []))))
        charges.append(delivery_worth(order, line.id, minus(kept_units, with_delivery.get(line.id, []))))
    # Fees ride on the first invoice: where every unit is cancelled, there will be none. Those of a change are due when it is decided.
    alive = any(kept(state) for state in order.summary.lines.values())
    fees: list[Share] = [fee.frozen for fee in order.placed.fees] if alive else []
    for change in order.changes.values():
        for fee in [fee for fee in change.fees if change.decided or fee.delivery_group]:
            (charges if fee.delivery_group else fees).append(fee.frozen)
    fees += charged_for_returns(order)
    return Totals(
        product_amount=sum(share.price for share in goods),
        adjustment_amount=sum(share.adjustment + share.order_adjustment for share in goods),
        delivery_amount=sum(share.price + share.adjustment for share in charges),
        fee_amount=sum(share.price for share in fees),
        tax_amount=sum(share.tax for share in [*goods, *charges, *fees]),
        grand_total=sum(share.total for share in [*goods, *charges, *fees]),
    )


def charged_for_returns(order: Order) -> list[Share]:
    """What returns have cost so far, as their invoices say, less what was given back of that."""
    gross = order.placed.tax_mode == "gross"
    rows = [(row, 1) for invoice in order.invoices.values() if invoice.return_id for row in invoice.fees]
    rows += [(row, -1) for memo in order.credit_memos.values() if memo.return_id for row in memo.fees]
    return [
        Share(price=row["total_amount" if gross else "net_amount"], taxes=tuple(row["taxes"]), total=row["total_amount"]) * sign
        for row, sign in rows
    ]


def line_share(order: Order, line_id: str) -> Share:
    """What the live units of a line are worth."""
    _, state = order.line(line_id)
    gone = union(credited_units(order).get(line_id, []), cancelled_units(state))
    return worth(order, line_id, minus([[1, state.ordered]], gone))


def money_owed(order: Order) -> str:
    """Whether the customer owes, is owed, or neither."""
    sums, total = buckets(order), totals(order).grand_total
    held = sums.captured - sums.refunded - sums.charged_back
    if held > total:
        return "credit_owed"
    return "balance_due" if held + to_come(order) < total else "none"


def payment_status(order: Order) -> str:
    """The payment axis, first match."""
    sums, total = buckets(order), totals(order).grand_total
    rules = [
        ("charged_back", sums.charged_back > 0),
        ("refunded", sums.captured > 0 and sums.refunded == sums.captured),
        ("partially_refunded", sums.refunded > 0),
        ("captured", sums.captured > 0 and sums.captured >= total),
        ("partially_captured", sums.captured > 0),
        ("authorized", open_authorization(order) > 0),
        ("pending", sums.pending_authorization + sums.pending_capture + sums.pending_refund > 0),
        ("voided", sums.voided > 0),
        ("failed", sums.failed > 0),
    ]
    return next((status for status, matches in rules if matches), "none")


def _axis(states: list[LineState], *stages: tuple[str, str, str], start: str) -> str:
    """Stages from the furthest: (counter, word for all, word for some). 'All' needs at least one unit and is tried before 'some'."""
    units = sum(kept(state) for state in states)
    for counter, all_word, some_word in stages:
        reached = sum(min(arrived(state) if counter == "delivered" else getattr(state, counter), kept(state)) for state in states)
        if units and reached >= units:
            return all_word
        if reached:
            return some_word
    return start


def fulfillment_status(order: Order) -> str:
    """How far the goods are inside our walls."""
    stages = (("shipped", "shipped", "partially_shipped"), ("allocated", "allocated", "partially_allocated"))
    return _axis(list(order.summary.lines.values()), *stages, start="unfulfilled")


def delivery_status(order: Order) -> str:
    """How far the goods are outside."""
    states = list(order.summary.lines.values())
    status = _axis(states, ("delivered", "delivered", "partially_delivered"), start="none")
    return "in_transit" if status == "none" and any(state.shipped for state in states) else status


def return_status(order: Order) -> str:
    """How far goods have come back."""
    states = list(order.summary.lines.values())
    status = _axis(states, ("returned", "returned", "partially_returned"), start="none")
    return "requested" if status == "none" and any(state.return_initiated for state in states) else status


def order_status(order: Order) -> str:
    """The order's own status, first match (declined and received are stages of capture and are kept)."""
    if order.summary.status in ("declined", "received"):
        return order.summary.status
    states = list(order.summary.lines.values())
    sums = buckets(order)
    quiet = (
        money_owed(order) == "none"
        and not any(change.status == "pending" for change in order.changes.values())
        and not any(reserved(state) for state in states)
        and not sums.pending_authorization + sums.pending_capture + sums.pending_refund + sums.pending_void
        and open_authorization(order) == 0
    )
    if quiet and all(kept(state) == 0 for state in states):
        return "cancelled"
    if quiet and all(arrived(state) >= kept(state) for state in states) and not order.uninvoiced and not replaces(order):
        return "completed"
    blocked = any(order.open_holds(what) for what in ("allocate", "ship", "capture"))
    return "on_hold" if blocked else "open"


def attention(order: Order) -> list[str]:
    """What needs somebody, beside the statuses."""
    states = order.summary.lines.values()
    flags = {
        "backordered": any(state.backordered for state in states),
        "hold": any(order.open_holds(what) for what in ("allocate", "ship", "capture")),
        "payment": order.summary.status not in ("received", "declined") and money_owed(order) != "none",
        "exception": any(problem.status == "open" for problem in order.exceptions.values()),
        "parcel": any(shipment.status in _PARCEL_TROUBLE and not shipment.ended for shipment in order.shipments.values()),
        "overdue": any(
            fo.ship_by and fo.ship_by < order.now and any(line.open for line in fo.lines.values())
            for fo in order.fulfillment_orders.values()
        )
        or any(overdue(order, invoice) for invoice in order.invoices.values()),
        "approval": any(ret.status == "requested" for ret in order.returns.values())
        or any(change.status == "pending_approval" for change in order.changes.values()),
    }
    return [name for name, raised in flags.items() if raised]


def replaces(order: Order) -> bool:
    """Whether a replacement is still to be placed, sent or delivered."""
    return (
        any(state.to_replace for state in order.summary.lines.values())
        or any(fo.replaces and any(row.open for row in fo.lines.values()) for fo in order.fulfillment_orders.values())
        or any(parcel.replaces and not parcel.ended for parcel in order.shipments.values())
    )
