"""Business customers' accounts, read as an order needs them."""

from __future__ import annotations

from typing import Any

from oms.payments.accounts import Account
from oms.storage.accounts import exposed, exposures
from oms.storage.settings import setting

KIND = "accounts"


def account_of(account_id: str | None, currency: str, *, on_terms: bool) -> Account | None:
    """The account of an order, with what it owes if this order is on terms; None if nobody has set it."""
    if account_id is None:
        return None
    from oms.payments.account_settings import AccountSettings  # noqa: PLC0415 few orders have an account

    values = setting(KIND, account_id)
    if values is None:
        return None
    return Account(account_id, AccountSettings(**values), exposed(account_id, currency) if on_terms else 0)


def credit_view(account_id: str) -> dict[str, Any]:
    """What an account owes per currency, and what of its limit is left. One that nobody has set has no limit."""
    from oms.payments.account_settings import AccountSettings  # noqa: PLC0415

    account = Account(account_id, AccountSettings(**(setting(KIND, account_id) or {})))
    owed = exposures(account_id)
    rows = []
    for currency in sorted({*owed, *([account.settings.currency] if account.settings.currency else [])}):
        limit, amount = account.limit(currency), owed.get(currency, 0)
        left = None if limit is None else max(0, limit - amount)
        rows.append({"currency": currency, "exposure": amount, "credit_limit": limit, "available": left})
    return {"id": account_id, "data": rows}
