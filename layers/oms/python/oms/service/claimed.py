"""Which units claims were made for before: of one parcel each is claimed once, and paid back once whatever parcel it came in."""

from __future__ import annotations

from oms.money.units import union
from oms.orders.order import Order


def claimed(order: Order, shipment_id: str, line_id: str) -> list[list[int]]:
    """Units of a line that were claimed of this parcel."""
    changes = [change for change in order.changes.values() if change.claim and change.claim.shipment_id == shipment_id]
    return union(*(line.units for change in changes for line in change.lines if line.line_id == line_id))


def refunded(order: Order, line_id: str) -> list[list[int]]:
    """Units of a line that a claim has paid back."""
    changes = [change for change in order.changes.values() if change.claim and change.claim.remedy == "refund"]
    return union(*(line.units for change in changes for line in change.lines if line.line_id == line_id))
