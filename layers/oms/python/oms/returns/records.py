"""What is stored of goods on their way back. Shapes only; rules live beside them."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Literal

from oms.orders.records import Note, PlacedFee, Record
from oms.stored import Stored


class ReturnLine(Stored):
    """Units of one line on their way back; a line may have several rows. received >= settling >= settled.

    `settling` is what a settlement under way covers: it is fixed before any money is asked for, whatever arrives meanwhile. `extra`: they
    came without having been announced.
    """

    line_id: str
    units: list[list[int]]
    reason: str = ""
    resolution: str = "refund"
    quantity: int
    received: int = 0
    settling: int = 0
    settled: int = 0
    closed: int = 0
    extra: bool = False

    @property
    def open(self) -> int:
        """Units still expected."""
        return self.quantity - self.received - self.closed


class Receipt(Stored):
    """What came in and what was done with it. `settled` once paid for and, if so decided, back on the shelf.

    `sku`: of goods that belong to no line of the order. `surplus`: nothing is paid for it, because nobody knows why it came.
    """

    line_id: str = ""
    sku: str | None = None
    quantity: int
    condition: str
    disposition: str
    location_id: str
    note: str | None = None
    at: str
    settled: bool = False
    surplus: bool = False


class Override(Stored):
    """An agent lets a return pass that rules are against: why, and what they have against it."""

    reason: str
    by: str = ""
    against: list[str] = []


class ReturnFee(PlacedFee):
    """A fee that an agent named for a return: `frozen` for a fixed amount, or `percent` of the goods that come back."""

    percent: str | None = None


class Label(Stored):
    """A label for the way back: wanted until the carrier has sold it. `key`: under which it is bought, once. `cost` in minor units."""

    key: str
    carrier: str
    status: str = "wanted"
    tracking_number: str | None = None
    url: str | None = None
    cost: int = 0
    requested_at: str = ""
    bought_at: str | None = None


class Return(Record):
    """Goods coming back: announced first (`rma`), or handed over at once (`immediate`).

    `fees`: those an agent named; None: as the rules say. `reclaims`: a promotion that it breaks is taken off the refund. `location_id`:
    where the goods are expected, or were handed over; None: where they left from. `actor` asked for it, by the request `cause`.
    """

    id: str
    run: int = 1
    status: str = "requested"
    mode: Literal["rma", "immediate"] = "rma"
    lines: list[ReturnLine]
    receipts: list[Receipt] = []
    reduce_shipping: bool = False
    location_id: str | None = None
    fees: list[ReturnFee] | None = None
    reclaims: bool = False
    labels: list[Label] = []
    requested_at: str = ""
    actor: str | None = None
    cause: str | None = None
    reason: str | None = None
    override: Override | None = None
    notes: list[Note] = []
