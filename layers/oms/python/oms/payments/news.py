"""What a payment gateway tells us by webhook."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from oms.errors import Fault, invalid
from oms.wire import Amount, Currency, Key, Moment, Name, Text, Wire, faults_of


class PaymentNews(Wire):
    """One fact about one tender, in the gateway's words and time.

    The tender is named by `payment_id`, or found by `of`, the gateway's reference of the authorization (see flows/payments.py). `currency`
    is checked against the order's. `total`: the amount is all that was captured of `of` so far, not one capture. `key`: the instruction of
    ours that this answers.
    """

    payment_id: Key | None = None
    kind: Literal["authorization", "adjustment", "capture", "refund", "void", "expiry", "chargeback", "refund_reversal"]
    state: Literal["requested", "succeeded", "failed"]
    reference: Name
    amount: Amount
    occurred_at: Moment
    currency: Currency | None = None
    of: Name | None = None
    key: Text | None = None
    total: bool = False
    reason: Text | None = None


class SandboxNews(Wire):
    """What the sandbox tells: it always names the tender."""

    payment_id: Key
    kind: Literal["authorization", "adjustment", "capture", "refund", "void", "chargeback", "refund_reversal"]
    state: Literal["requested", "succeeded", "failed"]
    reference: Name
    amount: Amount
    occurred_at: Moment
    currency: Currency | None = None


def read_sandbox(body: Any) -> list[PaymentNews]:
    """The news in a sandbox body; none for types we do not know, which are acknowledged and ignored."""
    if not isinstance(body, dict):
        raise invalid(Fault("send a JSON object"))
    if body.get("type") != "payment.event":
        return []
    try:
        news = SandboxNews.model_validate(body.get("data"))
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None
    return [PaymentNews(**news.model_dump())]
