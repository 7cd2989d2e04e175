"""Money through the machines: no goods without it, nothing paid back twice, and a person where nobody pays."""

from __future__ import annotations

from typing import Any

import pytest

from oms.clock import later, stamp
from tests.machines.engine import Engine
from tests.support.world import JSON, Call, order_body

REAUTHORIZES_NOT = "tok_reauthorization_decline"


def placed(engine: Engine, **more: Any) -> Any:
    order_id = engine.world.place(order_body(**more))["id"]
    engine.settle()
    return engine.world.order(order_id)


def act(engine: Engine, path: str, body: JSON | None = None, **more: Any) -> Any:
    answer = engine.world.done("POST", path, body, **more)
    engine.settle()
    return answer


def reconciled(engine: Engine, **later: float) -> None:
    engine.world.advance(**later)
    engine.world.invoke("reconcile", {})
    engine.settle()


def ship_everything(engine: Engine, order: Any) -> Any:
    engine.world.ship_all(engine.world.order(order["id"]))
    engine.settle()
    return engine.world.order(order["id"])


def arrived(engine: Engine, order: Any) -> Any:
    for parcel in engine.world.order(order["id"])["shipments"]:
        engine.world.carrier(parcel["tracking_number"], "delivered")
    engine.settle()
    return engine.world.order(order["id"])


def statuses(order: Any) -> tuple[str, str, str]:
    return order["status"], order["payment_status"], order["money_owed"]


def work(order: Any) -> str:
    return str(order["fulfillment_orders"][0]["status"])


def problem(engine: Engine) -> Any:
    (found,) = engine.world.done("GET", "/v1/exceptions")["data"]
    return found


def another_card(amount: int, token: str = "tok_approve") -> JSON:
    return {"method": "card", "gateway": "sandbox", "token": token, "amount": amount}


def test_work_whose_authorization_runs_out_is_held_and_authorized_again(engine: Engine) -> None:
    order = placed(engine)
    reconciled(engine, days=8)
    order = engine.world.order(order["id"])
    fo = order["fulfillment_orders"][0]["id"]
    assert engine.path(fo) == ["Ship", "Secure payment", "Ship"]
    assert (work(order), statuses(order)) == ("released", ("open", "authorized", "none"))
    assert engine.world.gateway.moved("authorize") == [3500, 3500]
    order = arrived(engine, ship_everything(engine, order))
    assert statuses(order) == ("completed", "captured", "none")
    assert engine.world.gateway.moved("capture") == [3500]
    assert order["payment"]["authorized"] - order["payment"]["voided"] == 3500


def test_a_day_before_it_runs_out_it_is_announced_and_renewed_and_not_held_twice(engine: Engine) -> None:
    order = placed(engine)
    reconciled(engine, days=6, hours=12)
    order = engine.world.order(order["id"])
    kinds = [kind for kind, _ in engine.world.facts(order["id"])]
    assert kinds.count("payment.authorization_expiring") == 1
    assert [change["kind"] for change in order["changes"]] == ["renewal"]
    assert (engine.world.gateway.moved("authorize"), engine.world.gateway.moved("void")) == ([3500, 3500], [3500])
    assert (work(order), statuses(order)) == ("released", ("open", "authorized", "none"))
    reconciled(engine, minutes=10)
    assert len(engine.world.order(order["id"])["changes"]) == 1


def test_who_cannot_be_authorized_again_is_put_before_a_person_and_another_card_goes_on(engine: Engine) -> None:
    order = placed(engine, token=REAUTHORIZES_NOT)
    reconciled(engine, days=8)
    order = engine.world.order(order["id"])
    found = problem(engine)
    assert (work(order), found["step"], found["kind"]) == ("on_hold", "Secure payment", "payment")
    assert {"resolve:release_anyway", "resolve:cancel"} <= set(found["actions"])
    assert (order["money_owed"], order["attention"]) == ("balance_due", ["payment", "exception", "overdue"])
    fo = order["fulfillment_orders"][0]["id"]
    assert (
        engine.world.call("POST", f"/v1/fulfillment-orders/{fo}/ship", {"packages": [{"lines": [{"line_id": "1", "quantity": 1}]}]}).status
        == 409
    )
    assert engine.world.call("POST", f"/v1/orders/{order['id']}/payments", another_card(3500)).status == 202
    engine.settle()
    order = engine.world.order(order["id"])
    assert (work(order), statuses(order)) == ("released", ("open", "authorized", "none"))
    assert [(each["status"], each["action"]) for each in order["exceptions"]] == [("resolved", "paid")]
    assert statuses(arrived(engine, ship_everything(engine, order))) == ("completed", "captured", "none")


def test_a_declined_second_card_changes_nothing_but_says_so(engine: Engine) -> None:
    order = placed(engine, token=REAUTHORIZES_NOT)
    reconciled(engine, days=8)
    act(engine, f"/v1/orders/{order['id']}/payments", another_card(3500, "tok_decline"))
    order = engine.world.order(order["id"])
    assert [change["status"] for change in order["changes"]] == ["refused"]
    assert (work(order), order["money_owed"]) == ("on_hold", "balance_due")


