"""`on_problem: hold`: the money was taken elsewhere, so the order is kept, held, and put before somebody with what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.orders import a_card, a_line, an_order
from tests.support.world import JSON, World, order_body

HELD: JSON = {"on_problem": "hold"}


def captured_elsewhere(amount: int) -> JSON:
    return {"method": "card", "gateway": "sandbox", "amount": amount, "capture": {"reference": "cap_1", "amount": amount}}


def short(world: World, **more: Any) -> Any:
    """25 of A are ordered and 20 are there."""
    payments = [captured_elsewhere(30000)]
    return world.place(an_order(a_line("1", "A", 25, 1200), **{"payments": payments, **HELD, **more}))


def problem_of(order: Any) -> Any:
    (problem,) = [each for each in order["exceptions"] if each["status"] == "open"]
    return problem


def decide(world: World, order: Any, verb: str, **body: Any) -> Any:
    world.done("POST", f"/v1/exceptions/{problem_of(order)['id']}/{verb}", body)
    return world.order(order["id"])


def test_stock_short_holds_the_order_and_says_which_lines(world: World) -> None:
    order = short(world)
    assert (order["status"], order["payment_status"], order["on_problem"]) == ("on_hold", "captured", "hold")
    assert (order["lines"][0]["quantities"]["reserved"], order["lines"][0]["quantities"]["backordered"]) == (20, 0)
    (hold,) = order["holds"]
    assert (hold["kind"], hold["blocks"]) == ("stock_short", ["allocate"])
    problem = problem_of(order)
    assert problem["kind"] == "allocation"
    assert "5 of 25 A are not in stock" in problem["cause"]
    assert order["attention"] == ["hold", "exception"]
    assert [each["id"] for each in world.done("GET", "/v1/exceptions")["data"]] == [problem["id"]]
    assert world.step("allocate", "Allocate", order["id"])["next"] == "wait_for_release"


def test_without_it_the_order_is_refused_and_nothing_is_left(world: World) -> None:
    before = world.items()
    answer = world.call("POST", "/v1/orders", an_order(a_line("1", "A", 25, 1200), payments=[captured_elsewhere(30000)]))
    assert (answer.status, answer.pointers) == (409, {"/lines/0/quantity"})
    assert world.items() == before


def test_a_repeated_submit_is_the_same_order_and_one_exception(world: World) -> None:
    first, again = short(world), short(world)
    assert (again["id"], len(again["holds"]), len(again["exceptions"])) == (first["id"], 1, 1)


def test_stock_comes_and_a_retry_lets_the_order_go(world: World) -> None:
    order = short(world)
    world.stock("A", "berlin", 40)
    order = decide(world, order, "retry")
    assert (order["status"], [each["status"] for each in order["exceptions"]]) == ("open", ["retried"])
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    assert world.order(order["id"])["lines"][0]["quantities"]["allocated"] == 25


def test_what_is_not_there_may_be_cancelled_and_its_money_goes_back(world: World) -> None:
    order = decide(world, short(world), "resolve", action="cancel_and_refund")
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    order = world.order(order["id"])
    (change,) = order["changes"]
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    order = world.order(order["id"])
    assert (order["totals"]["grand_total"], order["payment"]["refunded"], order["money_owed"]) == (24000, 6000, "none")


def test_who_releases_the_hold_ends_its_exception(world: World) -> None:
    order = short(world)
    world.done("DELETE", f"/v1/orders/{order['id']}/holds/{order['holds'][0]['id']}")
    order = world.order(order["id"])
    assert (order["status"], [(each["status"], each["action"]) for each in order["exceptions"]]) == ("open", [("resolved", "released")])


@pytest.mark.parametrize(("paid", "words"), [(3501, "0.01 EUR more"), (3401, "0.99 EUR less"), (3599, "0.99 EUR more")])
def test_a_total_off_by_less_than_the_setting_holds_the_order(world: World, paid: int, words: str) -> None:
    order = world.place(order_body(payments=[captured_elsewhere(paid)], **HELD))
    assert (order["status"], order["money_owed"]) == ("on_hold", "credit_owed" if paid > 3500 else "balance_due")
    assert words in problem_of(order)["cause"]
    assert order["lines"][0]["quantities"]["reserved"] == 2


@pytest.mark.parametrize(("paid", "within"), [(3600, 100), (3400, 100), (3501, 1), (3501, 0), (3502, 2)])
def test_a_total_off_by_more_is_422_and_names_both_figures(world: World, paid: int, within: int) -> None:
    world.done("PUT", "/v1/channels/web", {"hold_difference": within})
    answer = world.call("POST", "/v1/orders", order_body(payments=[captured_elsewhere(paid)], **HELD))
    assert (answer.status, answer.pointers) == (422, {"/payments"})
    assert str(paid) in answer.body["errors"][0]["detail"]
    assert "3500" in answer.body["errors"][0]["detail"]


def test_what_was_paid_too_much_goes_back_when_somebody_accepts(world: World) -> None:
    order = decide(world, world.place(order_body(payments=[captured_elsewhere(3550)], **HELD)), "resolve", action="accept")
    (change,) = order["changes"]
    assert (change["kind"], change["worth"]) == ("overpayment", 50)
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    order = world.order(order["id"])
    assert (order["status"], order["payment"]["refunded"], order["money_owed"]) == ("open", 50, "none")
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}


def test_what_is_missing_stays_owed_and_another_tender_pays_it(world: World) -> None:
    order = decide(world, world.place(order_body(payments=[captured_elsewhere(3450)], **HELD)), "resolve", action="accept")
    assert (order["status"], order["money_owed"], order["payment"]["balance_due"]) == ("open", "balance_due", 50)
    assert world.step("allocate", "Allocate", order["id"]) == {"next": "allocated"}
    assert world.order(order["id"])["fulfillment_orders"][0]["status"] == "on_hold"
    world.done("POST", f"/v1/orders/{order['id']}/payments", a_card(50))
    (change,) = world.order(order["id"])["changes"]
    assert world.step("settle", "Settle", order["id"], change_id=change["id"])["next"] == "settled"
    order = world.order(order["id"])
    assert (order["money_owed"], order["fulfillment_orders"][0]["status"]) == ("none", "released")


def test_terms_that_the_others_exceed_by_a_cent_take_nothing(world: World) -> None:
    payments = [captured_elsewhere(3501), {"method": "terms", "terms": {"net_days": 14}}]
    order = world.place(order_body(payments=payments, **HELD))
    assert (order["status"], [each["method"] for each in order["payments"]]) == ("on_hold", ["card"])


def test_both_at_once_are_two_exceptions_and_both_are_to_be_ended(world: World) -> None:
    order = short(world, payments=[captured_elsewhere(30001)])
    assert sorted(each["kind"] for each in order["exceptions"]) == ["allocation", "payment"]
    first, second = order["exceptions"]
    world.done("POST", f"/v1/exceptions/{first['id']}/{'resolve' if first['kind'] == 'payment' else 'retry'}", _how(first))
    assert world.order(order["id"])["status"] == "on_hold"
    world.done("POST", f"/v1/exceptions/{second['id']}/{'resolve' if second['kind'] == 'payment' else 'retry'}", _how(second))
    assert world.order(order["id"])["status"] == "open"


def _how(problem: Any) -> JSON:
    return {"action": "accept"} if problem["kind"] == "payment" else {}


def test_a_declined_card_declines_the_order_all_the_same_and_it_starts_afresh(world: World) -> None:
    order = world.place(an_order(a_line("1", "A", 25, 1200), token="tok_decline", **HELD), status=402)
    assert (order["status"], order["exceptions"]) == ("declined", [])
    world.stock("A", "berlin", 40)
    answer = world.call("POST", f"/v1/orders/{order['id']}/payments", a_card(30000))
    assert (answer.status, answer.body["status"], answer.body["exceptions"]) == (201, "open", [])
    assert answer.body["lines"][0]["quantities"]["reserved"] == 25


def test_taken_for_later_it_is_held_too(world: World) -> None:
    order = world.place(
        an_order(a_line("1", "A", 25, 1200), payments=[captured_elsewhere(30000)], **HELD), status=202, headers={"Prefer": "respond-async"}
    )
    assert world.step("capture", "Capture", order["id"])["next"] == "allocate"
    order = world.order(order["id"])
    assert (order["status"], problem_of(order)["kind"]) == ("on_hold", "allocation")


def test_the_exception_of_a_cent_is_found_in_the_list_and_closed_in_it(world: World) -> None:
    order = world.place(order_body(payments=[captured_elsewhere(3501)], **HELD))
    assert [each["kind"] for each in world.done("GET", "/v1/exceptions")["data"]] == ["payment"]
    decide(world, order, "resolve", action="accept")
    assert world.done("GET", "/v1/exceptions")["data"] == []
