"""A whole order in memory, in any order of events: after every step the laws of design section 7 hold and every status is right."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oms.errors import Conflict
from oms.fulfillment import arrivals, work
from oms.fulfillment.records import FulfillmentOrder, Shipment
from oms.fulfillment.requests import PackageLine, RejectRequest
from oms.money.shares import Share
from oms.money.units import count
from oms.orders import quantities, statuses
from oms.orders.order import Order
from oms.orders.records import Personal
from oms.orders.view import order_view
from oms.returns import returns
from oms.returns.records import Return
from tests.properties import oracle
from tests.properties.orders import SKUS, bodies
from tests.unit.memory import NOW, World, announce, receive

PLACES = ("berlin", "munich", "paris")
STOCK = st.fixed_dictionaries({sku: st.fixed_dictionaries({place: st.integers(0, 8) for place in PLACES}) for sku in SKUS})


class Life(RuleBasedStateMachine):
    """Rules are what people and machines do; `units` is the test's own record of where every single unit is."""

    world: World
    order: Order
    units: dict[str, oracle.Line]

    @initialize(stock=STOCK, body=bodies(backorder=True), head_start=st.sampled_from(["placed", "allocated", "delivered"]))
    def place(self, stock: dict[str, dict[str, int]], body: dict[str, Any], head_start: str) -> None:
        self.world = World(stock)
        try:
            self.order = self.world.place(body)
        except Conflict:
            # Short of stock for a line that may not wait: nothing is reserved, and with more stock the same order is taken.
            rows = [row for at in self.world.rows.values() for row in at]
            assert not any(row.reserved for row in rows)
            for row in rows:
                row.on_hand = row.spare = row.available = 20
                row.parts = {0: 20}
            self.order = self.world.place(body)
        self.stocked = {(row.sku, row.location_id): row.on_hand for at in self.world.rows.values() for row in at}
        self.units = {line["id"]: oracle.Line([oracle.Unit() for _ in range(line["quantity"])]) for line in body["lines"]}
        if head_start != "placed":
            self.allocate()
        if head_start == "delivered" and self.open_work:
            self.all_goes_well()

    # --- what can be done, and to what ---

    @property
    def open_work(self) -> list[FulfillmentOrder]:
        return [fo for fo in self.order.fulfillment_orders.values() if fo.status in work.OPEN]

    @property
    def on_the_way(self) -> list[Shipment]:
        return [parcel for parcel in self.order.shipments.values() if not parcel.delivered_at]

    @property
    def uninvoiced(self) -> list[Shipment]:
        return [parcel for parcel in self.order.shipments.values() if not parcel.invoice_id]

    # --- stock and work ---

    @rule(sku=st.sampled_from(SKUS), place=st.sampled_from(PLACES), units=st.integers(1, 9))
    def goods_arrive(self, sku: str, place: str, units: int) -> None:
        self.world.arrive(sku, place, units)
        self.stocked[sku, place] += units
        self.world.grant(self.order)

    @precondition(lambda self: any(state.pins or state.backordered or quantities.open_units(state) for _, state in self.order.lines()))
    @rule()
    def allocate(self) -> None:
        known = set(self.order.fulfillment_orders)
        next_ = self.world.allocate(self.order)
        assert next_ in ("allocated", "wait_for_stock", "unfillable")
        for key, fo in self.order.fulfillment_orders.items():
            for line_id, row in fo.lines.items() if key not in known else ():
                free = [unit for unit in self.units[line_id].units if not unit.allocated]
                for unit in free[: row.quantity]:
                    unit.allocated, unit.place = True, fo.location_id

    @precondition(lambda self: self.order.fulfillment_orders)
    @rule(data=st.data(), action=st.sampled_from(["accept", "pick", "pack", "ready", "hold", "release"]))
    def move_on(self, data: st.DataObject, action: str) -> None:
        fo = data.draw(st.sampled_from(list(self.order.fulfillment_orders.values())))
        try:
            work.advance(self.order, fo, action)
        except Conflict:
            assert fo.status not in work.ACTIONS[action][0]
        self.world.commit(self.order)

    @precondition(lambda self: self.open_work)
    @rule(data=st.data(), with_short=st.booleans())
    def ship(self, data: st.DataObject, with_short: bool) -> None:
        fo = data.draw(st.sampled_from(self.open_work))
        left = {line_id: line.open for line_id, line in fo.lines.items() if line.open}
        parcels = []
        for _ in range(data.draw(st.integers(1, 3))):
            parcel = {line_id: data.draw(st.integers(0, units)) for line_id, units in left.items()}
            left = {line_id: units - parcel[line_id] for line_id, units in left.items()}
            parcels.append({line_id: units for line_id, units in parcel.items() if units})
        short = {line_id: data.draw(st.integers(0, units)) for line_id, units in left.items()} if with_short else {}
        parcels, short = [parcel for parcel in parcels if parcel], {line_id: units for line_id, units in short.items() if units}
        if not parcels and not short:
            return
        known = set(self.order.shipments)
        self.world.ship(self.order, fo, *parcels, short=short)
        for key in [key for key in self.order.shipments if key not in known]:
            for line_id, numbers in self.order.shipments[key].lines.items():
                for unit in self._at(fo, line_id)[: count(numbers)]:
                    unit.parcel = key
        self._lose_place(fo, short)

    @precondition(lambda self: self.open_work)
    @rule(data=st.data(), how=st.sampled_from(["reject", "reject a part", "expire"]))
    def give_up(self, data: st.DataObject, how: str) -> None:
        fo = data.draw(st.sampled_from(self.open_work))
        lost = {line_id: line.open for line_id, line in fo.lines.items() if line.open}
        if how == "expire":
            work.expire(self.order, fo)
        elif how == "reject":
            work.reject(self.order, fo, RejectRequest(reason="no"))
        else:
            lost = {line_id: data.draw(st.integers(1, units)) for line_id, units in list(lost.items())[:1]}
            rows = [PackageLine(line_id=line_id, quantity=units) for line_id, units in lost.items()]
            work.reject(self.order, fo, RejectRequest(lines=rows, reason="no"))
        self.world.commit(self.order)
        self._lose_place(fo, lost)

    @precondition(lambda self: self.open_work)
    @rule()
    def all_goes_well(self) -> None:
        """Everything open is shipped, paid for and delivered, so that lives get as far as returns of several units."""
        for fo in self.open_work:
            self.world.ship(self.order, fo, {line_id: line.open for line_id, line in fo.lines.items() if line.open})
            for line_id in fo.lines:
                for unit in self._at(fo, line_id):
                    unit.parcel = list(self.order.shipments)[-1]
        for parcel in self.uninvoiced:
            self.world.invoice(self.order, parcel)
        for parcel in self.on_the_way:
            self._delivered(parcel)

    # --- money and parcels ---

    @precondition(lambda self: self.uninvoiced)
    @rule(data=st.data())
    def capture_payment(self, data: st.DataObject) -> None:
        self.world.invoice(self.order, data.draw(st.sampled_from(self.uninvoiced)))

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        self._delivered(data.draw(st.sampled_from(self.on_the_way)))

    # --- what comes back ---

    @precondition(lambda self: any(line.count("delivered") for line in self.units.values()))
    @rule(data=st.data(), reduce_shipping=st.booleans(), too_many=st.booleans())
    def request_return(self, data: st.DataObject, reduce_shipping: bool, too_many: bool) -> None:
        free = {key: line.count("delivered") - line.count("coming_back") for key, line in self.units.items()}
        line_id = data.draw(st.sampled_from(sorted(free)))
        if too_many or not free[line_id]:
            before = self.order.summary.lines[line_id].model_dump()
            try:
                announce(self.order, self.world, {line_id: free[line_id] + 1})
                raise AssertionError("more was announced than can come back")
            except Conflict:
                assert self.order.summary.lines[line_id].model_dump() == before
                return
        quantity = data.draw(st.integers(1, free[line_id]))
        announce(self.order, self.world, {line_id: quantity}, reduce_shipping=reduce_shipping)
        self.world.commit(self.order)
        self._mark(line_id, quantity, "coming_back", True, lambda unit: unit.delivered and not unit.coming_back)

    @precondition(lambda self: any(self._next_steps(ret) for ret in self.order.returns.values()))
    @rule(data=st.data())
    def go_on_with_a_return(self, data: st.DataObject) -> None:
        ret = data.draw(st.sampled_from([ret for ret in self.order.returns.values() if self._next_steps(ret)]))
        step = data.draw(st.sampled_from(self._next_steps(ret)))
        if step == "receive":
            condition = data.draw(st.sampled_from(["resellable", "damaged", "wrong_item"]))
            receive(self.order, self.world, ret, ret.lines[0].line_id, data.draw(st.integers(1, ret.lines[0].open)), condition)
        elif step == "settle":
            self._settle(ret)
        elif step == "approve":
            returns.approve(self.order, ret)
        else:
            self._nothing_more(ret)
            {"reject": lambda: returns.reject(self.order, ret, "worn"), "close": lambda: returns.close(self.order, ret)}.get(
                step, lambda: returns.expire(self.order, ret)
            )()
        self.world.commit(self.order)

    # --- the laws ---

    @invariant()
    def quantities_keep_their_laws(self) -> None:
        for line_id, state in self.order.summary.lines.items():
            assert quantities.broken_laws(state) == []
            seen = self.units[line_id]
            counted = (state.allocated, state.shipped, state.delivered, state.return_initiated, state.returned)
            assert counted == tuple(seen.count(flag) for flag in ("allocated", "parcel", "delivered", "coming_back", "returned"))

    @invariant()
    def nothing_is_promised_twice(self) -> None:
        """Law 1: reserved = pins + open units of fulfillment orders; on hand = what there was - shipped + restocked."""
        promised: dict[tuple[str, str], int] = {}
        gone: dict[tuple[str, str], int] = {}
        for line, state in self.order.lines():
            for place, units in state.pins.items():
                promised[line.sku, place] = promised.get((line.sku, place), 0) + units
            for fo in self.order.fulfillment_orders.values():
                if line.id in fo.lines:
                    at = (line.sku, fo.location_id)
                    promised[at] = promised.get(at, 0) + fo.lines[line.id].open
                    gone[at] = gone.get(at, 0) + fo.lines[line.id].shipped
        for sku, rows in self.world.rows.items():
            for row in rows:
                at = (sku, row.location_id)
                assert row.reserved == promised.get(at, 0)
                assert row.on_hand == self.stocked[at] - gone.get(at, 0)
                assert row.spare == row.on_hand - row.reserved
                assert row.available == row.spare - row.queued
            waiting = sum(state.backordered for line, state in self.order.lines() if line.sku == sku)
            assert sum(row.queued for row in rows) == waiting

    @invariant()
    def money_keeps_its_law(self) -> None:
        """Law 2: captured - refunded = invoiced - credited = shares of the kept invoiced units, delivery and fees included."""
        sums = statuses.buckets(self.order)
        invoiced = sum(invoice.total_amount for invoice in self.order.invoices.values())
        credited = sum(memo.total_amount for memo in self.order.credit_memos.values())
        assert sums.captured - sums.refunded == invoiced - credited
        assert 0 <= sums.refunded <= sums.captured <= sums.authorized
        assert invoiced - credited == self._worth()
        assert all(value >= 0 for name, value in statuses.totals(self.order).model_dump().items() if name != "adjustment_amount")
        if not self.uninvoiced and all(line.count("parcel") == len(line.units) for line in self.units.values()):
            assert invoiced - credited == statuses.totals(self.order).grand_total

    @invariant()
    def every_status_is_what_the_contract_says(self) -> None:
        shown = order_view(self.order, self.order.personal or Personal())
        assert shown["fulfillment_status"] == oracle.fulfillment(self.units)
        assert shown["delivery_status"] == oracle.delivery(self.units)
        assert shown["return_status"] == oracle.returns(self.units)
        assert shown["payment_status"] == oracle.payment(self.order)
        assert shown["money_owed"] == "none"
        assert shown["status"] == oracle.of_order(self.order, self.units)
        for line in shown["lines"]:
            assert line["status"] == oracle.of_line(self.units[line["id"]], line["quantities"]["backordered"])

    # --- the test's own record ---

    def _next_steps(self, ret: Return) -> list[str]:
        steps = {
            "requested": ["approve", "reject", "expire"],
            "approved": ["receive", "receive", "close", "expire"],
            "partially_received": ["receive", "receive", "close", "expire"],
        }.get(ret.status, [])
        return steps + ["settle"] * bool(returns.unsettled(ret))

    def _settle(self, ret: Return) -> None:
        (line,) = ret.lines
        newly = line.received - line.settled
        shelved = [receipt for receipt in ret.receipts if not receipt.settled and receipt.disposition == "restock"]
        try:
            self.world.settle(self.order, ret)
        except Conflict:
            assert self.uninvoiced, "a refund can only be impossible while something is not captured yet"
            return
        sku = self.order.line(line.line_id)[0].sku
        for receipt in shelved:
            self.stocked[sku, receipt.location_id] += receipt.quantity
        self._mark(line.line_id, newly, "returned", True, lambda unit: unit.coming_back and not unit.returned)

    def _at(self, fo: FulfillmentOrder, line_id: str) -> list[oracle.Unit]:
        return [u for u in self.units[line_id].units if u.allocated and not u.parcel and u.place == fo.location_id]

    def _delivered(self, parcel: Shipment) -> None:
        arrivals.arrive(self.order, [parcel], NOW)
        self.world.commit(self.order)
        for line in self.units.values():
            for unit in line.units:
                unit.delivered = unit.delivered or unit.parcel == parcel.id

    def _lose_place(self, fo: FulfillmentOrder, quantities_: dict[str, int]) -> None:
        for line_id, units in quantities_.items():
            for unit in self._at(fo, line_id)[:units]:
                unit.allocated, unit.place = False, ""

    def _mark(self, line_id: str, quantity: int, flag: str, value: bool, where: Any) -> None:
        chosen = [unit for unit in self.units[line_id].units if where(unit)][:quantity]
        assert len(chosen) == quantity
        for unit in chosen:
            setattr(unit, flag, value)

    def _nothing_more(self, ret: Return) -> None:
        (line,) = ret.lines
        free = line.open
        # Units that have arrived stay with the return; the others are free again.
        self._mark(line.line_id, free, "coming_back", False, lambda unit: unit.coming_back and not unit.returned)

    def _worth(self) -> int:
        shares = [Share()]
        lines = {line.id: line for line in self.order.placed.lines}
        for invoice in self.order.invoices.values():
            for row in invoice.lines:
                line = lines[row["line_id"]]
                shares += [line.frozen.units(row["units"]), *([line.delivery.units(row["units"])] if line.delivery else [])]
        charged = [invoice.id for invoice in self.order.invoices.values() if invoice.fees]
        assert len(charged) <= 1, "fees ride on one invoice"
        if charged:
            shares += [fee.frozen.all_units() for fee in self.order.placed.fees]
        for memo in self.order.credit_memos.values():
            gives_delivery_back = memo.return_id and self.order.returns[memo.return_id].reduce_shipping
            for row in memo.lines:
                line = lines[row["line_id"]]
                shares.append(-line.frozen.units(row["units"]))
                if gives_delivery_back and line.delivery:
                    shares.append(-line.delivery.units(row["units"]))
        return sum(share.total for share in shares)


TestLife = Life.TestCase
