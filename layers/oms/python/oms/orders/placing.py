"""`POST /v1/orders`: the body, and every fault of it that can be seen without looking anything up."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

import hashlib
import json
from collections import Counter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationError, model_validator

from oms.errors import Fault, invalid
from oms.orders.hold_request import HoldRequest
from oms.orders.tax_request import Tax
from oms.payments.tender_request import Tender, tender_faults, terms_faults
from oms.wire import (
    Amount,
    Currency,
    DateOrMoment,
    Key,
    Metadata,
    Moment,
    Name,
    Number,
    Quantity,
    SignedAmount,
    Text,
    Wire,
    faults_of,
)

MOST_LINES = 10_000


class Customer(Wire):
    """Who ordered. Everything but `id` and `account_id` is personal data."""

    id: Number
    email: Name | None = None
    name: Name | None = None
    phone: Name | None = None
    locale: Key | None = None
    account_id: Number | None = None
    vat_id: Name | None = None


class Address(Wire):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    line1: Name
    line2: Name | None = None
    city: Name
    region: Name | None = None
    postal_code: Name
    country: str = Field(pattern="^[A-Z]{2}$")
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)


class Recipient(Wire):
    """To whom a delivery group goes."""

    name: Name
    email: Name | None = None
    phone: Name | None = None


class Adjustment(Wire):
    """A discount (negative) or surcharge, in the order's tax mode. `requires_amount`: of goods, without it the promotion does not hold."""

    amount: SignedAmount
    code: Name | None = None
    promotion_id: Name | None = None
    requires_amount: Amount | None = None
    description: Text | None = None


class Charge(Wire):
    """What a delivery group's delivery costs."""

    amount: Amount
    taxes: list[Tax] = Field([], max_length=10)
    adjustments: list[Adjustment] = Field([], max_length=20)


class DeliveryGroup(Wire):
    """Lines that go to one recipient by one method."""

    id: Key
    recipient: Recipient
    address: Address
    method: Key
    type: Literal["ship", "pickup", "digital"] = "ship"
    location_id: Key | None = None
    ship_complete: bool = False
    desired_date: DateOrMoment | None = None
    charge: Charge | None = None

    @model_validator(mode="after")
    def _pickup_names_its_shop(self) -> Self:
        if self.type == "pickup" and not self.location_id:
            raise ValueError("a pickup names its location_id")
        return self


class Product(Wire):
    """Facts about the product that later stages use. `gift_card`: each unit becomes a card worth its unit price when it is delivered."""

    category: Name | None = None
    weight_g: Quantity | None = None
    hs_code: Name | None = None
    origin: Name | None = None
    image_url: Text | None = None
    final_sale: bool = False
    gift_card: bool = False
    attributes: Metadata = {}


MOST_GIFT_CARDS = 500
"""Gift cards of one line: each becomes an account of its own."""


class Line(Wire):
    """One product line. `bundle_policy`, of a line that others are `bundle_of`: whether each component may be cancelled and returned by
    itself, or the bundle only as a whole."""

    id: Key
    sku: Key
    name: Text | None = None
    quantity: Quantity
    unit_price: Amount
    delivery_group: Key
    taxes: list[Tax] = Field([], max_length=10)
    adjustments: list[Adjustment] = Field([], max_length=20)
    backorder: Literal["allow", "refuse"] = "refuse"
    bundle_of: Key | None = None
    bundle_policy: Literal["components", "whole"] = "components"
    po_line: Name | None = None
    product: Product | None = None
    metadata: Metadata = {}

    @model_validator(mode="after")
    def _gift_cards_are_few_and_worth_something(self) -> Self:
        if self.product and self.product.gift_card:
            if self.quantity > MOST_GIFT_CARDS:
                raise ValueError(f"at most {MOST_GIFT_CARDS} gift cards on one line; use more lines")
            if not self.unit_price:
                raise ValueError("a gift card is worth its unit_price, which is 0")
        return self


class Fee(Wire):
    """An order fee; it rides on the first invoice."""

    code: Key
    amount: Amount
    taxes: list[Tax] = Field([], max_length=10)


