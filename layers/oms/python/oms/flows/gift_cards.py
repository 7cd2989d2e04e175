"""Gift cards sold: opened when they are delivered, closed before their purchase is paid back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, Retryable
from oms.flows.credit import account_view, once
from oms.money.units import Units
from oms.orders.order import Order
from oms.payments import credit
from oms.payments.credit import OPENING, THERE, Book, CreditAccountRequest
from oms.payments.gift_cards import SoldCard, cards_of, delivered_cards, returned_cards, sells_cards
from oms.payments.records import CreditMemo
from oms.payments.shown import masked
from oms.storage.credit import read_account
from oms.storage.inventory import record_note
from oms.storage.orders import load
from oms.storage.table import Write

_SPARE_SECONDS = 10


def activate(data: Mapping[str, Any], seconds_left: Callable[[], float]) -> None:
    """Open the accounts of all cards of an order that were delivered; those that are open stay as they are. Retryable when time is up."""
    order = load(data["order_id"])
    for card in delivered_cards(order):
        if seconds_left() < _SPARE_SECONDS:
            raise Retryable(f"not all gift cards of {order.id} are active yet; the next try goes on")
        _open(order, card)


def close_cards(order: Order, memo: CreditMemo) -> None:
    """Before a memo is paid back, the cards it names die. Conflict when one has been spent from: no money has moved then."""
    key = f"closure/{memo.id}"
    for card in returned_cards(order, memo) if sells_cards(order) else ():

        def decide(book: Book, card: SoldCard = card) -> None:
            credit.close(book, key, card.worth, card.currency, stamp())

        once(card.account_id, key, decide)


def refuse_spent(order: Order, units: Mapping[str, Units]) -> None:
    """Conflict when a card among these units, which are to be paid back, has been spent from, wholly or in part: it is worth less than what
    was paid for it."""
    for card in cards_of(order, units) if sells_cards(order) else ():
        account = read_account(card.account_id)
        if account and (account.closed_at or account.balance < card.worth or account.held):
            raise Conflict(
                f"gift card {masked(card.account_id)} of line {card.line_id} has been spent from; only a whole card can be paid back",
                kind="gift-card-spent",
            )


def cards_view(order: Order) -> list[dict[str, Any]]:
    """The cards that an order has sold and delivered, with their full numbers: for who hands them to their owners."""
    rows = []
    for card in delivered_cards(order):
        account = read_account(card.account_id)
        state = account_view(account) if account else {"status": "pending"}
        about = {"id": card.account_id, "line_id": card.line_id, "unit": card.unit, "worth": card.worth, "currency": card.currency}
        rows.append({**about, **state})
    return rows


def _open(order: Order, card: SoldCard) -> None:
    if read_account(card.account_id):
        return
    now, opening = stamp(), CreditAccountRequest(kind="gift_card", currency=card.currency, balance=card.worth)
    fact = {"order_id": order.id, "line_id": card.line_id, "unit": card.unit, "amount": card.worth, "currency": card.currency}

    def tell() -> list[Write]:
        facts = [("gift_card.activated", {**fact, "account_id": masked(card.account_id)})]
        return [record_note(f"credit_{order.id}", now, f"{card.line_id}/{card.unit}", "stockkeeper", facts)]

    try:
        once(card.account_id, OPENING, lambda book: credit.open_account(book, opening, now, order.id, "stockkeeper"), also=tell)
    except Conflict as error:
        if error.kind != THERE:  # opened, or closed, at this very moment
            raise
