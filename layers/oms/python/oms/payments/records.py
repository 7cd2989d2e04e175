"""What is stored of an order's money: tenders, invoices, credit memos, changes. Shapes only; rules live beside them."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Any, Literal

from oms.orders.records import Layer, PlacedFee, PlacedGroup, PlacedLine, Record
from oms.stored import Stored

TERMS = "terms"
"""The method of a tender that is paid after the invoice."""
DECLINE = "decline"
"""What is given back of a declined order is for this, where other instructions have a document."""
COLLECTION = "collection"
"""The kind of the change that takes from an order's tenders what its exchange was to bring and has not brought."""
Into = Literal["store_credit", "exchange"]
"""What money that is given back goes into, if not back to the tender (see payouts.py)."""
BY_HAND = "by-hand:"
"""How the references begin of what people say that was done, or was not."""


class PaymentEvent(Stored):
    """One fact about a tender: what we asked (state requested, our key) or what the provider says (its reference and time).

    `of`: the authorization (its reference) that a capture, void or expiry draws on, or whose captures a refund pays back. `into`: where a
    refund went instead of back to the tender (see payouts.py). `expires_at` and `once` (only one capture is allowed, what is left then
    lapses) belong to an authorization. `document`: what a capture or refund is for. `asked_at`: when we asked, by our clock; what was asked
    together has the same.
    """

    kind: str
    state: Literal["requested", "failed", "succeeded"]
    amount: int
    at: str
    key: str | None = None
    reference: str | None = None
    of: str | None = None
    into: str | None = None
    expires_at: str | None = None
    once: bool = False
    document: str | None = None
    asked_at: str | None = None
    reason: str | None = None


class Payment(Record):
    """One tender; its amounts are folded from `events`. `amount` is what it is to pay.

    `token` is kept only until the gateway has authorized; `source` is what the gateway needs to authorize once more (never a card, never
    shown). `warned`: the authorization whose end was announced. `account_id`: the credit account of a gift card or store credit,
    `customer_id`: whose it must be if it is somebody's. `net_days`: terms, paid after the invoice. Of the value of an exchange: `secured`
    when other tenders hold as much in case it does not come, `closed` once nothing more of it comes (see exchange_tender.py).
    """

    id: str
    method: str
    gateway: str
    amount: int
    account_id: str | None = None
    customer_id: str | None = None
    net_days: int | None = None
    token: str | None = None
    source: str | None = None
    warned: str | None = None
    secured: bool = False
    closed: bool = False
    events: list[PaymentEvent] = []


class Invoice(Record):
    """What a shipment, or a change that raises the price, is worth: shares of exactly its units, delivery shares, fees.

    How it is paid: `captures` were taken for it, `applied` had been captured before, `receivables` are owed by terms, each
    {payment_id, amount, ...}. `number` is given once, without gaps per channel, after the invoice exists; with it the `seller` as of then.
    """

    id: str
    number: str | None = None
    shipment_id: str | None = None
    fulfillment_order_id: str | None = None
    change_id: str | None = None
    return_id: str | None = None
    issued_at: str
    supplied_at: str | None = None
    lines: list[dict[str, Any]] = []
    fees: list[dict[str, Any]] = []
    net_amount: int = 0
    tax_amount: int = 0
    total_amount: int = 0
    captures: list[dict[str, Any]] = []
    applied: list[dict[str, Any]] = []
    receivables: list[dict[str, Any]] = []
    seller: dict[str, Any] | None = None


class CreditMemo(Record):
    """What is given back, and for what. `refunds` went back to tenders, or `into` store credit or an exchange (see payouts.py); `offsets`
    lower what an invoice still has open by terms."""

    id: str
    number: str | None = None
    return_id: str | None = None
    change_id: str | None = None
    issued_at: str
    lines: list[dict[str, Any]]
    fees: list[dict[str, Any]] = []
    net_amount: int = 0
    tax_amount: int = 0
    total_amount: int = 0
    into: Into | None = None
    refunds: list[dict[str, Any]] = []
    offsets: list[dict[str, Any]] = []
    seller: dict[str, Any] | None = None


