"""Labels for the way back: what every carrier that sells them can do, and the sandbox, which is part of the product.

A label is bought under our key: the same key gives the same label, and is charged once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from oms.errors import Refused


class NoLabel(Refused):
    """The carrier will not sell this label, definitively: from there, to there, or at all."""


@dataclass(frozen=True)
class LabelOrder:
    """What is asked of a carrier: a parcel from the customer's address to one of our places, its price to be in `currency`."""

    key: str
    reference: str
    currency: str
    sender: Mapping[str, Any]
    destination: Mapping[str, Any]


@dataclass(frozen=True)
class SoldLabel:
    """A label: its number, where it can be printed, and what it costs (minor units of the currency asked for)."""

    tracking_number: str
    url: str
    cost: int


class LabelCarrier(Protocol):
    """A carrier that sells labels. Raises NoLabel for what it will not carry, Retryable when it cannot be reached."""

    def buy_label(self, order: LabelOrder) -> SoldLabel:
        """Sell it, once per key."""


class SandboxLabels:
    """Deterministic and without memory: number and price follow from the key and the country. It carries nothing from Antarctica (AQ)."""

    def buy_label(self, order: LabelOrder) -> SoldLabel:
        """A label at home costs 490, abroad 990."""
        origin, home = order.sender.get("country"), order.destination.get("country")
        if origin == "AQ":
            raise NoLabel("the sandbox carrier collects nothing in AQ", kind="no-label")
        number = "SBX" + hashlib.sha256(order.key.encode()).hexdigest()[:12].upper()
        abroad = bool(origin and home and origin != home)
        return SoldLabel(number, f"https://labels.example/{number}", 990 if abroad else 490)


CARRIERS: dict[str, LabelCarrier] = {"sandbox": SandboxLabels()}
"""Who sells labels in this installation, by name."""
