"""Random lives with everything that agents do after the sale, on top of all that can go wrong with money: cancellations with recall,
adjustments, edits, reshipments, claims, goodwill, in any order with shipments, returns, declines, kills. Every law holds after every move,
and every preview that asks nobody comes to exactly what is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oms.flows.replacements import send_again
from oms.fulfillment import arrivals
from oms.fulfillment.records import Shipment
from oms.orders.order import Order
from oms.orders.statuses import totals
from oms.payments.cover import due
from oms.payments.records import Change
from oms.returns import returns
from oms.returns.requests import RESOLUTIONS
from oms.service import adjustments, cancellations, claims, edits, goodwill, recalls, reshipments
from oms.service.figures import figures, foresee
from oms.settings import Settings
from oms.storage.inventory import stock_of
from oms.storage.settings import settings
from tests.properties.test_money_life import RETURN_FEES, Life

FEES: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"code": "cancel", "amount": 7}],
    [{"code": "cancel", "percent": "12.5", "taxes": [{"name": "VAT", "rate": "19"}]}],
)
_ENOUGH = 10
"""Tenders that somebody tries on one order: what was charged back is not collected by another card, however many come."""
Act = Callable[[Order], list[Change]]


class ServiceLife(Life):
    """Rules are what agents ask for, and what locations answer."""

    @rule(data=st.data(), reduce=st.sampled_from([None, True, False]), fees=st.sampled_from(FEES), run=st.booleans())
    def units_are_cancelled(self, data: st.DataObject, reduce: bool | None, fees: list[dict[str, Any]], run: bool) -> None:
        line_id = data.draw(st.sampled_from(sorted(self.shop.order().summary.lines)))
        quantity = data.draw(st.integers(1, 3))
        body = {"lines": [{"line_id": line_id, "quantity": quantity}], "reduce_shipping": reduce, "fees": fees}
        self._ask(lambda order: [cancellations.cancel(order, _read(cancellations.CancelRequest, body), settings(), "agent")], run)

    @rule(reduce=st.sampled_from([None, True, False]), fees=st.sampled_from(FEES), run=st.booleans())
    def all_is_cancelled(self, reduce: bool | None, fees: list[dict[str, Any]], run: bool) -> None:
        body = {"all": True, "reduce_shipping": reduce, "fees": fees}
        self._ask(lambda order: [cancellations.cancel(order, _read(cancellations.CancelRequest, body), settings(), "agent")], run)

    @precondition(lambda self: any(change.asks for change in self.shop.order().changes.values()))
    @rule(data=st.data(), run=st.booleans())
    def a_location_answers(self, data: st.DataObject, run: bool) -> None:
        change = data.draw(st.sampled_from([change for change in self.shop.order().changes.values() if change.asks]))
        line = data.draw(st.sampled_from([line for line in change.lines if line.held]))
        self._answer(change, line.fulfillment_order_id or "", data.draw(st.integers(0, 3)))
        if run:
            self.shop.run()

    @precondition(lambda self: any(change.asks for change in self.shop.order().changes.values()))
    @rule()
    def nobody_answers_in_time(self) -> None:
        self.shop.pass_time(hours=25)
        self._act(recalls.decide_overdue)

    @rule(
        data=st.data(),
        amount=st.integers(-2000, 700).filter(bool),
        kind=st.sampled_from(["amount_with_tax", "amount_without_tax", "percentage"]),
        delivery=st.booleans(),
        include=st.sampled_from(["refuse", "include"]),
        run=st.booleans(),
    )
    def a_price_is_adjusted(self, data: st.DataObject, amount: int, kind: str, delivery: bool, include: str, run: bool) -> None:
        order = self.shop.order()
        about = {"delivery_group": data.draw(st.sampled_from([group.id for group in order.groups]))}
        if not delivery:
            about = {"line_id": data.draw(st.sampled_from(sorted(order.summary.lines)))}
        much = {"percent": str(amount / 20)} if kind == "percentage" else {"amount": amount}
        body = {"lines": [{**about, "type": kind, **much, "reason": "late"}], "in_fulfillment": include}
        self._ask(lambda fresh: adjustments.adjust(fresh, _read(adjustments.AdjustRequest, body), settings(), "agent"), run)

    @rule(data=st.data(), op=st.sampled_from(["set_quantity", "set_price", "set_method", "add_line"]), run=st.booleans())
    def the_order_is_edited(self, data: st.DataObject, op: str, run: bool) -> None:
        order = self.shop.order()
        line_id = data.draw(st.sampled_from(sorted(order.summary.lines)))
        line, _ = order.line(line_id)
        operation: dict[str, Any] = {"op": op, "line_id": line_id}
        if op == "set_quantity":
            operation["quantity"] = data.draw(st.integers(0, 5))
        elif op == "set_price":
            operation["unit_price"] = data.draw(st.integers(0, 2 * line.unit_price + 3))
        elif op == "set_method":
            charge = data.draw(st.none() | st.integers(0, 900))
            operation = {"op": op, "delivery_group": line.delivery_group, "method": "express"}
            operation |= {} if charge is None else {"charge": {"amount": charge, "taxes": [{"name": "VAT", "rate": "20"}]}}
        else:
            self.parcels += 1
            taxes = [{"name": tax.name, "rate": tax.rate} for tax in line.taxes]
            new = {"sku": line.sku, "quantity": data.draw(st.integers(1, 3)), "unit_price": data.draw(st.integers(0, 999)), "taxes": taxes}
            operation = {"op": op, "line": {"id": f"new-{self.parcels}", "delivery_group": line.delivery_group, **new}}
        request = _read(edits.EditRequest, {"operations": [operation]})
        self._ask(lambda fresh: [edits.edit(fresh, request, stock_of, _settings(), "agent")], run)

    @precondition(lambda self: self.shop.order().shipments)
    @rule(data=st.data(), quantity=st.integers(1, 3), run=st.booleans())
    def units_are_sent_again(self, data: st.DataObject, quantity: int, run: bool) -> None:
        line_id = data.draw(st.sampled_from(sorted(self.shop.order().summary.lines)))
        request = _read(reshipments.ReshipRequest, {"lines": [{"line_id": line_id, "quantity": quantity}]})
        self._ask(lambda order: [reshipments.reship(order, request, send_again, settings(), "agent")], run)

    @precondition(lambda self: any(fo.replaces for fo in self.shop.order().fulfillment_orders.values()))
    @rule(data=st.data(), run=st.booleans())
    def a_replacement_is_cancelled(self, data: st.DataObject, run: bool) -> None:
        work = [fo.id for fo in self.shop.order().fulfillment_orders.values() if fo.replaces]
        request = _read(cancellations.CancelRequest, {"replacement": data.draw(st.sampled_from(work))})
        self._ask(lambda order: [cancellations.cancel(order, request, settings(), "agent")], run)

    @precondition(lambda self: self.shop.order().shipments)
    @rule(data=st.data(), remedy=st.sampled_from(["reship", "refund"]), delivery=st.booleans(), run=st.booleans())
    def a_parcel_is_claimed(self, data: st.DataObject, remedy: str, delivery: bool, run: bool) -> None:
        parcel = data.draw(st.sampled_from(list(self.shop.order().shipments.values())))
        line_id = data.draw(st.sampled_from(sorted(parcel.lines)))
        kind = data.draw(st.sampled_from(["missing", "damaged"] if parcel.delivered_at else ["lost"]))
        row = {"line_id": line_id, "quantity": data.draw(st.integers(1, 3))}
        more = {"reduce_shipping": delivery} if remedy == "refund" else {}
        request = _read(claims.ShipmentClaim, {"shipment_id": parcel.id, "kind": kind, "lines": [row], "remedy": remedy, **more})
        self._ask(lambda order: [claims.claim(order, request, send_again, settings(), "agent")], run)

    @precondition(lambda self: any(self._returnable()))
    @rule(
        data=st.data(),
        mode=st.sampled_from(["rma", "immediate"]),
        resolutions=st.lists(st.sampled_from(RESOLUTIONS), min_size=1, max_size=2),
        reduce_shipping=st.booleans(),
        fees=st.none() | st.sampled_from(RETURN_FEES),
        run=st.booleans(),
    )
    def a_return_is_announced(
        self, data: st.DataObject, mode: str, resolutions: list[str], reduce_shipping: bool, fees: list[dict[str, Any]] | None, run: bool
    ) -> None:
        """Of one or two lines, each with a resolution of its own. What comes of it later is told by `a_return_goes_on`."""
        free = list(self._returnable())[: len(resolutions)]
        lines = [
            {"line_id": line_id, "quantity": data.draw(st.integers(1, most)), "resolution": resolution}
            for (line_id, most), resolution in zip(free, resolutions, strict=False)
        ]
        body = {"lines": lines, "mode": mode, "reduce_shipping": reduce_shipping, "fees": fees}
        self._act(lambda order: returns.request_return(order, _read(returns.ReturnRequest, body), settings()))
        if run:
            self.shop.run()

    @precondition(lambda self: self.shop.order().returns)
    @rule(data=st.data(), action=st.sampled_from(["receive", "receive", "receive", "approve", "reject", "cancel", "close", "expire"]))
    def a_return_goes_on(self, data: st.DataObject, action: str) -> None:
        return_id = data.draw(st.sampled_from(sorted(self.shop.order().returns)))
        units = data.draw(st.integers(1, 3))
        self._act(lambda order: self.go_back(order, order.returns[return_id], action, units))

    @staticmethod
    def go_back(order: Order, ret: Any, action: str, units: int) -> None:
        if action == "receive":
            if ret.status == "requested":
                returns.approve(order, ret)
            rows = [{"line_id": line.line_id, "quantity": min(units, line.open)} for line in ret.lines if line.open]
            if rows:
                returns.receive(order, ret, returns.ReceiveRequest.model_validate({"lines": rows}), settings())
        elif action == "reject":
            returns.reject(order, ret, "no")
        else:
            getattr(returns, action)(order, ret)

    @precondition(lambda self: any(parcel.written_off and not parcel.delivered_at for parcel in self.shop.order().shipments.values()))
    @rule(data=st.data())
    def what_was_written_off_arrives(self, data: st.DataObject) -> None:
        lost = [parcel.id for parcel in self.shop.order().shipments.values() if parcel.written_off and not parcel.delivered_at]
        parcel = data.draw(st.sampled_from(lost))
        self.shop.change(lambda order: arrivals.arrive(order, _not_there(order.shipments[parcel]), order.now))

    @precondition(lambda self: self.shop.order().invoices)
    @rule(data=st.data(), amount=st.none() | st.integers(1, 900), to=st.sampled_from(["original", "store_credit"]), run=st.booleans())
    def money_is_given_for_goodwill(self, data: st.DataObject, amount: int | None, to: str, run: bool) -> None:
        lines = data.draw(st.none() | st.lists(st.sampled_from(sorted(self.shop.order().summary.lines)), min_size=1, unique=True))
        body = {"amount": amount, "lines": lines, "reason": "late", "to": to}
        request = _read(goodwill.GoodwillRequest, body)
        self._ask(lambda order: [goodwill.refund(order, request, settings(), "agent")], run)

    def _ask(self, act: Act, run: bool) -> None:
        """A change, with its preview: what asks nobody comes to exactly what was foreseen."""

        def submit(order: Order) -> None:
            order.must_be_live()
            before = totals(order).model_dump()
            said = figures(order, *foresee(order, act))
            changes = act(order)
            if not any(change.asks for change in changes):
                now = totals(order).model_dump()
                assert {name: said[name] for name in now} == {name: now[name] - before[name] for name in now}

        self._act(submit)
        if run:
            self.shop.run()

    def _answer(self, change: Change, fulfillment_order_id: str, most: int) -> None:
        mine = [line for line in change.lines if line.held and line.fulfillment_order_id == fulfillment_order_id]
        rows = [{"line_id": line.line_id, "quantity": min(most, sum(last - first + 1 for first, last in line.held))} for line in mine]
        response = cancellations.CancelResponse.model_validate({"change_id": change.id, "lines": rows})
        self._act(lambda order: cancellations.answer(order, order.fulfillment_order(fulfillment_order_id), response))

    def _go_on(self, number: int) -> bool:
        order = self.shop.order()
        waiting = [ret.id for ret in order.returns.values() if ret.status == "requested"]
        if waiting:
            self._act(lambda order: returns.cancel(order, order.returns[waiting[0]]))
            return True
        asks = [(change, line) for change in order.changes.values() for line in change.lines if line.held]
        if asks:
            self._answer(asks[0][0], asks[0][1].fulfillment_order_id or "", number % 3)
            return True
        wanted = any(problem.kind == "payment" for problem in self._open_problems()) and due(order) > 0
        if wanted and number % 3 == 0 and len(order.payments) < _ENOUGH:
            self._pay(due(order), "approve")
            return True
        return super()._go_on(number // 3 if number % 3 else number)


def _not_there(parcel: Shipment) -> list[Shipment]:
    return [] if parcel.delivered_at else [parcel]


def _read(kind: Any, body: dict[str, Any]) -> Any:
    return kind.model_validate(body)


def _settings() -> Settings:
    return settings()


TestServiceLife = ServiceLife.TestCase
_THOROUGH = hypothesis_settings().max_examples > 100
TestServiceLife.settings = hypothesis_settings(
    max_examples=2000 if _THOROUGH else 40,
    stateful_step_count=60 if _THOROUGH else 30,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
