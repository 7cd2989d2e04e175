"""The domain driven in memory: no AWS, no storage. `World.commit` stands for the one transaction, with the stock conditions it has."""

from __future__ import annotations

from typing import Any

from oms.fulfillment import allocate as allocation
from oms.fulfillment import arrivals, work
from oms.fulfillment.records import FulfillmentOrder, Shipment
from oms.fulfillment.requests import ShipRequest
from oms.inventory.backorders import grant
from oms.inventory.stock import Stock
from oms.orders import capture
from oms.orders.order import Claim, Order, StockChange, tracking_key
from oms.orders.placing import read_order
from oms.orders.statuses import order_status
from oms.orders.undo import begin_undo, conclude_undo, undo
from oms.payments.funds import ensure_funds, ensure_refunds
from oms.payments.gateway import Gateways
from oms.payments.invoices import invoice_for
from oms.payments.manual import Manual
from oms.payments.offsets import offsets
from oms.payments.records import CreditMemo, Invoice
from oms.payments.requests import ask
from oms.payments.sandbox import Sandbox
from oms.payments.transfers import Answer, Transfer, add_moves, settled
from oms.payments.transfers import record as record_answers
from oms.returns import returns
from oms.returns.records import Return
from oms.returns.replacing import replace
from oms.settings import Location, MethodSettings, Settings
from oms.storage.effects import summed
from tests.support.credit import CreditBooks

NOW = "2026-11-23T08:00:00.000Z"
GATEWAYS: Gateways = {"sandbox": Sandbox(), "credit": CreditBooks(), "manual": Manual()}


