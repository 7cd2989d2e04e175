"""The payment gateways of this installation. Those that are not our own are behind a breaker each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from oms.errors import Fault, invalid
from oms.flows.breakers import Guarded
from oms.orders.order import Order
from oms.payments.clearing import Clearing
from oms.payments.gateway import Gateway, Gateways, Instruction, Outcome
from oms.payments.manual import Manual
from oms.payments.records import Payment
from oms.payments.sandbox import Sandbox
from oms.storage.secrets import gateway_keys


@dataclass(frozen=True)
class OnDemand:
    """A gateway whose module (`place` is "module:class") is imported when the first tender goes through it: others need not wait for it."""

    place: str
    key_hours: int | None
    voids_parts: bool

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """As the gateway does."""
        return self._gateway().perform(what, payment)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """As the gateway does."""
        return self._gateway().look_up(what, payment)

    def _gateway(self) -> Gateway:
        module, _, name = self.place.partition(":")
        return cast(Gateway, getattr(import_module(module), name)())


@dataclass(frozen=True)
class Absent:
    """Stands for a gateway that has no key here: it declines what it is asked for."""

    key_hours: int | None = None
    voids_parts: bool = False

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """No, definitively."""
        return Outcome("failed", what.amount, what.at, f"refused_{what.key}", "gateway_not_configured")

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """It was never asked for anything."""
        return None


_GUARDED = [
    Guarded("sandbox", Sandbox()),
    Guarded("stripe", OnDemand("oms.flows.stripe:stripe", key_hours=24, voids_parts=False)),
]
GATEWAYS: Gateways = {
    **{guarded.name: guarded for guarded in _GUARDED},
    "credit": OnDemand("oms.flows.credit:Credit", key_hours=None, voids_parts=True),
    "exchange": Clearing(),
    "manual": Manual(),
    "terms": Manual(),  # what was paid on an invoice came by bank transfer or the like, and goes back so
}


def check_configured(names: Sequence[str], pointer: str = "/payments/{}/gateway") -> None:
    """Invalid for tenders (by their gateways, in order) of a gateway that has no key here: they are refused before anything is taken."""
    faults = [
        Fault("Stripe is not configured here: its API key belongs into the secret oms/gateways/stripe", pointer.format(index))
        for index, name in enumerate(names)
        if _has_no_key(name)
    ]
    if faults:
        raise invalid(*faults)


def gateways_of(order: Order) -> Gateways:
    """The gateways that capture an order. An exchange is asked for where nobody may read our keys there, so whether its tenders can be
    charged at all is found out now: a gateway without a key declines. Its new order must not wait for a key that may never come, for the
    old goods' money waits for it."""
    if not order.placed.exchange_of:
        return GATEWAYS
    names = {payment.gateway for payment in order.payments.values()}
    return {**GATEWAYS, **{name: Absent() for name in names if _has_no_key(name)}}


def _has_no_key(name: str) -> bool:
    return name == "stripe" and not gateway_keys(name).get("api_key")


def forget() -> None:
    """Know nothing of any outage, as a new process does."""
    for guarded in _GUARDED:
        guarded.forget()
