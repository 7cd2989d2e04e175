"""Business customers' accounts: what they may owe, when they pay, and how much of their credit an order takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oms.money.currencies import show
from oms.orders.hold_request import HoldRequest
from oms.orders.holds import place_hold
from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.payments.funds import receivable, terms_left
from oms.payments.records import TERMS

if TYPE_CHECKING:
    from oms.payments.account_settings import AccountSettings

CREDIT_LIMIT = "credit_limit"
"""The kind of hold of an order that goes beyond its account's limit."""


@dataclass(frozen=True)
class Account:
    """An account as an order finds it: its settings, and what its orders in the order's currency owe or will owe."""

    id: str
    settings: AccountSettings
    exposed: int = 0

    def limit(self, currency: str) -> int | None:
        """What its orders in that currency may owe together; None: there is no limit."""
        if self.settings.credit_limit is not None and self.settings.currency not in (None, currency):
            return 0
        return self.settings.credit_limit


def exposure(order: Order) -> int:
    """What the customer owes for invoices on terms, and will owe for goods on terms that are not invoiced yet."""
    if order.summary.status == "declined" or not any(payment.method == TERMS for payment in order.payments.values()):
        return 0
    invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
    credited = sum(memo.total_amount for memo in order.credit_memos.values())
    to_invoice = max(0, totals(order).grand_total - invoiced + credited)
    return receivable(order) + min(to_invoice, sum(terms_left(order, payment) for payment in order.payments.values()))


def claim_credit(order: Order, account: Account) -> None:
    """Take the order's part of its account's credit, or hold the order where there is not enough: it is taken, and people decide.

    The commit takes it under the condition that the limit is kept, whoever else takes of it at the same moment.
    """
    currency, mine = order.placed.currency, exposure(order)
    limit = account.limit(currency)
    if limit is None or mine <= order.summary.exposed:
        return
    owed = account.exposed + mine - order.summary.exposed
    if owed <= limit:
        order.credit_limit = limit
    elif not any(hold.kind == CREDIT_LIMIT and not hold.released_at for hold in order.summary.holds):
        reason = f"with this order the account owes {show(owed, currency)}; its limit is {show(limit, currency)}"
        place_hold(order, HoldRequest(kind=CREDIT_LIMIT, reason=reason, blocks=["allocate"]))
