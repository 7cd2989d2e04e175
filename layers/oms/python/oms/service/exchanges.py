"""Exchange: old goods come back, or do not leave at all, and new ones go out for them, in one request and one transaction.

On the old order there is a return (of what has arrived), a cancellation (of what has not left), and the exchange itself, a change that goes
on as they do. The new order is placed, its goods reserved. It waits, unless it goes in advance; what comes back pays for it by a tender of
its own (see oms.payments.exchange_tender), so nothing is counted twice. What follows is in exchange_news.py.
"""

from __future__ import annotations

from copy import deepcopy

from oms.errors import Conflict, Fault, Forbidden, Refused, invalid
from oms.money.units import count, union
from oms.orders.order import Order
from oms.orders.quantities import available_to_cancel
from oms.orders.statuses import totals
from oms.payments.cover import surplus
from oms.payments.gift_cards import is_gift_card
from oms.payments.offsets import offsets
from oms.payments.payouts import EXCHANGE
from oms.payments.records import Change, CreditMemo, Exchange
from oms.returns import returns
from oms.returns.records import Return
from oms.returns.requests import ReturnLineRequest
from oms.service import recalls
from oms.service.cancellations import CancelLine, CancelRequest, cancel
from oms.service.changes import begin_change
from oms.service.exchange_order import Desk, new_order
from oms.service.exchange_request import ExchangeRequest
from oms.service.pointed import pointed
from oms.service.reasons import check_reason
from oms.settings import Action, Settings


def exchange(order: Order, request: ExchangeRequest, desk: Desk, actor: str, *, self_service: bool = False) -> list[Change]:
    """Take the old goods back and place the new order; returns the cancellation, if any, and the exchange.

    Conflict for more than can come back, by number or by the rules, or where stock is short; Invalid for what makes no sense or is paid by
    nobody; Forbidden for what customers may not ask for themselves.
    """
    if order.placed.chunks:
        raise Refused("a large order is not exchanged; return, and place another order", kind="too-large", status=422)
    if self_service:
        _must_be_modest(request)
    back, stopped = _split(order, request, desk.settings)
    _must_have_reasons(request, desk.settings, self_service=self_service)
    change = begin_change(order, "exchange", actor, reason=request.reason)
    # Which reasons there are for an exchange has been looked at; those for a return or a cancellation are others.
    plain = desk.settings.model_copy(update={"reasons": {}})
    ret = _return(order, request, back, plain, actor, self_service=self_service) if back else None
    cancellation = _cancel(order, request, stopped, plain, actor) if stopped else None
    units = {line.line_id: line.units for line in ret.lines} if ret else {}
    for line in cancellation.lines if cancellation else ():
        units[line.line_id] = union(units.get(line.line_id, []), line.units, line.held)
    expected = expected_worth(order, ret, cancellation)
    made = new_order(order, request, desk, units, expected, change.id)
    order.born.append(made)
    change.exchange = Exchange(
        new_order_id=made.id,
        new_order_number=made.placed.order_number,
        return_id=ret.id if ret else None,
        cancellation_id=cancellation.id if cancellation else None,
        payment_id=next((payment.id for payment in made.payments.values() if payment.method == EXCHANGE), None),
        expected=expected,
        price=totals(made).grand_total,
        advance=request.advance,
    )
    order.record(
        "exchange.requested",
        change_id=change.id,
        new_order_id=made.id,
        new_order_number=made.placed.order_number,
        return_id=change.exchange.return_id,
        cancellation_id=change.exchange.cancellation_id,
        expected_amount=expected,
        grand_total=change.exchange.price,
        advance=request.advance or None,
    )
    return [*([cancellation] if cancellation else []), change]


def decided(order: Order, ret: Return | None, cancellation: Change | None) -> tuple[Order, CreditMemo | None]:
    """A copy of the order in which all that is asked back has come or was stopped, and the credit memo of what has come, which is not on
    it yet."""
    copy = deepcopy(order)
    if cancellation:
        mine = copy.changes[cancellation.id]
        for line in mine.lines:
            if line.held:
                recalls.stop(copy, mine, line, count(line.held))
        recalls.decide(copy, mine)
    if ret is None:
        return copy, None
    theirs = copy.returns[ret.id]
    for row in theirs.lines:
        row.received = row.quantity
    memo = returns.credit(copy, theirs)
    invoice = returns.charge(copy, theirs, memo) if memo else None
    if invoice:
        # What the return costs stays open for the memo to be taken off it.
        invoice.receivables = [{"payment_id": None, "amount": invoice.total_amount, "due_at": copy.now}]
        copy.invoices[invoice.id] = invoice
    return copy, memo


