"""What every payment gateway can do. Each instruction carries our key; the same key gives the same answer and moves money once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from oms.errors import Fault, OmsError, Refused, Retryable, invalid
from oms.payments.records import Payment

Kind = Literal["authorization", "capture", "refund", "void"]
RAN_OUT = "authorization_expired"
"""Why a gateway declines a capture of an authorization whose time is over: whatever it calls that itself."""


class PaymentDeclined(Refused):
    """The gateway said no, definitively; a new attempt needs a new key."""


@dataclass(eq=False)
class StillPending(OmsError):
    """The gateway has taken an instruction and will say later what became of it; ask again after `seconds`."""

    seconds: int = 60


@dataclass(eq=False)
class GatewayDown(Retryable):
    """The gateway does not answer, and nobody asks it anything for `seconds` (see breaker.py). Nothing was asked of it."""

    kind: str = "gateway-down"
    seconds: int = 60


class Unsure(OmsError):
    """Nobody knows whether an earlier instruction moved money, and asking again could move it twice: a person looks at the gateway."""


@dataclass(frozen=True)
class Instruction:
    """What a gateway is asked to do with one tender: an amount in minor units of `currency`, under our key.

    `of`: the gateway's reference of the authorization that a capture or void draws on, or whose captures a refund pays back. `final`:
    nothing more will be captured of it. `into`: where a refund goes instead of back to the tender, `owner` whose that is (see payouts.py).
    """

    kind: Kind
    key: str
    amount: int
    currency: str
    at: str
    of: str | None = None
    final: bool = False
    into: str | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What the gateway says about one instruction. `reference` is its own id, `at` its own time.

    Of an authorization: `expires_at` its end; `once` when it allows a single capture; `source` what another one can be made from.
    """

    state: Literal["requested", "failed", "succeeded"]
    amount: int
    at: str
    reference: str
    reason: str | None = None
    expires_at: str | None = None
    once: bool = False
    source: str | None = None


class Gateway(Protocol):
    """A payment provider. Raises Retryable when it cannot be reached or answers with a fault of its own."""

    @property
    def key_hours(self) -> int | None:
        """How long it remembers our keys; None: for ever."""

    @property
    def voids_parts(self) -> bool:
        """Whether a part of an authorization can be given back."""

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Do it, once per key."""

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """What became of an instruction given earlier, found by our key among the gateway's records; None if it has none such."""


Gateways = dict[str, Gateway]


def gateway_for(gateways: Gateways, name: str) -> Gateway:
    """The gateway a tender names; Invalid if this installation has none of that name."""
    if name not in gateways:
        raise invalid(Fault(f"there is no payment gateway '{name}'", "/payments"))
    return gateways[name]
