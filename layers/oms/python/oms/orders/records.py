"""What is stored of an order: the document as placed, the summary, and what belongs to both. Shapes only; rules live beside them.

Every record is one item of the order's collection. `v` is its own version: a commit replaces only what it has read.
"""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

import json
from typing import Any, Literal

from pydantic import Field, model_validator

from oms.money.shares import Frozen, Share, TaxMode, TaxRounding
from oms.stored import Stored


class Record(Stored):
    """A stored item: `v` counts its writes, 0 meaning not stored yet."""

    v: int = 0


class PlacedTax(Stored):
    """A tax of a line, charge or fee; amounts are in the frozen shares beside it, in the same order."""

    name: str
    rate: str
    exempt_reason: str | None = None


class PlacedLine(Stored):
    """A line as placed. `frozen` is its value; `delivery` its part of the group's delivery charge; `return_rule` the version of a return
    rule that it was sold under, as far as it says anything (see oms.returns.rules)."""

    id: str
    sku: str
    name: str | None = None
    quantity: int
    unit_price: int = 0
    delivery_group: str
    taxes: list[PlacedTax] = []
    adjustments: list[dict[str, Any]] = []
    backorder: Literal["allow", "refuse"] = "refuse"
    bundle_of: str | None = None
    bundle_policy: Literal["components", "whole"] = "components"
    po_line: str | None = None
    product: dict[str, Any] | None = None
    metadata: dict[str, Any] = {}
    return_rule: dict[str, Any] | None = None
    frozen: Frozen
    delivery: Frozen | None = None


class Destination(Stored):
    """Where a delivery group goes, as far as routing needs it: country, postal area, coordinates to two decimals (about a kilometre)."""

    country: str = ""
    postal_area: str = ""
    latitude: float | None = None
    longitude: float | None = None


class PlacedGroup(Stored):
    """A delivery group without the personal part (recipient, address). `frozen` is the whole charge."""

    id: str
    method: str
    type: Literal["ship", "pickup", "digital"] = "ship"
    location_id: str | None = None
    ship_complete: bool = False
    desired_date: str | None = None
    destination: Destination = Field(default_factory=Destination)  # building one now would build its validator at every cold start
    charge: dict[str, Any] | None = None
    taxes: list[PlacedTax] = []
    frozen: Frozen | None = None


class PlacedFee(Stored):
    """An order fee with its frozen value."""

    code: str
    taxes: list[PlacedTax] = []
    frozen: Frozen


class Origin(Stored):
    """Of a new order that an exchange made: the order it comes from, and that order's change."""

    order_id: str
    order_number: str
    change_id: str


class Placed(Record):
    """The order as placed: written once, never rewritten, without personal data. `chunks`: in how many items of their own the lines of a
    large order are stored (see oms.storage.chunks); of any other order the document itself holds them."""

    channel: str
    order_number: str
    business_model: str = "b2c"
    currency: str
    tax_mode: TaxMode
    tax_rounding: TaxRounding = "line"
    on_problem: Literal["refuse", "hold"] = "refuse"
    placed_at: str
    placed_by: str | None = None
    customer_id: str
    account_id: str | None = None
    po_number: str | None = None
    priority: int = 5
    reservation_id: str | None = None
    metadata: dict[str, Any] = {}
    delivery_groups: list[PlacedGroup]
    lines: list[PlacedLine] = []
    adjustments: list[dict[str, Any]] = []
    fees: list[PlacedFee] = []
    digest: str = ""
    chunks: int = 0
    exchange_of: Origin | None = None


class Band(Stored):
    """Units `first` to `last` of a line, each of which carries `share`."""

    first: int
    last: int
    share: Share


class Layer(Stored):
    """A later change of what units of a line are worth: each unit's addition, in the order's tax mode (design section 5).

    `delivery`: of their part of the delivery charge. `apart`: the units had left by then, so their invoice does not hold it: it stands
    in a document of its own.
    """

    line_id: str
    bands: list[Band]
    delivery: bool = False
    apart: bool = False


class PlacedChunk(Stored):
    """Some of a large order's lines as placed."""

    lines: list[PlacedLine]


class Personal(Record):
    """All personal data of the order, apart, so that it can be erased without touching anything else."""

    customer: dict[str, Any] = {}
    billing_address: dict[str, Any] | None = None
    groups: dict[str, dict[str, Any]] = {}


PROCESSING_HOURS, TRANSIT_DAYS = 24, (1, 5)
"""What a location and a delivery method take where nobody has set anything else; these figures are not stored."""


class Promise(Stored):
    """When the units of a line are expected at the customer, and what that rests on: "stock", "supply:<reference or date>", or "none"."""

    earliest: str | None = None
    latest: str | None = None
    source: str = "none"
    changed_at: str = ""


