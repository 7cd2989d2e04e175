"""The order aggregate: one consistent picture of an order in memory, and the changes that a command makes to it.

A command mutates records and says what happened with `record`; storage then writes all that differs from `loaded` in one transaction,
with the orders that the command has given birth to (`born`: the new order of an exchange).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from oms.clock import stamp
from oms.errors import Conflict, NotFound, expect_version
from oms.fulfillment.records import Explanation, FulfillmentOrder, Shipment
from oms.ids import part_id
from oms.orders.records import Fact, LineChunk, LineState, Personal, Placed, PlacedGroup, PlacedLine, Relayed, Summary, Waiting
from oms.payments.records import Change, CreditMemo, Invoice, Payment
from oms.returns.records import Return
from oms.service.records import ProcessException, Wait


@dataclass(frozen=True)
class StockChange:
    """An effect on one SKU at one place that is part of the commit. Never below zero: a sale needs it available, a shipment reserved.

    `queue`: backordered units owed at that place; giving debt back without naming a place takes it from wherever it stands.
    `shard`: which row of a hot item a sale takes from. `cause`: the document that moves goods on or off the shelf. `block`: why nothing
    more is sold from there until the next count. `keep`: a debt that leaves only as long as it leaves nothing there for sale.
    """

    sku: str
    location_id: str
    reserve: int = 0
    on_hand: int = 0
    queue: int = 0
    shard: int = 0
    cause: str = ""
    block: str = ""
    keep: bool = False


@dataclass(frozen=True)
class Claim:
    """A name that only one record may have (an order number, a tracking number). `seen` is the version of what lay there before."""

    key: str
    data: dict[str, Any]
    seen: int = 0
    release: bool = False


def number_key(channel: str, order_number: str) -> str:
    """The unique name that an order holds unless it was declined."""
    return f"number#{channel}#{order_number}"


def tracking_key(number: str) -> str:
    """The unique name of a tracking number."""
    return f"tracking#{number}"


@dataclass
class Order:
    """Everything about one order.

    `again`: another commit was first, and the command runs once more: what it reads beside the order must not be old.
    """

    id: str
    placed: Placed
    summary: Summary
    fulfillment_orders: dict[str, FulfillmentOrder] = field(default_factory=dict)
    shipments: dict[str, Shipment] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    credit_memos: dict[str, CreditMemo] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    returns: dict[str, Return] = field(default_factory=dict)
    explanations: dict[str, Explanation] = field(default_factory=dict)
    exceptions: dict[str, ProcessException] = field(default_factory=dict)
    waits: dict[str, Wait] = field(default_factory=dict)
    chunks: dict[str, LineChunk] = field(default_factory=dict)
    personal: Personal | None = None
    relayed: Relayed = field(default_factory=Relayed)
    in_books: int = 0
    loaded: dict[str, dict[str, Any]] = field(default_factory=dict)
    held_before: dict[str, dict[str, int]] = field(default_factory=dict)
    waiting_before: dict[str, Waiting] = field(default_factory=dict)
    booked_before: dict[tuple[str, str], int] = field(default_factory=dict)
    alarm_before: str | None = None

    now: str = field(default_factory=stamp)
    facts: list[Fact] = field(default_factory=list)
    stock: list[StockChange] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    credit_limit: int | None = None
    approving: str = ""
    again: bool = False
    news: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    born: list[Order] = field(default_factory=list)
    draw: Callable[[], float] = random.random
    _index: tuple[list[PlacedLine], dict[str, PlacedLine]] = field(default=([], {}), init=False, repr=False, compare=False)

    def record(self, type_: str, **data: object) -> None:
        """Note that something happened; it becomes one event of this commit."""
        self.facts.append(Fact(type=type_, data={key: value for key, value in data.items() if value is not None}))

    def next_id(self, prefix: str) -> str:
        """The next derived id of a kind; the counter moves with this commit, so no id is given twice."""
        number = self.summary.counters.get(prefix, 0) + 1
        self.summary.counters[prefix] = number
        return part_id(prefix, self.id, number)

    def coming_id(self, prefix: str) -> str:
        """The id that `next_id` will give next."""
        return part_id(prefix, self.id, self.summary.counters.get(prefix, 0) + 1)

    @property
    def every_line(self) -> list[PlacedLine]:
        """The lines as placed, and those that were added since."""
        added = [line for change in self.changes.values() for line in change.added]
        return [*self.placed.lines, *added] if added else self.placed.lines

    @property
    def groups(self) -> list[PlacedGroup]:
        """The delivery groups as they are now: where they go, and how, may have been changed since the order was placed."""
        edits = sorted((change for change in self.changes.values() if change.groups), key=lambda change: (change.requested_at, change.id))
        if not edits:
            return self.placed.delivery_groups
        latest = {group.id: group for change in edits for group in change.groups}
        return [latest.get(group.id, group) for group in self.placed.delivery_groups]

    def lines(self) -> list[tuple[PlacedLine, LineState]]:
        """Every line with its counters."""
        return [(line, self.summary.lines[line.id]) for line in self.every_line]

    def held(self, *, as_stored: bool = False) -> dict[str, dict[str, int]]:
        """Units reserved for this order per location and SKU: pinned, or on a fulfillment order and not yet gone. `as_stored`: of a large
        order per location and chunk of lines ("berlin#003"), as they are kept."""
        out: dict[str, dict[str, int]] = {}
        part = {line_id: f"#{number}" for number, chunk in self.chunks.items() for line_id in chunk.lines} if as_stored else {}
        skus = {line.id: line.sku for line in self.every_line}
        pinned = [(place, line_id, units) for line_id, state in self.summary.lines.items() for place, units in state.pins.items()]
        released = [(fo.location_id, line_id, row.open) for fo in self.fulfillment_orders.values() for line_id, row in fo.lines.items()]
        for place, line_id, units in pinned + released:
            if units:
                at = out.setdefault(place + part.get(line_id, ""), {})
                at[skus[line_id]] = at.get(skus[line_id], 0) + units
        return out

    def taken(self) -> dict[tuple[str, str], int]:
        """What this commit reserves so far, per SKU and location."""
        out: dict[tuple[str, str], int] = {}
        for change in self.stock:
            key = (change.sku, change.location_id)
            out[key] = out.get(key, 0) + change.reserve
        return out

    def booked(self) -> dict[tuple[str, str], int]:
        """Places in capacity windows, per location and start of the window: one for each fulfillment order that is not taken back whole."""
        out: dict[tuple[str, str], int] = {}
        for fo in self.fulfillment_orders.values():
            if fo.window and any(line.open or line.shipped for line in fo.lines.values()):
                out[fo.location_id, fo.window] = out.get((fo.location_id, fo.window), 0) + 1
        return out

    def queued(self) -> dict[str, int]:
        """Backordered units per line."""
        return {line_id: state.backordered for line_id, state in self.summary.lines.items() if state.backordered}

    def waiting(self) -> dict[str, Waiting]:
        """The place in the queue of each line that waits."""
        return {line.id: self.place_in_queue(line, state) for line, state in self.lines() if state.backordered}

    def place_in_queue(self, line: PlacedLine, state: LineState) -> Waiting:
        """What the queue keeps of a line; its product only as far as rules look at it."""
        group = self.group_of(line)
        return Waiting(
            units=state.backordered,
            order_number=self.placed.order_number,
            channel=self.placed.channel,
            method=group.method,
            type=group.type,
            location_id=group.location_id if group.type == "pickup" else None,
            excluded=list(state.excluded),
            product={name: value for name, value in (line.product or {}).items() if name in ("category", "weight_g", "attributes")},
            promise=state.promise,
        )

    def group_of(self, line: PlacedLine) -> PlacedGroup:
        """A line's delivery group."""
        return self.group(line.delivery_group)

    def group(self, group_id: str) -> PlacedGroup:
        """One delivery group; NotFound if the order has no such group."""
        for group in self.groups:
            if group.id == group_id:
                return group
        raise NotFound(f"order {self.placed.order_number} has no delivery group '{group_id}'")

    def lines_of(self, group: PlacedGroup) -> list[tuple[PlacedLine, LineState]]:
        """The lines of a delivery group, each with its counters."""
        return [(line, state) for line, state in self.lines() if line.delivery_group == group.id]

    def waits_for_all(self, group: PlacedGroup) -> bool:
        """Whether a group that ships complete still lacks something."""
        return group.ship_complete and any(state.backordered for _, state in self.lines_of(group))

    def line(self, line_id: str, pointer: str = "") -> tuple[PlacedLine, LineState]:
        """One line and its counters; NotFound if the order has no such line."""
        if self._index[0] is not self.placed.lines:
            self._index = self.placed.lines, {line.id: line for line in self.placed.lines}
        line = self._index[1].get(line_id)
        if line is None and line_id in self.summary.lines:
            line = next((line for line in self.every_line if line.id == line_id), None)
        if line:
            return line, self.summary.lines[line_id]
        raise NotFound(f"order {self.placed.order_number} has no line '{line_id}'" + (f" ({pointer})" if pointer else ""))

    def fulfillment_order(self, fulfillment_order_id: str) -> FulfillmentOrder:
        """One fulfillment order, or NotFound."""
        try:
            return self.fulfillment_orders[fulfillment_order_id]
        except KeyError:
            raise NotFound(f"there is no fulfillment order '{fulfillment_order_id}'") from None

    def shipments_of(self, fulfillment_order_id: str) -> list[Shipment]:
        """A fulfillment order's shipments, oldest first."""
        return [shipment for shipment in self.shipments.values() if shipment.fulfillment_order_id == fulfillment_order_id]

    def under_way(self, fulfillment_order_id: str) -> list[Shipment]:
        """Those of them that have neither arrived nor been written off."""
        return [shipment for shipment in self.shipments_of(fulfillment_order_id) if not shipment.ended]

    @property
    def sold(self) -> list[Shipment]:
        """The parcels of what was sold, oldest first: all but those that replace something."""
        return [shipment for shipment in self.shipments.values() if not shipment.replaces]

    @property
    def uninvoiced(self) -> list[Shipment]:
        """The parcels that are to be invoiced and are not yet, oldest first."""
        return [shipment for shipment in self.shipments.values() if shipment.to_invoice]

    @property
    def given_up(self) -> set[str]:
        """Records whose execution somebody abandoned: nothing goes on there. An exception without an execution is about something that
        happened: nothing waits for it."""
        return {problem.subject for problem in self.exceptions.values() if problem.status == "abandoned" and problem.execution}

    def open_holds(self, blocks: str) -> bool:
        """Whether any hold that blocks this ("allocate", "ship", "capture") is neither released nor expired."""
        return any(
            blocks in hold.blocks and not hold.released_at and not (hold.expires_at and hold.expires_at <= self.now)
            for hold in self.summary.holds
        )

    @property
    def alarm(self) -> str | None:
        """When the clock has to look at the order next: its first hold lets go by itself. None once the order is at its end."""
        if self.summary.status in ("declined", "completed", "cancelled"):
            return None
        return min((hold.expires_at for hold in self.summary.holds if hold.expires_at and not hold.released_at), default=None)

    @property
    def half_taken(self) -> bool:
        """Whether this is a large order whose lines are still being reserved for the first time."""
        return bool(self.placed.chunks) and self.summary.status == "received"

    def expect(self, if_match: str | None) -> None:
        """Stale unless If-Match is absent, "*" or names the present version."""
        expect_version("the order", self.summary.version, if_match)

    def must_be_live(self) -> None:
        """Conflict for an order that was declined or is not captured yet."""
        if self.summary.status in ("declined", "received"):
            raise Conflict(f"order {self.placed.order_number} is {self.summary.status}; nothing can be done with it yet")