class World:
    """Stock, settings and one sandbox gateway. `on_hand` is {sku: {location: units}}."""

    def __init__(self, on_hand: dict[str, dict[str, int]] | None = None, confirmation: str = "carrier") -> None:
        on_hand = {"A": {"berlin": 100}, "B": {"berlin": 100}} if on_hand is None else on_hand
        places = sorted({place for at in on_hand.values() for place in at})
        method = MethodSettings.model_validate({"delivery_confirmation": confirmation, "assume_delivered_after_days": 5})
        self.settings = Settings(locations={place: Location(id=place) for place in places}, methods={"standard": method})
        self.rows = {
            sku: [
                Stock(sku=sku, location_id=place, on_hand=units, spare=units, available=units, parts={0: units})
                for place, units in sorted(at.items())
            ]
            for sku, at in on_hand.items()
        }

    def row(self, sku: str, place: str = "berlin") -> Stock:
        """The stock of one SKU at one place."""
        return next(row for row in self.rows[sku] if row.location_id == place)

    def commit(self, order: Order) -> list[str]:
        """Apply what the command decided, under the conditions that storage has. Returns the types of its facts."""
        for change in summed(self._debts_settled(order.stock)):
            row = self.row(change.sku, change.location_id)
            free = change.on_hand - change.reserve
            if change.reserve > 0:
                there = row.spare if change.queue < 0 else row.available
                assert there >= change.reserve, f"{change.sku} at {change.location_id} would be promised twice"
            row.reserved, row.on_hand, row.queued = row.reserved + change.reserve, row.on_hand + change.on_hand, row.queued + change.queue
            row.spare, row.available = row.spare + free, row.available + free - change.queue
            row.parts = {0: row.available}
            assert row.reserved >= 0, f"less than nothing of {change.sku} is reserved at {change.location_id}"
            assert row.on_hand >= 0, f"less than nothing of {change.sku} is at {change.location_id}"
            assert row.queued >= 0, f"less than nothing of {change.sku} is owed at {change.location_id}"
        order.summary.status = order_status(order)
        facts = [fact.type for fact in order.facts]
        order.summary.version += bool(facts)
        order.summary.sequence += len(facts)
        for records in (order.fulfillment_orders, order.shipments, order.payments, order.returns):
            for record in records.values():
                record.v += 1
        order.booked_before = order.booked()
        order.facts, order.stock, order.claims = [], [], []
        return facts

    def arrive(self, sku: str, place: str, units: int) -> None:
        """Goods arrive; debts that stand elsewhere move to where the goods are."""
        row = self.row(sku, place)
        row.on_hand, row.spare, row.available = row.on_hand + units, row.spare + units, row.available + units
        for other in self.rows[sku]:
            part = min(other.queued, units) if other is not row else 0
            other.queued, other.available = other.queued - part, other.available + part
            row.queued, row.available, units = row.queued + part, row.available - part, units - part
        row.parts = {0: row.available}

    def grant(self, order: Order) -> None:
        """What the queue's worker does for an order at its head: waiting units get a place where goods are free."""
        for line, _ in order.lines():
            if grant(order, line.id, self.rows, self.settings):
                self.commit(order)

    def _debts_settled(self, changes: list[StockChange]) -> list[StockChange]:
        """Debts given back without a place are taken from where they stand."""
        out = [change for change in changes if change.location_id]
        for change in changes:
            left = 0 if change.location_id else -change.queue
            for row in sorted(self.rows[change.sku], key=lambda row: row.available):
                given = sum(each.queue for each in out if (each.sku, each.location_id) == (row.sku, row.location_id))
                part = min(left, row.queued + given)
                left -= part
                out += [StockChange(change.sku, row.location_id, queue=-part)] if part else []
        return out

    def take(self, body: dict[str, Any], *, later_on: bool = False, **more: Any) -> Order:
        """The order as it is before any gateway is asked, not committed."""
        return capture.take(read_order(body), self.rows, self.settings, GATEWAYS, owner="me", now=NOW, later_on=later_on, **more)

    def place(self, body: dict[str, Any]) -> Order:
        """Capture through the synchronous door."""
        order = self.take(body)
        self.commit(order)
        self.capture(order)
        return order

    def capture(self, order: Order) -> None:
        """Ask the gateways, give back what is to go back after a decline, and record what they said."""
        answers = capture.authorize(order, GATEWAYS)
        if capture.is_refused(order, answers):
            capture.note(order, answers)
            begin_undo(order)
            self.commit(order)
            conclude_undo(order, undo(order, GATEWAYS))
            answers = []
        capture.conclude_capture(order, answers)
        self.commit(order)

    def allocate(self, order: Order, **room: Any) -> str:
        """The Allocate step; `room`: what locations of limited capacity still take."""
        next_ = allocation.allocate(order, self.rows, self.settings, **room)
        self.commit(order)
        return next_

    def allocated(self, body: dict[str, Any]) -> tuple[Order, FulfillmentOrder]:
        """An order whose work has been handed out to (first of all) this fulfillment order."""
        order = self.place(body)
        self.allocate(order)
        return order, next(iter(order.fulfillment_orders.values()))

    def ship(self, order: Order, fo: FulfillmentOrder, *parcels: dict[str, int], short: dict[str, int] | None = None) -> None:
        """One package per {line: quantity}, each with its own reference."""
        first = len(order.shipments) + 1
        rows = [{"reference": f"P{first + i}", "lines": _rows(lines)} for i, lines in enumerate(parcels)]
        missing = [{**row, "reason": "not found"} for row in _rows(short or {})]
        work.ship(order, fo, ShipRequest.model_validate({"packages": rows, "short": missing}), {})
        self.commit(order)

    def invoice(self, order: Order, shipment: Shipment) -> Invoice:
        """What Capture payment does for one shipment: capture exactly its share."""
        invoice = invoice_for(order, shipment)
        invoice.captures = self.move(order, "capture", invoice.id, invoice.total_amount)
        order.invoices[invoice.id], shipment.invoice_id = invoice, invoice.id
        self.commit(order)
        return invoice

    def move(self, order: Order, kind: str, document: str, amount: int) -> list[dict[str, Any]]:
        """Capture or refund at the sandbox, from the tenders that have the money."""
        transfer = Transfer("capture" if kind == "capture" else "refund", document)
        parts = ensure_funds(order, amount).captures if kind == "capture" else ensure_refunds(order, amount)
        moves = add_moves(order, transfer, parts)
        payments = [order.payments[each.payment_id] for each in moves]
        answers = [Answer(each, ask(GATEWAYS[tender.gateway], tender, each.what)) for each, tender in zip(moves, payments, strict=True)]
        record_answers(order, transfer, answers)
        return settled(order, transfer)

    def delivered(self, body: dict[str, Any]) -> Order:
        """An order of one parcel that is shipped, paid for and delivered."""
        order, fo = self.allocated(body)
        self.ship(order, fo, {line_id: line.open for line_id, line in fo.lines.items()})
        for shipment in order.shipments.values():
            self.invoice(order, shipment)
        arrivals.arrive(order, list(order.shipments.values()), NOW)
        self.commit(order)
        return order

    def settle(self, order: Order, ret: Return) -> CreditMemo | None:
        """What the Return step does, round by round: fees, credit memo, refund, replacement, restock. Returns the last memo."""
        memo = None
        while round_ := returns.next_round(ret):
            if round_.kind == "replace":
                replace(order, ret, self.rows, self.settings)
                self.commit(order)
                continue
            memo = returns.credit(order, ret)
            assert memo
            invoice = returns.charge(order, ret, memo)
            if invoice and invoice.id not in order.invoices:
                invoice.receivables = [{"payment_id": None, "amount": invoice.total_amount, "due_at": order.now}]
                order.invoices[invoice.id] = invoice
                order.record("invoice.created", invoice_id=invoice.id, return_id=ret.id, total_amount=invoice.total_amount)
                self.commit(order)
            memo = self.pay_back(order, memo)
            returns.settle(order, ret, memo)
            self.commit(order)
        return memo

    def pay_back(self, order: Order, memo: CreditMemo) -> CreditMemo:
        """Taken off what is owed first, the rest paid back."""
        memo.offsets = offsets(order, memo.total_amount)
        left = memo.total_amount - sum(row["amount"] for row in memo.offsets)
        memo.refunds = self.move(order, "refund", memo.id, left)
        return memo


def announce(order: Order, world: World, quantities: dict[str, int], **more: Any) -> Return:
    """A return request."""
    body = {"lines": [{**row, "reason": "too small"} for row in _rows(quantities)], **more}
    return returns.request_return(order, returns.ReturnRequest.model_validate(body), world.settings)


def receive(order: Order, world: World, ret: Return, line_id: str, quantity: int, condition: str = "resellable", **more: Any) -> None:
    """One line of a box that arrived."""
    row = {"line_id": line_id, "quantity": quantity, "condition": condition, **more}
    returns.receive(order, ret, returns.ReceiveRequest.model_validate({"lines": [row]}), world.settings)
    world.commit(order)


def claim(number: str) -> dict[str, Claim]:
    """The claim of a new tracking number, as the edge hands it in."""
    return {number: Claim(tracking_key(number), {})}


def _rows(quantities: dict[str, int]) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "quantity": quantity} for line_id, quantity in quantities.items()]
