"""The new order of an exchange: placed like any other, in the same channel, for the same customer, at the same address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from oms.errors import Conflict, Fault, invalid
from oms.money.currencies import show
from oms.orders.capture import conclude_capture, take
from oms.orders.hold_request import HoldRequest
from oms.orders.order import Order
from oms.orders.placing import PlaceOrder
from oms.orders.pricing import price
from oms.orders.records import Origin
from oms.payments.accounts import Account
from oms.payments.exchange_tender import Brought
from oms.payments.funds import declared
from oms.payments.gateway import Gateways
from oms.payments.ledger import fold
from oms.payments.payouts import EXCHANGE
from oms.payments.records import TERMS
from oms.payments.tender_request import MANUAL, Tender, tender_faults, terms_faults
from oms.routing.serving import Left, StockRows
from oms.service.exchange_prices import Back, new_lines
from oms.service.exchange_request import ExchangeRequest
from oms.service.pointed import pointed
from oms.settings import Settings
from oms.wire import faults_of

RELEASED_BY = "finance.write"
"""Whoever lets the new goods go before the old ones are back, gives them away on trust."""


@dataclass(frozen=True)
class Desk:
    """What an exchange looks up: how the shop sells, stock and capacity of its places, who has which number, business customers. `sweep`:
    frees what is reserved and due; true if there was any."""

    settings: Settings
    gateways: Gateways
    stock: Callable[[set[str]], StockRows]
    sweep: Callable[[set[str]], object]
    left: Callable[[StockRows], Left | None]
    has_number: Callable[[str, str], bool]
    account: Callable[[PlaceOrder], Account | None]


def new_order(order: Order, request: ExchangeRequest, desk: Desk, back: Back, worth: int, change_id: str) -> Order:
    """The new order, its goods reserved, paid by what comes back (`worth` at most) and by tenders. With tenders it is captured by its
    machine, else at once.

    Invalid where something about it makes no sense or nobody pays for it; Conflict naming the lines that stock is short for.
    """
    number = _number(order, desk)
    with pointed({"/lines": "/new_lines", "/delivery_groups/0/charge": "/delivery_charge", "/delivery_groups/0": "/delivery_group"}):
        asked = _asked(order, request, back, number)
        total = price(asked).totals.grand_total
        brought = Brought(Origin(order_id=order.id, order_number=order.placed.order_number, change_id=change_id), worth, request.advance)
        tenders = _tenders(order, request, total - brought.pays(total))
        asked = asked.model_copy(update={"payments": tenders})
        try:
            made = _placed(asked, desk, brought, order.now)
        except Conflict as error:
            if error.kind != "out-of-stock" or not desk.sweep({line.sku for line in asked.lines}):
                raise
            made = _placed(asked, desk, brought, order.now)
    if not tenders:
        conclude_capture(made, [])
    return made


def _placed(asked: PlaceOrder, desk: Desk, brought: Brought, now: str) -> Order:
    stock = desk.stock({line.sku for line in asked.lines})
    return take(
        asked,
        stock,
        desk.settings,
        desk.gateways,
        owner=brought.origin.change_id,
        now=now,
        later_on=bool(asked.payments),
        left=desk.left(stock),
        account=desk.account(asked),
        brought=brought,
    )


def _number(order: Order, desk: Desk) -> str:
    """The old order's number, -E, and which of its exchanges it is; a number that another order has by chance is left out."""
    count = 1 + sum(change.exchange is not None for change in order.changes.values())
    while desk.has_number(order.placed.channel, f"{order.placed.order_number}-E{count}"):
        count += 1
    return f"{order.placed.order_number}-E{count}"


def _asked(order: Order, request: ExchangeRequest, back: Back, number: str) -> PlaceOrder:
    group_id = request.delivery_group or order.line(request.return_lines[0].line_id)[0].delivery_group
    if group_id not in {group.id for group in order.groups}:
        raise invalid(Fault(f"the order has no delivery group '{group_id}'", "/delivery_group"))
    placed, personal, group = order.placed, order.personal, order.group(group_id)
    if personal is None or not personal.groups.get(group_id):
        raise Conflict("the order's personal data was erased; nothing can be sent to its customer", kind="erased")
    fields = {name: getattr(placed, name) for name in ("channel", "business_model", "currency", "tax_mode", "tax_rounding", "priority")}
    body: dict[str, Any] = {
        **fields,
        "order_number": number,
        "po_number": placed.po_number,
        "customer": {"id": placed.customer_id, "account_id": placed.account_id, **personal.customer},
        "billing_address": personal.billing_address,
        "delivery_groups": [
            {
                **{name: getattr(group, name) for name in ("id", "method", "type", "location_id", "ship_complete")},
                **personal.groups[group_id],
                "charge": request.delivery_charge,
            }
        ],
        "lines": new_lines(order, request.new_lines, back, group_id),
        "holds": [] if request.advance else [_hold()],
    }
    try:
        return PlaceOrder.model_validate(body)
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None


def _hold() -> HoldRequest:
    return HoldRequest(kind=EXCHANGE, reason="until the old goods are back", blocks=["allocate", "ship"], release_by=RELEASED_BY)


def _tenders(order: Order, request: ExchangeRequest, due: int) -> list[Tender]:
    """Who pays what the old goods do not: the request's tenders, else the card of the old order, where its gateway authorizes it again."""
    if request.payments:
        _check(order, request, due)
        return [tender for tender in request.payments if tender.amount != 0]
    if not due:
        return []
    for payment in declared(order):
        if payment.source and fold(payment).authorized:
            return [Tender(method=payment.method, gateway=payment.gateway, token=payment.source, amount=due)]
    if request.preview:
        return [Tender(method="card", gateway=MANUAL, amount=due)]  # to be named; a preview tells how much it is
    why = "in advance, all of the new order is secured by a card" if request.advance else "the old goods do not pay for it"
    raise invalid(Fault(f"required: tenders of {show(due, order.placed.currency)}; {why}", "/payments"))


def _check(order: Order, request: ExchangeRequest, due: int) -> None:
    faults = [fault for index, tender in enumerate(request.payments) for fault in tender_faults(tender, f"/payments/{index}")]
    faults += terms_faults(list(enumerate(request.payments)))
    given = sum(tender.amount or 0 for tender in request.payments)
    if not faults and given != due and not any(tender.method == TERMS for tender in request.payments):
        currency = order.placed.currency
        faults.append(Fault(f"the payments add up to {show(given, currency)} and {show(due, currency)} is to be paid", "/payments"))
    if faults:
        raise invalid(*faults)
