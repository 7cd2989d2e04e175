"""Capture's two doors: `POST /v1/orders` answers at once, the Capture state finishes what was taken in bulk or left half-way.

Three steps, each safe to repeat: take (one transaction: order, stock, number, intent), ask the gateways (same keys), conclude (one more).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oms.clock import stamp
from oms.errors import Conflict, Fault, Invalid, Retryable, invalid
from oms.flows.accounts import account_of
from oms.flows.capacity import capacity_left
from oms.flows.expiry import expire_due
from oms.flows.gateways import GATEWAYS, check_configured, gateways_of
from oms.flows.idempotency import Request
from oms.flows.patience import patiently
from oms.inventory.reservations import Reservation
from oms.orders.capture import (
    LEASE_SECONDS,
    MOST_LINES,
    MOST_SKUS,
    Answer,
    authorize,
    conclude_capture,
    is_refused,
    note,
    reserve_skus,
    retry_declined,
    take,
    take_lease,
)
from oms.orders.order import Order, number_key
from oms.orders.placing import PlaceOrder, content_digest
from oms.orders.quantities import open_units, reserved
from oms.payments.accounts import Account
from oms.payments.gateway import Gateways, StillPending, Unsure
from oms.payments.records import TERMS
from oms.payments.tender_request import Tender, gateway_name
from oms.storage.claims import claim_of
from oms.storage.inventory import stock_of, stock_to_sell
from oms.storage.orders import Cause, StockShort, Taken, commit, load, update
from oms.storage.reservations import beside, find
from oms.storage.settings import settings
from oms.storage.table import Lost

if TYPE_CHECKING:
    from oms.payments.transfers import Answer as Undone

_ATTEMPTS = 8


@dataclass(frozen=True)
class Placed:
    """What the synchronous door answers: the order, the status code of the first answer, and whether this is a repetition."""

    order: Order
    status: int
    replayed: bool = False


def place(request: PlaceOrder, asked: Request, *, actor: str, later_on: bool) -> Placed:
    """Take an order and, unless it is left for later, capture it.

    Conflict for short stock or a number used with other content; Invalid for money that does not add up, a reservation that never was, or
    a reused Idempotency-Key.
    """
    owner = f"{actor}/{asked.digest}"
    wanted: dict[str, int] = {}
    for line in request.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    if len(wanted) > MOST_SKUS or len(request.lines) > MOST_LINES:
        return _place_large(request, asked, actor)
    skus, swept, stale = set(wanted), False, False
    for attempt in range(_ATTEMPTS):
        last = attempt == _ATTEMPTS - 1
        try:
            # What is read first may be old, and of a hot item it is a part: good enough to sell from, not to refuse or to let wait.
            stock = stock_of(skus) if swept or last else stock_to_sell(wanted, consistent=stale)
            brought = brought_by(request)
            account, priorities = who_pays(request)
            now, picture = stamp(), settings()
            room = capacity_left(picture, stock, now)
            order = take(
                request,
                stock,
                picture,
                GATEWAYS,
                owner=owner,
                now=now,
                later_on=later_on,
                reservation=brought,
                left=room,
                account=account,
                priorities=priorities,
            )
            if (order.queued() or _is_short(order)) and not (swept or last):
                expire_due(skus)
                swept = True
                continue
            cause = Cause(actor, "POST /v1/orders", key_of(asked, order.id))
            commit(order, cause, beside(brought, cause) if brought else ())
        except (Taken, Conflict, Invalid) as error:
            known = known_order(request, asked)
            if known:
                return repeated(known, actor, owner)
            if error.kind == "too-large":
                return _place_large(request, asked, actor)
            short = error.kind == "out-of-stock" and not swept
            if last or not (isinstance(error, Taken) or short):
                raise
            if short:
                expire_due(skus)
                swept = True
            continue
        except (StockShort, Lost) as error:
            if last:
                raise
            stale = isinstance(error, StockShort)
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
            continue
        return Placed(order, 202) if later_on else finish(order, actor)
    raise AssertionError("unreachable")


def _is_short(order: Order) -> bool:
    """Whether units have no place, and the order is to be held for it."""
    return order.placed.on_problem == "hold" and any(open_units(state) > reserved(state) for _, state in order.lines())


def pay_declined(order_id: str, tender: Tender, asked: Request, *, actor: str) -> Placed:
    """Another tender for a declined order by the same door. Conflict when it is not declined, or its number is another order's now."""
    if asked.earlier():
        order = load(order_id)
        return Placed(order, _paid_status(order), replayed=True)
    check_configured([gateway_name(tender)], "/gateway")
    owner = f"{actor}/{asked.digest}"

    def resubmit(order: Order) -> None:
        account = _account(order.placed.account_id, order.placed.currency, [tender])
        retry_declined(order, tender, stock_of(reserve_skus(order)), settings(), GATEWAYS, owner, account)

    cause = Cause(actor, "POST /v1/orders/{id}/payments", key_of(asked, order_id))
    try:
        try:
            order = update(order_id, resubmit, cause)
        except Conflict as error:
            if error.kind != "out-of-stock" or not expire_due(reserve_skus(load(order_id))):
                raise
            order = update(order_id, resubmit, cause)
    except Taken as error:
        raise Conflict("another order has this order number now; place a new order", kind="duplicate-order-number") from error
    done = Placed(order, 202) if order.placed.chunks else finish(order, actor)
    return Placed(done.order, _paid_status(done.order))


def _paid_status(order: Order) -> int:
    if order.placed.chunks:
        return 202
    return 402 if order.summary.status == "declined" else 201