class Waiting(Stored):
    """A line's place in the queue: how many units wait, and all that says where they may come from, so that the queue can be gone over
    without reading its orders. `location_id`: the shop of a pickup."""

    units: int
    order_number: str = ""
    channel: str = ""
    method: str = ""
    type: Literal["ship", "pickup", "digital"] = "ship"
    location_id: str | None = None
    excluded: list[str] = []
    product: dict[str, Any] = {}
    promise: Promise | None = None


class LineState(Stored):
    """Counters of one line (design section 4). `pins`: units reserved per location and not yet on a fulfillment order.

    `excluded`: places that could not serve the line after all. `attempts`: how often units of it had to be routed again. `promise`: while
    units wait for stock. `cancelled_runs`: numbers of the cancelled units, where they are not simply the highest. `short`: capture found
    no place for all of them, and took the order all the same. `to_replace`: units whose replacement has no place yet, by what they are
    replaced for (a change or a return).

    `lost` units were written off; `lost_delivered` of them had been delivered before, and of `lost_replaced` the replacement has arrived.
    """

    ordered: int = 0
    cancelled: int = 0
    cancel_requested: int = 0
    backordered: int = 0
    allocated: int = 0
    shipped: int = 0
    delivered: int = 0
    lost: int = 0
    lost_delivered: int = 0
    lost_replaced: int = 0
    return_initiated: int = 0
    returned: int = 0
    reshipped: int = 0
    pins: dict[str, int] = {}
    excluded: list[str] = []
    attempts: int = 0
    promise: Promise | None = None
    cancelled_runs: list[list[int]] = []
    to_replace: dict[str, list[list[int]]] = {}
    short: bool = False


class LineChunk(Record):
    """Counters of some of a large order's lines, which are the very ones in its summary. Stored as JSON in one attribute (`packed`)."""

    lines: dict[str, LineState]

    @model_validator(mode="before")
    @classmethod
    def _unpacked(cls, item: Any) -> Any:
        return {**json.loads(item["packed"]), "v": item["v"]} if "packed" in item else item


class Hold(Stored):
    """A reason to wait; `blocks` says what waits. `release_by`: the scope, or the role, that may release it (None: whoever serves
    orders). `released_by`: who did, or "clock" when its time was over."""

    id: str
    kind: str
    reason: str
    blocks: list[str]
    placed_at: str
    release_by: str | None = None
    expires_at: str | None = None
    released_at: str | None = None
    released_by: str | None = None


class Note(Stored):
    """What an agent wrote down."""

    id: str
    text: str
    author: str
    at: str


class Lease(Stored):
    """Who captures the order right now, and until when nobody else may."""

    owner: str
    until: str


class Attempt(Stored):
    """A routing after the first: why it was needed, what came of it (empty while nobody knows), and which places do the work.

    `visit`: when the step was entered that knows the result.
    """

    at: str
    cause: str
    result: str = ""
    places: list[str] = []
    visit: str = ""


class Summary(Record):
    """The one mutable head of the order. `version` is the ETag, `sequence` the last event's number, `counters` number derived ids.

    `tender_sequence`: tenders by id with what each gives at most (0: all it has), as somebody has said; else they go as declared.
    `attempts`: the last routings after the first. `gives_up`: a person has decided that what no location can serve is cancelled.
    `exposed`: what the order takes of its account's credit. `undoing`: a tender was declined, and what the others gave is given back.
    `declining`: why a large order is being declined, while what is reserved for it is given back.
    """

    version: int = 0
    sequence: int = 0
    status: str = "received"
    run: int = 1
    asynchronous: bool = False
    answer: int = 0
    lease: Lease | None = None
    lines: dict[str, LineState] = {}
    holds: list[Hold] = []
    notes: list[Note] = []
    attempts: list[Attempt] = []
    gives_up: bool = False
    tender_sequence: list[tuple[str, int]] = []
    exposed: int = 0
    undoing: bool = False
    declining: str = ""
    counters: dict[str, int] = {}
    placed_at: str = ""
    updated_at: str = ""


class Relayed(Stored):
    """How far the relay is: events published up to a sequence, the tokens it has used (wait id to entered time), and the last sequence
    that it sent to the books."""

    published: int = 0
    books: int = 0
    resumed: dict[str, str] = {}


class Fact(Stored):
    """One thing that happened, in the past tense: `order.captured`."""

    type: str
    data: dict[str, Any] = {}


class Entry(Stored):
    """One commit in the order's timeline: facts with consecutive sequence numbers, who did them and why.

    `moved`: by how much the commit changed what tenders have paid and invoices have open, by record (see oms.payments.positions).
    """

    sequence: int
    at: str
    actor: str
    cause: str
    facts: list[Fact] = Field(min_length=1)
    moved: dict[str, dict[str, int]] = {}
