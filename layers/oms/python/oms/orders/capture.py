"""Capture: take the order, reserve its stock at concrete places, authorize its payment. Two doors lead here, one lease keeps them apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from oms.clock import later, stamp
from oms.errors import Conflict, Fault, InProgress, invalid
from oms.ids import new_order_id
from oms.inventory.reservations import Reservation, take_over
from oms.orders.holds import hold_for_remorse, let_go, place_hold
from oms.orders.order import Claim, Order, StockChange, number_key
from oms.orders.placing import PlaceOrder, content_digest
from oms.orders.pricing import Priced, price
from oms.orders.records import Lease, LineState, Personal, Placed, Summary
from oms.orders.reserve import reserve
from oms.orders.statuses import totals
from oms.payments import ledger
from oms.payments.accounts import Account, claim_credit
from oms.payments.exchange_tender import Brought, promise
from oms.payments.gateway import Gateways, Instruction, Outcome, Unsure, gateway_for
from oms.payments.payouts import EXCHANGE
from oms.payments.records import Payment
from oms.payments.requests import ask, conclude
from oms.payments.tender_request import Tender
from oms.payments.tenders import add_tenders, cover_faults, difference, known_faults
from oms.routing.serving import Left, StockRows
from oms.settings import Settings

MOST_SKUS, MOST_LINES = 40, 200
"""Of an order that is captured in one transaction; one with more is large (design section 4)."""
LEASE_SECONDS = 25
"""Longer than the synchronous door may take (API Gateway gives up after 30), so a live lease means a live capture."""


def take(
    request: PlaceOrder,
    stock: StockRows,
    settings: Settings,
    gateways: Gateways,
    *,
    owner: str,
    now: str,
    later_on: bool,
    reservation: Reservation | None = None,
    left: Left | None = None,
    account: Account | None = None,
    priorities: Mapping[str, int] | None = None,
    brought: Brought | None = None,
) -> Order:
    """A new order: priced, its stock reserved, its payments intended. With `later_on` nobody captures it now; the Capture state will.
    What a reservation holds that is still open becomes the order's; any other counts as none. `left`: what locations of limited capacity
    still take. `account`: the business customer's, if there is one; `priorities`: of store credits, where several pay. `brought`: the
    value of an exchange, which pays first.

    Invalid for money that does not add up or an unknown gateway; Conflict naming the lines that stock is short for.
    """
    order = accept(request, settings, gateways, now=now, later_on=later_on, account=account, priorities=priorities, brought=brought)
    if not later_on:
        order.summary.lease = Lease(owner=owner, until=later(now, seconds=LEASE_SECONDS))
    if reservation and reservation.is_open:
        take_over(order, reservation, settings)
    reserve(order, stock, settings, left, or_hold=request.on_problem == "hold")
    return order


def accept(
    request: PlaceOrder,
    settings: Settings,
    gateways: Gateways,
    *,
    now: str,
    later_on: bool,
    account: Account | None = None,
    priorities: Mapping[str, int] | None = None,
    brought: Brought | None = None,
) -> Order:
    """A new order with its number and its payments intended; nothing is reserved yet.

    Invalid for money that does not add up or an unknown gateway.
    """
    priced = price(request)
    total = priced.totals.grand_total
    others = total - (brought.pays(total) if brought else 0)
    off = difference(request.payments, others)
    held = request.on_problem == "hold" and 0 < abs(off) < settings.channel(request.channel).hold_difference
    faults = known_faults(request.payments, gateways, account) + ([] if held else cover_faults(request.payments, others))
    if faults:
        raise invalid(*faults)
    if settings.return_rules:
        from oms.returns.rules import copy_rules  # noqa: PLC0415 few shops have any, and every cold start would pay for it

        copy_rules(priced.lines, request.channel, settings)
    order = _new_order(request, priced, now, later_on, account)
    if brought:
        promise(order, brought, total)
    first = settings.channel(request.channel).tender_order
    add_tenders(order, request.payments, others, first=first, priorities=priorities, account=account)
    if account:
        claim_credit(order, account)
    hold_for_remorse(order, settings)
    if held:
        from oms.orders.problems import hold_off  # noqa: PLC0415 it is seldom, and every cold start would pay for it

        hold_off(order, off)
    order.claims.append(Claim(number_key(request.channel, request.order_number), {"order_id": order.id, "digest": order.placed.digest}))
    if later_on:
        order.record("order.received", grand_total=priced.totals.grand_total, currency=request.currency)
    return order


@dataclass(frozen=True)
class Answer:
    """What a gateway said to one request of this capture."""

    payment: Payment
    what: Instruction
    outcome: Outcome


def reserve_skus(order: Order) -> set[str]:
    """SKUs whose stock `reserve` wants to see; of a large order the Capture state looks at them."""
    return set() if order.placed.chunks else {line.sku for line in order.placed.lines}


def authorize(order: Order, gateways: Gateways) -> list[Answer]:
    """Ask the gateways for every tender that has no answer yet, until one is declined.

    Repeating it with the same order repeats the same keys, so a crash between here and `conclude_capture` costs nothing. Unsure when a
    gateway cannot say what became of an earlier request; what the others say is noted on the order first.
    """
    answers: list[Answer] = []
    unsure: Unsure | None = None
    for payment in order.payments.values():
        for event in ledger.newest(payment.events):
            if event.kind == "authorization" and event.state == "requested" and event.key and not is_refused(order, answers):
                try:
                    answers.append(_ask(order, gateways, payment, event.key, event.amount))
                except Unsure as error:
                    unsure = error
    if unsure:
        note(order, answers)
        raise unsure
    return answers


def conclude_capture(order: Order, answers: Sequence[Answer]) -> None:
    """Record what the gateways said: the order is captured, or (when all is given back, see undo.py) declined. While a gateway has not
    decided, the order is received, and its machine looks after it."""
    if order.summary.status != "received":
        return
    refused = is_refused(order, answers)
    note(order, answers)
    order.summary.lease = None
    if refused and order.placed.chunks:
        order.summary.declining = "the payment was declined"  # what is reserved goes back part by part, then it is declined
    elif refused:
        decline(order)
    elif not any(ledger.fold(payment).pending_authorization for payment in order.payments.values()):
        for payment in order.payments.values():
            payment.source, payment.token = payment.source or payment.token, None
        order.summary.status, order.summary.answer = "open", order.summary.answer or 201
        order.record("order.captured", grand_total=totals(order).grand_total, currency=order.placed.currency)
        if order.placed.on_problem == "hold":
            from oms.orders.problems import open_problems  # noqa: PLC0415 few channels take orders that way

            open_problems(order)
    elif not order.summary.asynchronous:
        order.summary.asynchronous, order.summary.answer = True, 202
        order.record("order.received", grand_total=totals(order).grand_total, currency=order.placed.currency)


def note(order: Order, answers: Sequence[Answer]) -> None:
    """Put the answers in place of the requests."""
    for answer in answers:
        payment, outcome = order.payments[answer.payment.id], answer.outcome
        conclude(payment, answer.what, outcome)
        verb = {"succeeded": "authorized", "failed": "declined", "requested": "pending"}[outcome.state]
        order.record(f"payment.{verb}", payment_id=payment.id, amount=outcome.amount, reason=outcome.reason)


def is_refused(order: Order, answers: Sequence[Answer] = ()) -> bool:
    """Whether a gateway has said no to a tender that is to pay: before, now, or by the news it sent meanwhile."""
    if order.summary.undoing or any(answer.outcome.state == "failed" for answer in answers):
        return True
    undecided = [payment for payment in order.payments.values() if payment.token]  # of an attempt that was declined before, none is kept
    return any(e.kind == "authorization" and e.state == "failed" for payment in undecided for e in ledger.newest(payment.events))


def _ask(order: Order, gateways: Gateways, payment: Payment, key: str, amount: int) -> Answer:
    what = Instruction("authorization", key, amount, order.placed.currency, order.now)
    return Answer(payment, what, ask(gateway_for(gateways, payment.gateway), payment, what, stamp()))


def retry_declined(
    order: Order,
    tender: Tender,
    stock: StockRows,
    settings: Settings,
    gateways: Gateways,
    owner: str,
    account: Account | None = None,
) -> None:
    """Another tender for the whole of a declined order: claim the number again, reserve afresh, intend the payment (contract: payments)."""
    if order.summary.status != "declined":
        raise Conflict(f"order {order.placed.order_number} is {order.summary.status}, not declined; it needs no other tender")
    total = totals(order).grand_total
    faults = known_faults([tender], gateways, account, pointer="")
    if tender.amount not in (None, total):
        faults.append(Fault(f"the tender is {tender.amount} and the order's grand total {total}; they must be equal", "/amount"))
    if faults:
        raise invalid(*faults)
    order.summary.status, order.summary.declining = "received", ""
    if order.placed.on_problem == "hold":
        from oms.orders.problems import withdraw  # noqa: PLC0415 few channels take orders that way

        withdraw(order)
    if not order.placed.chunks:
        order.summary.lease = Lease(owner=owner, until=later(order.now, seconds=LEASE_SECONDS))
    if order.summary.asynchronous:
        order.summary.run += 1  # the declined run has ended, and its name cannot be used again
    order.claims.append(
        Claim(number_key(order.placed.channel, order.placed.order_number), {"order_id": order.id, "digest": order.placed.digest})
    )
    add_tenders(order, [tender], total)
    if account:
        claim_credit(order, account)
    hold_for_remorse(order, settings)
    if order.placed.chunks:
        order.record("order.received", grand_total=total, currency=order.placed.currency)  # its machine runs again
    else:
        reserve(order, stock, settings, or_hold=order.placed.on_problem == "hold")


def take_lease(order: Order, owner: str) -> bool:
    """Take the lease on a capture that was left half-way. False if there is nothing left to capture; InProgress while another holds it."""
    if order.summary.status != "received":
        return False
    lease = order.summary.lease
    if lease and lease.owner != owner and lease.until > order.now:
        raise InProgress("this order is being captured right now; try again in a few seconds")
    order.summary.lease = Lease(owner=owner, until=later(order.now, seconds=LEASE_SECONDS))
    return True


def _new_order(request: PlaceOrder, priced: Priced, now: str, later_on: bool, account: Account | None) -> Order:
    placed_at = request.placed_at or now
    customer = request.customer.model_dump(exclude={"id", "account_id"}, exclude_none=True)
    if account and account.settings.vat_id:
        customer = {"vat_id": account.settings.vat_id, **customer}
    if account and account.settings.ship_complete:
        for group in priced.groups:
            group.ship_complete = True
    fields = request.model_dump(
        include={
            "channel",
            "order_number",
            "business_model",
            "currency",
            "tax_mode",
            "tax_rounding",
            "on_problem",
            "placed_by",
            "po_number",
            "priority",
            "metadata",
            "reservation_id",
        }
    )
    placed = Placed(
        **fields,
        placed_at=placed_at,
        customer_id=request.customer.id,
        account_id=request.customer.account_id,
        adjustments=[adjustment.model_dump(exclude_defaults=True) for adjustment in request.adjustments],
        delivery_groups=priced.groups,
        lines=priced.lines,
        fees=priced.fees,
        digest=content_digest(request),
    )
    personal = Personal(
        customer=customer,
        billing_address=request.billing_address.model_dump(exclude_none=True) if request.billing_address else None,
        groups={
            group.id: {"recipient": group.recipient.model_dump(exclude_none=True), "address": group.address.model_dump(exclude_none=True)}
            for group in request.delivery_groups
        },
    )
    summary = Summary(
        asynchronous=later_on,
        answer=202 if later_on else 0,
        lines={line.id: LineState(ordered=line.quantity) for line in request.lines},
        placed_at=placed_at,
    )
    order = Order(id=new_order_id(), placed=placed, summary=summary, personal=personal, now=now)
    for hold in request.holds:
        place_hold(order, hold)
    return order


def release_lines(order: Order, lines: Collection[str]) -> None:
    """Give back what these lines hold: reserved units, places in the queue."""
    for line, state in (order.line(line_id) for line_id in lines):
        for place, quantity in state.pins.items():
            order.stock.append(StockChange(line.sku, place, reserve=-quantity))
        if state.backordered:
            order.stock.append(StockChange(line.sku, "", queue=-state.backordered))
        state.pins, state.backordered, state.promise = {}, 0, None


def decline(order: Order, **why: object) -> None:
    """Compensate completely: stock back, number free, authorizations that did succeed given back, the order kept as declined."""
    release_lines(order, [line.id for line in order.every_line])
    for payment in order.payments.values():
        # A tender behind the declined one was never asked, and nothing may ask for it later: another card pays the whole.
        payment.token = None
        payment.events = [event for event in payment.events if event.reference or event.state != "requested"]
        payment.closed = payment.method == EXCHANGE
    let_go(order, EXCHANGE)
    order.claims.append(Claim(number_key(order.placed.channel, order.placed.order_number), {"order_id": order.id}, release=True))
    order.summary.status, order.summary.undoing = "declined", False
    order.summary.answer = order.summary.answer or 402
    order.record("order.declined", **why)