def capture_step(order_id: str, execution: str, seconds_left: Callable[[], float] = lambda: LEASE_SECONDS) -> dict[str, Any]:
    """The Capture state: finish what is still `received`. InProgress while the synchronous door holds the lease."""
    return patiently("capture", lambda: _capture(order_id, execution, seconds_left))


def _capture(order_id: str, execution: str, seconds_left: Callable[[], float]) -> dict[str, Any]:
    order = update(order_id, lambda order: take_lease(order, execution), Cause("capture", execution))
    if order.placed.chunks:
        from oms.flows.large import capture_large  # noqa: PLC0415 most orders are small: they do not pay for it

        return {"next": capture_large(order, execution, seconds_left)}
    if order.summary.status == "received":
        order = finish(order, "capture", gateways_of(order)).order
    if order.summary.status == "received":
        raise StillPending(f"a payment of order {order_id} is with its gateway, which has not decided", seconds=15)
    if order.summary.status == "declined" and order.placed.exchange_of:
        from oms.flows.exchanges import refuse_origin  # noqa: PLC0415 few orders come from an exchange

        refuse_origin(order, Cause("capture", execution))
    return {"next": "declined" if order.summary.status == "declined" else "allocate"}


def finish(order: Order, actor: str, gateways: Gateways = GATEWAYS) -> Placed:
    """Ask the gateways and record what they say. A gateway that cannot be reached leaves the order to be captured by the next try; one that
    cannot say what became of an earlier request leaves it to a person (Unsure)."""
    cause = Cause(actor, "capture")
    undone: list[Undone] = []
    try:
        answers = authorize(order, gateways)
        if is_refused(order, answers):
            from oms.orders.undo import undo  # noqa: PLC0415 most tenders are accepted, and every cold start would pay for it

            order, answers = _begin_undo(order, answers, cause), []
            undone = undo(order, gateways)
    except (Retryable, Unsure):
        order.summary.lease = None
        commit(order, cause)
        raise

    def conclude(fresh: Order) -> None:
        if undone and fresh.summary.status == "received":
            from oms.orders.undo import conclude_undo  # noqa: PLC0415 the same

            conclude_undo(fresh, undone)
        conclude_capture(fresh, answers)

    conclude(order)
    try:
        commit(order, cause)
    except (Lost, StockShort):
        order = update(order.id, conclude, cause)
    return Placed(order, order.summary.answer)


def _begin_undo(order: Order, answers: Sequence[Answer], cause: Cause) -> Order:
    """The order with what the gateways said, and what is to be given back noted: nobody is asked for it before that is safe."""
    from oms.orders.undo import begin_undo  # noqa: PLC0415 the same

    def begin(fresh: Order) -> None:
        note(fresh, answers)
        begin_undo(fresh)

    begin(order)
    try:
        commit(order, cause)
    except (Lost, StockShort):
        return update(order.id, begin, cause)
    return order


def who_pays(request: PlaceOrder) -> tuple[Account | None, dict[str, int]]:
    """The business customer's account, and the priorities of store credits. Invalid for a gateway that is not configured here."""
    check_configured([gateway_name(tender) for tender in request.payments])
    return _account(request.customer.account_id, request.currency, request.payments), _priorities(request.payments)


def _account(account_id: str | None, currency: str, tenders: Sequence[Tender]) -> Account | None:
    return account_of(account_id, currency, on_terms=any(tender.method == TERMS for tender in tenders))


def _priorities(tenders: Sequence[Tender]) -> dict[str, int]:
    """Of store credits, where several pay."""
    if sum(tender.method == "store_credit" for tender in tenders) < 2:
        return {}
    from oms.flows.credit import priorities_of  # noqa: PLC0415 it is seldom that somebody has two

    return priorities_of(tenders)


def _place_large(request: PlaceOrder, asked: Request, actor: str) -> Placed:
    from oms.flows.large import place_large  # noqa: PLC0415 most orders are small: they do not pay for it

    return place_large(request, asked, actor=actor)


def brought_by(request: PlaceOrder) -> Reservation | None:
    """The reservation that the order brings, or None. Invalid for one that never was; one that has ended is nobody's fault."""
    if request.reservation_id is None:
        return None
    found = find(request.reservation_id, stamp())
    if found is None:
        raise invalid(Fault(f"there is no reservation '{request.reservation_id}'", "/reservation_id"))
    return found


def key_of(asked: Request, order_id: str) -> Callable[[], dict[str, Any] | None]:
    """What claims the Idempotency-Key for this order, if there is one."""
    return lambda: asked.record(order_id=order_id)


def known_order(request: PlaceOrder, asked: Request) -> str | None:
    """The order that an earlier, equal submit made. Conflict if the number stands for other content, Invalid if the key does."""
    earlier = asked.earlier()
    if earlier:
        return str(earlier["order_id"])
    holder = claim_of(number_key(request.channel, request.order_number))
    if holder is None:
        return None
    if holder["digest"] != content_digest(request):
        raise Conflict(
            f"channel {request.channel} has an order {request.order_number} with other content ({holder['order_id']})",
            kind="duplicate-order-number",
        )
    return str(holder["order_id"])


def repeated(order_id: str, actor: str, owner: str) -> Placed:
    """Answer as the first time; an order that was left half-way is finished now."""
    order = load(order_id)
    if order.summary.status == "received" and not order.summary.asynchronous:
        order = update(order_id, lambda fresh: take_lease(fresh, owner + "/again"), Cause(actor, "repeated submit"))
        if order.summary.status == "received":
            order = finish(order, actor).order
    return Placed(order, order.summary.answer, replayed=True)
