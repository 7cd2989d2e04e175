"""Secure payment: before work goes out that the money does not reach, authorize once more; who cannot pay is put before a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oms.flows.money import move
from oms.flows.patience import patiently
from oms.machines.outcomes import after_shipping, go
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments.cover import release_covered
from oms.payments.funds import FundsMissing, Part
from oms.payments.renewal import missing_for, note_expired, outdated, to_renew
from oms.payments.transfers import Transfer, under_way
from oms.storage.orders import Cause, load, update
from oms.storage.settings import settings


def secure_payment_step(order_id: str, fulfillment_order_id: str, execution: str) -> dict[str, Any]:
    """Release held work once its share is covered past its ship-by time. FundsMissing or PaymentDeclined where nobody pays for it."""
    return patiently("secure_payment", lambda: _secure(order_id, fulfillment_order_id, Cause("secure_payment", execution)))


def _secure(order_id: str, fulfillment_order_id: str, cause: Cause) -> dict[str, Any]:
    order = load(order_id)
    fo = order.fulfillment_order(fulfillment_order_id)
    # Work that needs no more money, because it was paid otherwise or cancelled, still waits for the answers to what was asked for it.
    order = renew(order, lambda fresh: _lack(fresh, fulfillment_order_id), fo.ship_by, fo.id, cause)
    if order.fulfillment_order(fulfillment_order_id).held_by == "payment":
        order = update(order_id, lambda fresh: _release(fresh, fulfillment_order_id), cause)
    return (after_shipping(order, order.fulfillment_order(fulfillment_order_id)) or go("ship")).output or {}


def renew(order: Order, lack: Callable[[Order], int], until: str, document: str, cause: Cause) -> Order:
    """Authorize what lacks once more, good until then, and give back what that takes the place of. What was asked before is answered first,
    even if nothing lacks any more. FundsMissing if no tender can, or if the channel would rather ask the customer."""
    more, back = Transfer("authorization", document), Transfer("void", document)
    if not lack(order) and not under_way(order, more) and not under_way(order, back):
        return order
    note_expired(order)
    asks = settings().channel(order.placed.channel).reauthorize == "ask"

    def plan(fresh: Order) -> list[Part]:
        missing = lack(fresh)
        parts = [] if asks else to_renew(fresh, missing, until)
        if sum(part.amount for part in parts) < missing:
            raise FundsMissing(_uncovered(fresh, missing, until))
        return parts

    order = move(order, more, plan, lambda fresh: None, cause)
    if outdated(order, until) or under_way(order, back):
        order = move(order, back, lambda fresh: outdated(fresh, until), lambda fresh: None, cause)
    return order


def _lack(order: Order, fulfillment_order_id: str) -> int:
    held = order.fulfillment_order(fulfillment_order_id).held_by == "payment"
    return missing_for(order, fulfillment_order_id) if held else 0


def _release(order: Order, fulfillment_order_id: str) -> None:
    fo = order.fulfillment_order(fulfillment_order_id)
    release_covered(order)
    if fo.held_by == "payment":
        raise FundsMissing(_uncovered(order, missing_for(order, fo.id), fo.ship_by))


def _uncovered(order: Order, missing: int, until: str) -> str:
    return (
        f"{show(missing, order.placed.currency)} of order {order.placed.order_number} is not covered until {until[:16]}; another tender "
        "(POST /v1/orders/{id}/payments) or a payment link covers it"
    )
