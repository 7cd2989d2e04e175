"""What every payment gateway can do. Each call carries our key; the same key gives the same answer and moves money once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from oms.errors import Fault, Refused, invalid
from oms.orders.records import Payment


class PaymentDeclined(Refused):
    """The gateway said no, definitively; a new attempt needs a new key."""


@dataclass(frozen=True)
class Outcome:
    """What the gateway says about one request. `reference` is its own id, `at` its own time, `expires_at` the end of an authorization."""

    state: Literal["requested", "failed", "succeeded"]
    amount: int
    at: str
    reference: str
    reason: str | None = None
    expires_at: str | None = None


class Gateway(Protocol):
    """A payment provider. Raises Retryable when it cannot be reached or answers with a fault of its own."""

    def authorize(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Reserve `amount` on the tender."""

    def capture(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Take `amount` of what is authorized."""

    def refund(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Give `amount` of what was captured back."""

    def void(self, key: str, payment: Payment, amount: int, currency: str, now: str) -> Outcome:
        """Give `amount` of an authorization back."""


Gateways = dict[str, Gateway]


def gateway_for(gateways: Gateways, name: str) -> Gateway:
    """The gateway a tender names; Invalid if this installation has none of that name."""
    if name not in gateways:
        raise invalid(Fault(f"there is no payment gateway '{name}'", "/payments"))
    return gateways[name]
