"""Capture: take the order, reserve its stock at concrete places, authorize its payment. Two doors lead here, one lease keeps them apart."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from oms.clock import later
from oms.errors import Conflict, Fault, InProgress, invalid
from oms.ids import new_order_id
from oms.inventory.backorders import wait_in_line
from oms.inventory.promises import promise_from_stock
from oms.inventory.reservations import Reservation, take_over
from oms.orders.holds import place_hold
from oms.orders.order import Claim, Order, StockChange
from oms.orders.placing import PlaceOrder, Tender, content_digest
from oms.orders.pricing import Priced, price
from oms.orders.quantities import open_units, reserved
from oms.orders.records import Lease, LineState, Payment, Personal, Placed, Summary
from oms.orders.statuses import totals
from oms.payments import ledger
from oms.payments.gateway import Gateways, Outcome, gateway_for
from oms.payments.requests import ask, conclude, intend
from oms.routing.model import Plan
from oms.routing.sourcing import Left, StockRows, pin, source
from oms.settings import Settings

MOST_SKUS, MOST_LINES = 40, 200
"""Of an order that is captured in one transaction; one with more is large (design section 4)."""
LEASE_SECONDS = 25
"""Longer than the synchronous door may take (API Gateway gives up after 30), so a live lease means a live capture."""


def number_key(channel: str, order_number: str) -> str:
    """The unique name that an order holds unless it was declined."""
    return f"number#{channel}#{order_number}"


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
) -> Order:
    """A new order: priced, its stock reserved, its payments intended. With `later_on` nobody captures it now; the Capture state will.
    What a reservation holds that is still open becomes the order's; any other counts as none. `left`: what locations of limited capacity
    still take.

    Invalid for money that does not add up or an unknown gateway; Conflict naming the lines that stock is short for.
    """
    order = accept(request, gateways, now=now, later_on=later_on)
    if not later_on:
        order.summary.lease = Lease(owner=owner, until=later(now, seconds=LEASE_SECONDS))
    if reservation and reservation.is_open:
        take_over(order, reservation, settings)
    reserve(order, stock, settings, left)
    return order


def accept(request: PlaceOrder, gateways: Gateways, *, now: str, later_on: bool) -> Order:
    """A new order with its number and its payments intended; nothing is reserved yet.

    Invalid for money that does not add up or an unknown gateway.
    """
    priced = price(request)
    _check_payments(request, priced, gateways)
    order = _new_order(request, priced, now, later_on)
    _add_payments(order, request.payments)
    order.claims.append(Claim(number_key(request.channel, request.order_number), {"order_id": order.id, "digest": order.placed.digest}))
    if later_on:
        order.record("order.received", grand_total=priced.totals.grand_total, currency=request.currency)
    return order


def reserve(order: Order, stock: StockRows, settings: Settings, left: Left | None = None) -> None:
    """Pin every open unit to a place, by the rules in force, each delivery group by itself; what may wait and has no stock waits.

    Conflict naming the lines that cannot be served, each with the reason.
    """
    faults: list[Fault] = []
    positions = {line.id: index for index, line in enumerate(order.placed.lines)}
    for group in order.placed.delivery_groups:
        wanted = {line.id: open_units(state) - reserved(state) for line, state in order.lines() if line.delivery_group == group.id}
        route = source(order, group, wanted, stock, settings, left=left)
        for place, lines in route.take.items():
            for line_id, units in lines.items():
                pin(order, line_id, place, units, stock)
        for line_id, short in route.unallocated.items():
            line, state = order.line(line_id)
            if line.backorder != "allow" or not wait_in_line(order, line_id, short, stock, settings):
                faults.append(Fault(shortage(line.sku, short, state.ordered, route), f"/lines/{positions[line.id]}/quantity"))
    for line, state in order.lines():
        if state.pins and not state.backordered:
            promise_from_stock(order, line.id, settings, order.placed.placed_at)
    if faults:
        raise Conflict("stock is short", kind="out-of-stock", errors=faults)


def shortage(sku: str, short: int, ordered: int, route: Plan) -> str:
    """What is not there, and which rule is in the way if it is not plainly the stock."""
    reasons = [reason for reason in route.explanation.get("reason", "").split("; ") if reason and not reason.startswith("not enough stock")]
    return f"{short} of {ordered} {sku} are not in stock" + (f" ({'; '.join(reasons)})" if reasons else "")


@dataclass(frozen=True)
class Answer:
    """What a gateway said to one request of this capture."""

    payment: Payment
    kind: str
    key: str
    outcome: Outcome


def reserve_skus(order: Order) -> set[str]:
    """SKUs whose stock `reserve` wants to see; of a large order the Capture state looks at them."""
    return set() if order.placed.chunks else {line.sku for line in order.placed.lines}


def authorize(order: Order, gateways: Gateways) -> list[Answer]:
    """Ask the gateways for every tender that has no answer yet; after a decline, void what had been authorized.

    Repeating it with the same order repeats the same keys, so a crash between here and `conclude_capture` costs nothing.
    """
    answers: list[Answer] = []
    for payment in order.payments.values():
        for event in ledger.newest(payment.events):
            if event.kind == "authorization" and event.state == "requested" and event.key:
                answers.append(_ask(order, gateways, payment, "authorization", event.key, event.amount))
        if answers and answers[-1].outcome.state == "failed":
            held = [answer for answer in answers if answer.outcome.state == "succeeded"]
            return answers + [_void(order, gateways, answer) for answer in held]
    return answers


def conclude_capture(order: Order, answers: Sequence[Answer]) -> None:
    """Record what the gateways said: the order is captured, or declined with everything given back."""
    if order.summary.status != "received":
        return
    for answer in answers:
        payment, outcome = order.payments[answer.payment.id], answer.outcome
        conclude(payment, answer.kind, answer.key, outcome)
        done = "authorized" if answer.kind == "authorization" else "voided"
        verb = {"succeeded": done, "failed": "declined", "requested": "pending"}[outcome.state]
        order.record(f"payment.{verb}", payment_id=payment.id, amount=outcome.amount, reason=outcome.reason)
    order.summary.lease = None
    if any(answer.kind == "authorization" and answer.outcome.state == "failed" for answer in answers):
        if order.placed.chunks:
            order.summary.declining = "the payment was declined"  # what is reserved goes back part by part, then it is declined
        else:
            decline(order)
    elif not any(ledger.fold(payment).pending_authorization for payment in order.payments.values()):
        order.summary.status, order.summary.answer = "open", order.summary.answer or 201
        order.record("order.captured", grand_total=totals(order).grand_total, currency=order.placed.currency)


def _ask(order: Order, gateways: Gateways, payment: Payment, kind: str, key: str, amount: int) -> Answer:
    gateway = gateway_for(gateways, payment.gateway)
    return Answer(payment, kind, key, ask(gateway, payment, kind, key, amount, order.placed.currency, order.now))


def _void(order: Order, gateways: Gateways, held: Answer) -> Answer:
    return _ask(order, gateways, held.payment, "void", f"{order.id}/void/{held.payment.id}/1", held.outcome.amount)


def retry_declined(order: Order, tender: Tender, stock: StockRows, settings: Settings, gateways: Gateways, owner: str) -> None:
    """Another card on a declined order: claim the number again, reserve afresh, intend the new payment (contract: payments)."""
    if order.summary.status != "declined":
        raise Conflict(f"order {order.placed.order_number} is {order.summary.status}, not declined; it needs no other tender")
    total = totals(order).grand_total
    if tender.amount != total:
        raise invalid(Fault(f"the tender is {tender.amount} and the order's grand total {total}; they must be equal", "/amount"))
    gateway_for(gateways, tender.gateway)
    order.summary.status, order.summary.declining = "received", ""
    if not order.placed.chunks:
        order.summary.lease = Lease(owner=owner, until=later(order.now, seconds=LEASE_SECONDS))
    if order.summary.asynchronous:
        order.summary.run += 1  # the declined run has ended, and its name cannot be used again
    order.claims.append(
        Claim(number_key(order.placed.channel, order.placed.order_number), {"order_id": order.id, "digest": order.placed.digest})
    )
    _add_payments(order, [tender])
    if order.placed.chunks:
        order.record("order.received", grand_total=total, currency=order.placed.currency)  # its machine runs again
    else:
        reserve(order, stock, settings)


def take_lease(order: Order, owner: str) -> bool:
    """Take the lease on a capture that was left half-way. False if there is nothing left to capture; InProgress while another holds it."""
    if order.summary.status != "received":
        return False
    lease = order.summary.lease
    if lease and lease.owner != owner and lease.until > order.now:
        raise InProgress("this order is being captured right now; try again in a few seconds")
    order.summary.lease = Lease(owner=owner, until=later(order.now, seconds=LEASE_SECONDS))
    return True


def _new_order(request: PlaceOrder, priced: Priced, now: str, later_on: bool) -> Order:
    placed_at = request.placed_at or now
    fields = request.model_dump(
        include={
            "channel",
            "order_number",
            "business_model",
            "currency",
            "tax_mode",
            "tax_rounding",
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
        customer=request.customer.model_dump(exclude={"id", "account_id"}, exclude_none=True),
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


def _check_payments(request: PlaceOrder, priced: Priced, gateways: Gateways) -> None:
    offered, needed = sum(tender.amount for tender in request.payments), priced.totals.grand_total
    faults = [
        Fault(f"there is no payment gateway '{tender.gateway}'", f"/payments/{index}/gateway")
        for index, tender in enumerate(request.payments)
        if tender.gateway not in gateways
    ]
    if offered != needed:
        faults.append(Fault(f"the payments add up to {offered} and the grand total is {needed}; they must be equal", "/payments"))
    if faults:
        raise invalid(*faults)


def _add_payments(order: Order, tenders: Sequence[Tender]) -> None:
    for tender in tenders:
        if tender.amount == 0:
            continue
        payment = Payment(id=order.next_id("pay"), method=tender.method, gateway=tender.gateway, amount=tender.amount, token=tender.token)
        intend(payment, "authorization", ledger.attempt_key(payment, f"{order.id}/authorize/{payment.id}"), tender.amount, order.now)
        order.payments[payment.id] = payment


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
    release_lines(order, [line.id for line in order.placed.lines])
    for payment in order.payments.values():
        # A tender behind the declined one was never asked, and nothing may ask for it later: another card pays the whole.
        payment.token = None
        payment.events = [event for event in payment.events if event.reference or event.state != "requested"]
    order.claims.append(Claim(number_key(order.placed.channel, order.placed.order_number), {"order_id": order.id}, release=True))
    order.summary.status = "declined"
    order.summary.answer = order.summary.answer or 402
    order.record("order.declined", **why)
