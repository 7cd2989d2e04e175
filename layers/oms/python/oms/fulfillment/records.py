"""What is stored of an order's work: fulfillment orders, why they went where they went, parcels. Shapes only; rules live beside them."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Any

from oms.money.units import minus
from oms.orders.records import Record
from oms.stored import Stored


class FulfillmentLine(Stored):
    """Units of one line on a fulfillment order; `rejected` includes what was picked short and what was `taken_back` from the location.
    `units`: of a replacement, which ones it has still to send."""

    quantity: int
    shipped: int = 0
    rejected: int = 0
    taken_back: int = 0
    cancelled: int = 0
    cancel_requested: int = 0
    units: list[list[int]] = []

    @property
    def open(self) -> int:
        """Units that can still be shipped."""
        return self.quantity - self.shipped - self.rejected - self.cancelled


class FulfillmentOrder(Record):
    """Work for one location, one delivery group. `window`: when the capacity window starts that it has a place in.

    `held_by`: location, order (its holds) or payment (its share is not covered). `trusted_by`: who let it go without money. `replaces`: it
    sends units once more, which were sold and sent before, and costs nothing; this is the change or return it is for.
    """

    id: str
    run: int = 1
    location_id: str
    delivery_group: str
    type: str = "warehouse"
    status: str = "released"
    held_from: str | None = None
    held_by: str | None = None
    trusted_by: str | None = None
    ship_by: str = ""
    window: str | None = None
    assume_delivered_after_days: int | None = None
    transit_days_min: int = 1
    transit_days_max: int = 5
    lines: dict[str, FulfillmentLine]
    explanation: dict[str, Any] = {}
    explained_by: str | None = None
    replaces: str | None = None
    created_at: str = ""


class Explanation(Record):
    """Why the work of a delivery group went where it went, when it is too long to ride on each fulfillment order."""

    id: str
    reasons: dict[str, Any]


class Shipment(Record):
    """One parcel: which units it holds, and how far it is. `invoice_id` once its share is captured. `replaces`: of a replacement, what it
    is for; it is never invoiced, and its units count as sent and delivered by the parcel that was sold. `written_off`: units of it that
    have not come (see oms.service.claims)."""

    id: str
    fulfillment_order_id: str
    reference: str
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    status: str = "shipped"
    status_at: str = ""
    shipped_at: str = ""
    delivered_at: str | None = None
    lines: dict[str, list[list[int]]]
    invoice_id: str | None = None
    replaces: str | None = None
    written_off: dict[str, list[list[int]]] = {}

    def brings(self, line_id: str) -> list[list[int]]:
        """Units of a line that it has brought, or will bring: all but those that are written off."""
        return minus(self.lines.get(line_id, []), self.written_off.get(line_id, []))

    @property
    def to_invoice(self) -> bool:
        """Whether it was sold and is not invoiced yet."""
        return not self.invoice_id and not self.replaces

    @property
    def ended(self) -> bool:
        """Whether nothing of it is on its way any more: it was delivered, or all of it is written off."""
        return bool(self.delivered_at) or (bool(self.written_off) and not any(map(self.brings, self.lines)))
