"""Exchanges: the old order's value goes over to the new order, and the new order hears when nothing more will come.

Two orders, two commits: what the old order has paid into the exchange is on its record first, and the new order counts each such refund
once, by its reference. Killed in between, the change is still pending on the old order, and its step does the rest.
"""

from __future__ import annotations

from oms.clock import stamp
from oms.flows.accounts import account_of
from oms.flows.capacity import capacity_left
from oms.flows.capture_payment import collect
from oms.flows.expiry import expire_due
from oms.flows.gateways import GATEWAYS
from oms.flows.money import move
from oms.flows.patience import pause
from oms.flows.secure_payment import renew
from oms.fulfillment.work import follow_holds
from oms.orders.holds import let_go
from oms.orders.order import Order, number_key
from oms.orders.placing import PlaceOrder
from oms.payments.accounts import Account
from oms.payments.cover import surplus
from oms.payments.exchange_tender import has_taken, room, take_in
from oms.payments.funds import FundsMissing, Part, Unpaid, ensure_excess, open_to_pay
from oms.payments.gateway import PaymentDeclined, StillPending, gateway_for
from oms.payments.ledger import authorizations
from oms.payments.payouts import EXCHANGE
from oms.payments.records import TERMS, Change, Exchange
from oms.payments.releases import unneeded
from oms.payments.transfers import Transfer, moved, settled
from oms.routing.serving import Left, StockRows
from oms.service.exchange_news import (
    collect_rest,
    exchange_of,
    give_back_surplus,
    give_up,
    is_over,
    moved_over,
    nothing_left,
    outcome,
    refuse,
    told,
)
from oms.service.exchange_order import Desk
from oms.service.follow import follow_change
from oms.storage.claims import claim_of
from oms.storage.inventory import stock_of
from oms.storage.orders import Cause, load, update
from oms.storage.settings import settings


def desk() -> Desk:
    """Where an exchange looks things up."""
    picture = settings()

    def left(stock: StockRows) -> Left | None:
        return capacity_left(picture, stock, stamp())

    def account(request: PlaceOrder) -> Account | None:
        return account_of(request.customer.account_id, request.currency, on_terms=any(each.method == TERMS for each in request.payments))

    return Desk(
        settings=picture,
        gateways=GATEWAYS,
        stock=stock_of,
        sweep=expire_due,
        left=left,
        has_number=lambda channel, number: claim_of(number_key(channel, number)) is not None,
        account=account,
    )


def room_for(order: Order, record_id: str, document: str) -> int | None:
    """How much of a document of a return, or a cancellation, goes into the exchange that it belongs to; what went already included. None
    if it belongs to none (any more). StillPending while the new order is being captured: it may still be declined."""
    found = captured(order, record_id)
    if found is None or found[0].payment_id is None:
        return None
    about, new = found
    payment = new.payments[about.payment_id or ""]
    untold = sum(amount for reference, amount in moved_over(order, about) if not has_taken(payment, reference))
    return max(room(new, payment) - untold, moved(order, Transfer("refund", document, EXCHANGE)))


def captured(order: Order, record_id: str) -> tuple[Exchange, Order] | None:
    """The exchange that a return or a cancellation belongs to, and its new order; None if it belongs to none (any more). StillPending while
    the new order is being captured, or is declined and the exchange has yet to hear of it."""
    change = exchange_of(order, record_id)
    if change is None or change.exchange is None:
        return None
    new = load(change.exchange.new_order_id)
    if new.summary.status in ("received", "declined"):
        raise StillPending(f"order {new.placed.order_number} is not captured yet", seconds=pause(change.requested_at, order.now))
    return change.exchange, new


def carry(order: Order, change: Change, cause: Cause) -> Order:
    """What was captured for units that do not leave any more goes into their exchange, as far as that has room."""
    most = room_for(order, change.id, change.id)
    if not most:
        return order
    away, back = Transfer("refund", change.id, EXCHANGE), Transfer("refund", change.id)

    def plan(fresh: Order) -> list[Part]:
        left = change.worth - moved(fresh, back) - moved(fresh, away)
        return ensure_excess(fresh, max(0, min(left, surplus(fresh), most - moved(fresh, away))))

    def book(fresh: Order) -> None:
        rows = settled(fresh, away) + settled(fresh, back)
        fresh.changes[change.id] = fresh.changes[change.id].model_copy(update={"refunds": rows})

    return move(order, away, plan, book, cause)


def settle_exchange(order: Order, change: Change, cause: Cause) -> None:
    """Tell the new order what has come, and when nothing more comes let it go, or cancel it; then the change is over. What the new order
    has to collect then is a change of its own."""
    about = change.exchange
    if about is None:
        return
    rows, over, came = moved_over(order, about), is_over(order, about), outcome(order, about) != "refused"

    def tell(fresh: Order) -> None:
        if fresh.summary.status == "received":
            raise StillPending(f"order {fresh.placed.order_number} is being captured", seconds=pause(change.requested_at, fresh.now))
        _tell(fresh, about, rows, over=over, came=came)

    update(about.new_order_id, tell, cause)
    update(order.id, lambda fresh: told(fresh, change.id, change.run, sum(amount for _, amount in rows)), cause)


def refuse_origin(order: Order, cause: Cause) -> None:
    """The new order was declined: the old one goes on as if there had been no exchange."""
    origin = order.placed.exchange_of
    if origin:
        update(origin.order_id, lambda fresh: refuse(fresh, origin.change_id), cause)


def _tell(order: Order, about: Exchange, rows: list[tuple[str, int]], *, over: bool, came: bool) -> None:
    payment = order.payments.get(about.payment_id or "")
    if payment:
        for reference, amount in rows:
            take_in(order, payment, reference, amount)
        payment.closed = payment.closed or over
    if over and order.summary.status != "declined":
        if not came and nothing_left(order):
            give_up(order, settings())
        let_go(order, EXCHANGE)
        follow_holds(order)
    follow_change(order)
    give_back_surplus(order)
    if over and order.summary.status != "declined":
        collect_rest(order)


def collect_owed(order: Order, change: Change, cause: Cause) -> None:
    """Take what is owed from the tenders of the new order, and give back what they hold beyond that. Where there is nothing to take the
    order owes it: another tender or a link pays. Unpaid where a gateway refuses what it had promised."""

    def lack(fresh: Order) -> int:
        held = sum(each.free for payment in fresh.payments.values() for each in authorizations(payment) if each.live(fresh.now))
        return max(0, open_to_pay(fresh) - held)

    def spare(fresh: Order) -> list[Part]:
        return unneeded(fresh, lambda payment: gateway_for(GATEWAYS, payment.gateway).voids_parts)

    try:
        order = renew(order, lack, order.now, change.id, cause)
    except (FundsMissing, PaymentDeclined):
        order = load(order.id)
    try:
        order = collect(order, cause)
    except PaymentDeclined as error:
        raise Unpaid(f"the exchange left something owed: {error.detail}") from error
    try:
        move(order, Transfer("void", change.id), spare, lambda fresh: None, cause)
    except PaymentDeclined:
        return  # what a gateway does not give back in parts goes with the last capture, or by itself