def test_goods_may_go_without_money_on_somebodys_word_and_are_owed_until_paid(engine: Engine) -> None:
    order = placed(engine, token=REAUTHORIZES_NOT)
    reconciled(engine, days=8)
    path = f"/v1/exceptions/{problem(engine)['id']}/resolve"
    assert engine.world.call("POST", path, {"action": "release_anyway"}, scopes=["service.write"]).status == 403
    act(engine, path, {"action": "release_anyway"}, scopes=["service.write", "finance.write"])
    order = arrived(engine, ship_everything(engine, order))
    assert (statuses(order), order["invoices"][0]["open_amount"]) == (("open", "voided", "balance_due"), 3500)
    act(engine, f"/v1/orders/{order['id']}/payments", another_card(3500))
    order = engine.world.order(order["id"])
    assert (statuses(order), order["invoices"][0]["open_amount"]) == (("completed", "captured", "none"), 0)


@pytest.mark.parametrize("remedy", ["another card", "a transfer", "a discount"])
def test_an_upcharge_that_nobody_pays_waits_for_a_person_and_goes_on_when_nothing_is_open(engine: Engine, remedy: str) -> None:
    order = placed(engine, token=REAUTHORIZES_NOT)
    order = arrived(engine, ship_everything(engine, order))
    row = {"line_id": "1", "type": "amount_with_tax", "reason": "late"}
    dearer = act(engine, f"/v1/orders/{order['id']}/adjustments", {"lines": [{**row, "amount": 120}]})["change"]["id"]
    found, invoice = problem(engine), engine.world.order(order["id"])["invoices"][1]
    assert (found["kind"], found["step"], invoice["open_amount"]) == ("payment", "Settle", 120)
    assert found["cause"].startswith("Unpaid: invoice")
    assert found["actions"] == ["retry", "abandon"]
    if remedy == "another card":
        act(engine, f"/v1/orders/{order['id']}/payments", another_card(120))
    elif remedy == "a transfer":
        act(engine, f"/v1/invoices/{invoice['id']}/payments", {"amount": 120, "reference": "T-1"})
    else:
        act(engine, f"/v1/orders/{order['id']}/adjustments", {"lines": [{**row, "amount": -120}]})
    order = engine.world.order(order["id"])
    assert statuses(order)[::2] == ("completed", "none")
    assert [(each["status"], each["action"]) for each in order["exceptions"]] == [("resolved", "paid")]
    assert engine.path(dearer) == ["Settle", "Raise exception: Settle", "Settle", "Settled"]


def test_nobody_waits_for_what_was_abandoned_but_is_told_what_is_missing(engine: Engine) -> None:
    """The parcel left, its capture was declined, somebody gave that up; then the goods come back."""
    order = arrived(engine, ship_everything(engine, placed(engine, token="tok_capture_decline")))
    failed = problem(engine)
    assert "release_anyway" in failed["hint"]
    act(engine, f"/v1/exceptions/{failed['id']}/abandon", {})
    body = {"lines": [{"line_id": "1", "quantity": 2}], "mode": "immediate"}
    ret = act(engine, f"/v1/orders/{order['id']}/returns", body)["id"]
    found = problem(engine)
    assert (found["step"], found["return_id"], found["error"]) == ("Return", ret, "FundsMissing")
    assert engine.world.gateway.moved("refund") == []


def test_unpaid_work_may_be_cancelled(engine: Engine) -> None:
    order = placed(engine, token=REAUTHORIZES_NOT)
    reconciled(engine, days=8)
    act(engine, f"/v1/exceptions/{problem(engine)['id']}/resolve", {"action": "cancel"})
    order = engine.world.order(order["id"])
    assert (work(order), order["status"], order["money_owed"]) == ("cancelled", "cancelled", "none")
    assert engine.world.figures("A") == (10, 0)


def test_an_authorization_that_allows_one_capture_is_made_again_for_the_rest(engine: Engine) -> None:
    order = placed(engine, token="tok_single_capture")
    fo = order["fulfillment_orders"][0]["id"]
    engine.world.ship(fo, {"1": 1}, "T1")
    engine.settle()
    order = engine.world.order(order["id"])
    first = engine.world.gateway.moved("capture")[0]
    assert engine.world.gateway.moved("authorize") == [3500 - first, 3500]
    assert statuses(order)[1:] == ("partially_captured", "none")
    engine.world.ship(fo, {"1": 1, "2": 1}, "T2")
    engine.settle()
    assert sum(engine.world.gateway.moved("capture")) == 3500
    assert statuses(arrived(engine, order)) == ("completed", "captured", "none")


