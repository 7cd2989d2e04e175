"""Numbers of gift cards as they may be shown: who knows the whole of one can spend it."""

from __future__ import annotations

from oms.payments.records import Payment

_SHOWN = 4


def masked(account_id: str) -> str:
    """The last characters of a gift card's number."""
    return "..." + account_id[-_SHOWN:]


def shown(payment: Payment) -> str | None:
    """A tender's credit account: of a gift card its last characters, of store credit the whole."""
    return masked(payment.account_id) if payment.account_id and payment.method == "gift_card" else payment.account_id