def expected_worth(order: Order, ret: Return | None, cancellation: Change | None) -> int:
    """What the old goods bring: their value, less what is still owed for them, and what was captured for units that do not leave."""
    after, memo = decided(order, ret, cancellation)
    spare = max(0, min(after.changes[cancellation.id].worth, surplus(after))) if cancellation else 0
    if memo is None:
        return spare
    owed: int = sum(row["amount"] for row in offsets(after, memo.total_amount))
    return memo.total_amount - owed + spare


def _split(order: Order, request: ExchangeRequest, settings: Settings) -> tuple[dict[int, int], dict[int, int]]:
    """For each line of the request (by its place) how many units come back, and how many are cancelled because they have not left."""
    back: dict[int, int] = {}
    stopped: dict[int, int] = {}
    faults: list[Fault] = []
    over: list[Fault] = []
    seen: set[str] = set()
    for index, row in enumerate(request.return_lines):
        at = f"/return_lines/{index}"
        if row.line_id in seen:
            faults.append(Fault("this line is named twice; add the quantities up", f"{at}/line_id"))
        elif row.line_id not in order.summary.lines:
            faults.append(Fault(f"the order has no line '{row.line_id}'", f"{at}/line_id"))
        else:
            line, state = order.line(row.line_id)
            if is_gift_card(line):
                over.append(Fault("a gift card is not exchanged; return it", f"{at}/line_id"))
            arrived = count(returns.returnable(order, line, settings))
            here = available_to_cancel(state)
            if row.quantity > arrived + here:
                over.append(Fault(f"{row.quantity} asked; {arrived} can be returned and {here} cancelled", f"{at}/quantity"))
            back[index] = min(row.quantity, arrived)
            stopped[index] = row.quantity - back[index]
        seen.add(row.line_id)
    if faults:
        raise invalid(*faults)
    if over:
        raise Conflict("more than can be exchanged", kind="not-exchangeable", errors=over)
    return {index: units for index, units in back.items() if units}, {index: units for index, units in stopped.items() if units}


def _return(order: Order, request: ExchangeRequest, back: dict[int, int], settings: Settings, actor: str, *, self_service: bool) -> Return:
    rows = [request.return_lines[index] for index in back]
    asked = returns.ReturnRequest(
        lines=[
            ReturnLineRequest(line_id=row.line_id, quantity=units, reason=row.reason or request.reason or "")
            for row, units in zip(rows, back.values(), strict=True)
        ],
        reduce_shipping=request.reduce_shipping,
        override=request.override,
    )
    with pointed({f"/lines/{place}": f"/return_lines/{index}" for place, index in enumerate(back)}):
        return returns.request_return(order, asked, settings, by=actor, self_service=self_service)


def _cancel(order: Order, request: ExchangeRequest, stopped: dict[int, int], settings: Settings, actor: str) -> Change:
    rows = [request.return_lines[index] for index in stopped]
    asked = CancelRequest(
        lines=[
            CancelLine(line_id=row.line_id, quantity=units, reason=row.reason) for row, units in zip(rows, stopped.values(), strict=True)
        ],
        reason=request.reason,
        reduce_shipping=request.reduce_shipping,
    )
    with pointed({f"/lines/{place}": f"/return_lines/{index}" for place, index in enumerate(stopped)}):
        return cancel(order, asked, settings, actor, into=EXCHANGE)


def _must_have_reasons(request: ExchangeRequest, settings: Settings, *, self_service: bool) -> None:
    """Those for exchanges, where the catalogue has any; else those for returns."""
    action: Action = "exchange" if any("exchange" in rule.actions for rule in settings.reasons.values()) else "return"
    given = [(row.reason or request.reason, f"/return_lines/{index}/reason") for index, row in enumerate(request.return_lines)]
    faults = [fault for reason, at in given for fault in check_reason(settings, action, reason, at, self_service=self_service)]
    if faults:
        raise invalid(*faults)


def _must_be_modest(request: ExchangeRequest) -> None:
    """Customers exchange at the price they paid, so they get no more units than they give back."""
    given, taken = (sum(row.quantity for row in rows) for rows in (request.return_lines, request.new_lines))
    if taken > given:
        fault = Fault(f"{taken} units for {given}; order the others", "/new_lines")
        raise Forbidden("no more can be exchanged than comes back", errors=[fault])