class PlaceOrder(Wire):
    """An order as a channel sends it (contract: Orders)."""

    channel: Key
    order_number: Number
    business_model: Literal["b2c", "b2b"] = "b2c"
    currency: Currency
    tax_mode: Literal["net", "gross"]
    tax_rounding: Literal["line", "unit"] = "line"
    on_problem: Literal["refuse", "hold"] = "refuse"
    placed_at: Moment | None = None
    placed_by: Name | None = None
    customer: Customer
    billing_address: Address | None = None
    po_number: Name | None = None
    priority: Annotated[int, Strict(), Field(ge=0, le=9)] = 5
    metadata: Metadata = {}
    delivery_groups: list[DeliveryGroup] = Field(min_length=1, max_length=50)
    lines: list[Line] = Field(min_length=1, max_length=MOST_LINES)
    adjustments: list[Adjustment] = Field([], max_length=50)
    fees: list[Fee] = Field([], max_length=20)
    payments: list[Tender] = Field([], max_length=10)
    holds: list[HoldRequest] = Field([], max_length=10)
    reservation_id: Key | None = None


def read_order(body: Any) -> PlaceOrder:
    """The order in `body`; Invalid with every fault of form and of reference (unknown group, repeated id) that it has. One with too many
    lines is not looked at further."""
    if isinstance(body, dict) and isinstance(body.get("lines"), list) and len(body["lines"]) > MOST_LINES:
        what = (
            f"an order has at most {MOST_LINES:,} lines, and its body at most 6 MB; these are {len(body['lines']):,}: place several orders"
        )
        raise invalid(Fault(what, "/lines"))
    faults: list[Fault] = []
    order: PlaceOrder | None = None
    try:
        order = PlaceOrder.model_validate(body)
    except ValidationError as error:
        faults = faults_of(error)
    faults += _reference_faults(body) if isinstance(body, dict) else []
    if faults or order is None:
        raise invalid(*faults)
    return order


def content_digest(order: PlaceOrder) -> str:
    """Digest of what makes two submits the same order: everything but the payment tokens (design section 9)."""
    content = order.model_dump(exclude={"payments": {"__all__": {"token"}}}, exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _reference_faults(body: dict[str, Any]) -> list[Fault]:
    """Faults between the parts, looked for in the raw body so that faults of form do not hide them."""
    groups, lines = (_dicts(body.get(name)) for name in ("delivery_groups", "lines"))
    faults: list[Fault] = []
    group_ids, line_ids = _ids(groups), _ids(lines)
    for name, parts in (("delivery_groups", groups), ("lines", lines), ("payments", _dicts(body.get("payments")))):
        seen = Counter(str(part["id"]) for _, part in parts if part.get("id") is not None)
        faults += [Fault(f"'{key}' is used {times} times", f"/{name}") for key, times in seen.items() if times > 1]
    for index, line in lines:
        if isinstance(line.get("delivery_group"), str) and line["delivery_group"] not in group_ids:
            faults.append(Fault(f"there is no delivery group '{line['delivery_group']}'", f"/lines/{index}/delivery_group"))
        if isinstance(line.get("bundle_of"), str) and line["bundle_of"] not in line_ids - {str(line.get("id"))}:
            faults.append(Fault(f"there is no other line '{line['bundle_of']}'", f"/lines/{index}/bundle_of"))
        faults += _uneven(lines, index, line)
    faults += _tender_faults(body.get("payments"))
    used = _ids(lines, "delivery_group")
    faults += [Fault("no line goes to this group", f"/delivery_groups/{i}") for i, group in groups if str(group.get("id")) not in used]
    return faults


def _uneven(lines: list[tuple[int, dict[str, Any]]], index: int, part: dict[str, Any]) -> list[Fault]:
    """A component of a bundle that goes as a whole comes in a multiple of it."""
    for _, parent in lines:
        if part.get("bundle_of") is not None and part.get("bundle_of") == parent.get("id") and parent.get("bundle_policy") == "whole":
            units, bundles = part.get("quantity"), parent.get("quantity")
            if isinstance(units, int) and isinstance(bundles, int) and bundles > 0 and units % bundles:
                return [Fault(f"{units} of it do not make {bundles} whole bundles", f"/lines/{index}/quantity")]
    return []


def _tender_faults(payments: Any) -> list[Fault]:
    """What does not go together within a tender or between them; those with faults of form are named for these alone."""
    faults: list[Fault] = []
    read: list[tuple[int, Tender]] = []
    for index, part in _dicts(payments):
        try:
            read.append((index, Tender.model_validate(part)))
        except ValidationError:
            continue
    for index, tender in read:
        faults += tender_faults(tender, f"/payments/{index}")
    return faults + terms_faults(read)


def _dicts(value: Any) -> list[tuple[int, dict[str, Any]]]:
    return [(i, part) for i, part in enumerate(value) if isinstance(part, dict)] if isinstance(value, list) else []


def _ids(parts: list[tuple[int, dict[str, Any]]], name: str = "id") -> set[str]:
    return {part[name] for _, part in parts if isinstance(part.get(name), str)}