@pytest.mark.parametrize("token", ["tok_async", "tok_async_decline"])
def test_a_gateway_that_decides_later_keeps_the_order_received_until_then(engine: Engine, token: str) -> None:
    answer = engine.world.call("POST", "/v1/orders", order_body(token=token))
    assert (answer.status, answer.body["status"], answer.body["payment_status"]) == (202, "received", "pending")
    engine.world.pump()
    order_id = answer.body["id"]
    engine.world.advance(minutes=2)
    engine.until(lambda: engine.world.order(order_id)["status"] != "received")
    engine.settle()
    expected = "open" if token == "tok_async" else "declined"
    assert engine.world.order(order_id)["status"] == expected
    assert engine.world.figures("A") == ((10, 2) if token == "tok_async" else (10, 0))


def test_a_capture_that_is_declined_after_shipment_can_be_paid_by_another_card(engine: Engine) -> None:
    order = ship_everything(engine, placed(engine, token="tok_capture_decline"))
    found = problem(engine)
    assert (found["step"], found["kind"]) == ("Capture payment", "payment")
    act(engine, f"/v1/orders/{order['id']}/payments", another_card(3500))
    order = arrived(engine, order)
    assert statuses(order) == ("completed", "captured", "none")
    assert (engine.world.gateway.moved("capture"), engine.world.gateway.moved("void")) == ([3500], [3500])
    assert [each["action"] for each in order["exceptions"]] == ["paid"]


def test_a_part_that_its_gateway_does_not_give_back_goes_with_the_last_capture(engine: Engine) -> None:
    engine.world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    engine.world.stock("B", "lyon", 0)
    order = placed(engine, token="tok_no_partial_void")
    fo = order["fulfillment_orders"][0]["id"]
    act(engine, f"/v1/fulfillment-orders/{fo}/reject", {"reason": "flood", "lines": [{"line_id": "2", "quantity": 1}]})
    order = engine.world.order(order["id"])
    assert ([change["status"] for change in order["changes"]], order["exceptions"]) == (["done"], [])
    engine.world.ship(fo, {"1": 2}, "T1")
    engine.settle()
    order = arrived(engine, order)
    assert statuses(order) == ("completed", "captured", "none")


class TestAnUpchargeOfAnOrderThatIsHeldForCapture:
    """It takes money, so it waits; and goes on by itself when nothing holds it any more."""

    def held(self, engine: Engine, order: Any, **more: Any) -> str:
        hold = {"kind": "fraud", "reason": "odd", "blocks": ["capture"], **more}
        return str(act(engine, f"/v1/orders/{order['id']}/holds", hold)["holds"][-1]["id"])

    def release(self, engine: Engine, order: Any, hold_id: str) -> Any:
        engine.world.done("DELETE", f"/v1/orders/{order['id']}/holds/{hold_id}")
        engine.settle()
        return engine.world.order(order["id"])

    def upcharged(self, engine: Engine, order: Any) -> str:
        line = {"line_id": "1", "type": "amount_with_tax", "amount": 200, "reason": "gift wrap"}
        return str(act(engine, f"/v1/orders/{order['id']}/adjustments", {"lines": [line]})["change"]["id"])

    @pytest.fixture
    def order(self, engine: Engine) -> Any:
        order = placed(engine)
        ship_everything(engine, order)
        return arrived(engine, order)

    def test_it_says_so_and_goes_on_with_the_release(self, engine: Engine, order: Any) -> None:
        hold = self.held(engine, order)
        change = self.upcharged(engine, order)
        found = problem(engine)
        assert (found["kind"], found["step"], found["cause"].split(":")[0]) == ("hold", "Settle", "HeldForCapture")
        assert "goes on by itself" in found["hint"]
        after = self.release(engine, order, hold)
        assert (after["changes"][0]["status"], engine.world.gateway.moved("capture")) == ("done", [200, 3500])
        assert [(each["status"], each["action"]) for each in after["exceptions"]] == [("resolved", "released")]
        assert engine.path(change) == ["Settle", "Raise exception: Settle", "Settle", "Settled"]

    def test_only_when_the_last_hold_goes(self, engine: Engine, order: Any) -> None:
        first, second = self.held(engine, order), self.held(engine, order)
        self.upcharged(engine, order)
        assert self.release(engine, order, first)["exceptions"][0]["status"] == "open"
        assert self.release(engine, order, second)["changes"][0]["status"] == "done"

    def test_a_hold_whose_time_is_over_lets_it_go_on(self, engine: Engine, order: Any) -> None:
        self.held(engine, order, expires_at=later(stamp(), hours=1))
        self.upcharged(engine, order)
        reconciled(engine, hours=2)
        assert engine.world.gateway.moved("capture") == [200, 3500]
        assert engine.world.done("GET", "/v1/exceptions")["data"] == []

    def test_a_release_that_comes_before_the_exception_is_on_record_is_not_missed(self, engine: Engine, order: Any) -> None:
        hold = self.held(engine, order)
        released: list[str] = []

        def interrupt(call: Call) -> None:
            if call.operation == "TransactWriteItems" and engine.world.wire.work.name.startswith("raise_exception") and not released:
                released.append(hold)
                engine.world.done("DELETE", f"/v1/orders/{order['id']}/holds/{hold}")

        with engine.world.wire.watched(before=interrupt):
            self.upcharged(engine, order)
        assert (released, engine.world.gateway.moved("capture")) == ([hold], [200, 3500])