class ChangeLine(Stored):
    """Units of a line that a change is about, by their numbers. Of a cancellation `units` are those that are cancelled; `held` those that
    the location of a fulfillment order was asked for and has not answered, `refused` how many it could not stop. `added`: they are new."""

    line_id: str
    units: list[list[int]] = []
    reason: str | None = None
    fulfillment_order_id: str | None = None
    held: list[list[int]] = []
    refused: int = 0
    added: bool = False


class ChangeFee(PlacedFee):
    """A fee that a change causes, invoiced with it. `percent`: of what the change cancels, so it may still fall. `delivery_group`: it is
    that group's delivery charge for units that were cancelled, which the customer pays all the same."""

    percent: str | None = None
    delivery_group: str | None = None


class Approval(Stored):
    """What an agent asked for beyond their limit: which route with which body, what it came to, who they are and in which roles."""

    route: str
    body: dict[str, Any]
    figures: dict[str, Any]
    by: str
    roles: list[str] = []


class Exchange(Stored):
    """What comes back to an order, by a return or (what has not left) by a cancellation, for which new order. Amounts in minor units:
    `expected` is what comes back worth, `price` what the new order cost when it was placed, `told` how much of what came back the new order
    has been told of. `advance`: the new goods do not wait for the old ones."""

    new_order_id: str
    new_order_number: str
    return_id: str | None = None
    cancellation_id: str | None = None
    payment_id: str | None = None
    expected: int = 0
    price: int = 0
    told: int = 0
    advance: bool = False


class Claim(Stored):
    """What a claim on a shipment says: what became of its units, and what the customer gets instead. `cost`: what the merchant bears of
    it, in minor units; `carrier_claim`: what is known of the claim on the carrier."""

    shipment_id: str
    kind: Literal["lost", "damaged", "missing"]
    remedy: Literal["reship", "refund"]
    cost: int | None = None
    carrier_claim: dict[str, Any] | None = None


class Change(Record):
    """Something done to an order after it was placed: a cancellation, an adjustment, a new tender, an authorization to renew.

    `worth`: by how much it lowered (or, negative, raised) what the order costs; never more than that is paid back for it. `moves`: its
    money is to be moved now, by the change machine, which has been `started` for it before or not. `stage`: where the units were.
    `layers`, `fees` (due once it is `decided`), `added`, `groups`, `prices`: what it put on the order. `into`: where its credit
    memo goes. `claim`: of a claim on a shipment, what it says. `return_id`: the return that an approval was asked for, once it is given.
    `due_at`: until when locations may answer that were asked for units. `actor` asked for it, by the request or step `cause`.
    """

    id: str
    kind: str
    run: int = 1
    status: Literal["pending", "done", "partial", "refused", "pending_approval"] = "pending"
    stage: Literal["pre_fulfillment", "in_fulfillment", "post_fulfillment"] | None = None
    actor: str | None = None
    cause: str | None = None
    worth: int = 0
    moves: bool = True
    started: bool = False
    decided: bool = False
    payment_id: str | None = None
    return_id: str | None = None
    reason: str | None = None
    note: str | None = None
    lines: list[ChangeLine] = []
    layers: list[Layer] = []
    fees: list[ChangeFee] = []
    added: list[PlacedLine] = []
    groups: list[PlacedGroup] = []
    prices: dict[str, int] = {}
    approval: Approval | None = None
    exchange: Exchange | None = None
    claim: Claim | None = None
    reduce_shipping: bool | None = None
    due_at: str | None = None
    requested_at: str
    closed_at: str | None = None
    into: Into | None = None
    refunds: list[dict[str, Any]] = []

    @property
    def asks(self) -> bool:
        """Whether locations are still to say whether they could stop units."""
        return any(line.held for line in self.lines)
