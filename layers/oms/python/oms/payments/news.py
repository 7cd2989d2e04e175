"""What a payment gateway tells us by webhook."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError

from oms.errors import Fault, invalid
from oms.wire import Amount, Key, Moment, Name, Wire, faults_of


class PaymentNews(Wire):
    """One fact about one tender, in the gateway's words and time."""

    payment_id: Key
    kind: Literal["authorization", "adjustment", "capture", "refund", "void", "chargeback", "refund_reversal"]
    state: Literal["requested", "succeeded", "failed"]
    reference: Name
    amount: Amount
    occurred_at: Moment


def read_sandbox(body: Any) -> PaymentNews | None:
    """The news in a sandbox body; None for types we do not know, which are acknowledged and ignored."""
    if not isinstance(body, dict):
        raise invalid(Fault("send a JSON object"))
    if body.get("type") != "payment.event":
        return None
    try:
        return PaymentNews.model_validate(body.get("data"))
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None
