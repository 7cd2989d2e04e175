"""Gift cards and store credit over HTTP: loading, paying, giving back, and many at once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.world import JSON, Call, Killed, World, order_body

GIFT = "gift-1234"
PATH = f"/v1/credit-accounts/{GIFT}"
CARD = {"kind": "gift_card", "currency": "EUR", "balance": 5000}


def with_gift(world: World, amount: int = 3000, number: str = "W-1", rest: str = "tok_approve") -> JSON:
    """An order of 35.00 EUR paid by so much of a gift card, the rest by a card."""
    gift = {"method": "gift_card", "account_id": GIFT, "amount": amount}
    card = {"method": "card", "token": rest, "amount": 3500 - amount}
    return order_body(number, payments=[card, gift] if amount < 3500 else [gift])


def figures(world: World, account_id: str = GIFT) -> tuple[int, int, int]:
    """Balance, held and available."""
    account = world.done("GET", f"/v1/credit-accounts/{account_id}")
    return account["balance"], account["held"], account["available"]


@pytest.fixture
def loaded(world: World) -> World:
    world.done("PUT", PATH, CARD)
    return world


def test_an_existing_card_is_loaded_once(loaded: World) -> None:
    before = loaded.items()
    answer = loaded.done("PUT", PATH, CARD)
    assert (answer["balance"], answer["status"], loaded.items()) == (5000, "active", before)
    refused = loaded.call("PUT", PATH, {**CARD, "balance": 6000})
    assert (refused.status, "POST .../entries" in refused.body["detail"]) == (409, True)
    changed = loaded.done("PUT", PATH, {**CARD, "expires_at": "2030-01-01T00:00:00Z", "customer_id": "c-1"})
    assert (changed["expires_at"], changed["balance"]) == ("2030-01-01T00:00:00.000Z", 5000)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"balance": -1}, "/balance"), ({"currency": "EURO"}, "/currency"), ({"kind": "cash"}, "/kind"), ({"pin": 1}, "/pin")],
)
def test_what_makes_no_sense_is_422(world: World, change: JSON, pointer: str) -> None:
    assert world.call("PUT", PATH, {**CARD, **change}).pointers == {pointer}
    assert world.call("PUT", "/v1/credit-accounts/a b", CARD).status == 422
    assert world.call("GET", PATH).status == 404


def test_an_order_holds_what_it_will_spend_and_the_gift_card_comes_first(loaded: World) -> None:
    order = loaded.place(with_gift(loaded))
    assert [(p["method"], p["authorized"], p["account_id"]) for p in order["payments"]] == [
        ("gift_card", 3000, "...1234"),
        ("card", 500, None),
    ]
    assert figures(loaded) == (5000, 3000, 2000)


def test_the_whole_number_is_nowhere_but_where_it_is_needed(loaded: World, capsys: pytest.CaptureFixture[str]) -> None:
    order = loaded.place(with_gift(loaded))
    loaded.pump()
    loaded.done("GET", PATH)
    assert GIFT not in str([order, loaded.facts(order["id"]), loaded.published()])
    assert GIFT not in capsys.readouterr().out


def test_a_shipment_spends_its_share_and_a_return_gives_it_back_once(loaded: World) -> None:
    order = loaded.delivered(with_gift(loaded, 3500))
    assert figures(loaded) == (1500, 0, 1500)
    lines = [{"line_id": "1", "quantity": 1, "reason": "too small"}]
    ret = loaded.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": lines})
    loaded.done("POST", f"/v1/returns/{ret['id']}/approve")
    loaded.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": 1}]})
    for _ in range(3):
        loaded.step("return_order", "Return", order["id"], return_id=ret["id"])
    assert figures(loaded) == (2700, 0, 2700)
    entries = loaded.done("GET", PATH)["entries"]
    assert [(entry["number"], entry["kind"], entry["balance"], entry["held"]) for entry in entries] == [
        (4, "refund", 1200, 0),
        (3, "capture", -3500, -3500),
        (2, "hold", 0, 3500),
        (1, "opening", 5000, 0),
    ]
    assert {entry["cause"] for entry in entries[:3]} == {order["id"]}


def given_up(world: World, body: JSON) -> str:
    """An order that its location cannot serve and that the channel then cancels."""
    world.done("PUT", "/v1/channels/web", {"location_group": "all", "on_unfillable": "cancel_and_refund"})
    for sku in ("A", "B"):
        world.stock(sku, "lyon", 0)
    order = world.allocated(body)
    world.done("POST", f"/v1/fulfillment-orders/{order['fulfillment_orders'][0]['id']}/reject", {"reason": "flood"})
    world.step("allocate", "Allocate", order["id"])
    return str(order["id"])


def settle(world: World, order_id: str) -> None:
    """What the change machine does for every change of the order."""
    for change in world.order(order_id)["changes"]:
        world.step("settle", "Settle", order_id, change_id=change["id"])


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_order_gives_the_card_back_whole_c25(loaded: World, times: int) -> None:
    order_id = given_up(loaded, with_gift(loaded))
    for _ in range(times):
        loaded.step("capture_payment", "Release payment", order_id)
        settle(loaded, order_id)
    assert figures(loaded) == (5000, 0, 5000)
    assert loaded.order(order_id)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({"balance": 2999}, "insufficient_credit"),
        ({"currency": "USD"}, "wrong_currency"),
        ({"customer_id": "c-2"}, "wrong_customer"),
        ({"kind": "store_credit"}, "wrong_kind"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expired_credit"),
    ],
)
def test_a_card_that_cannot_pay_declines_the_order(world: World, account: JSON, reason: str) -> None:
    world.done("PUT", PATH, {**CARD, **account})
    order = world.place(with_gift(world), status=402)
    assert [data.get("reason") for name, data in world.facts(order["id"]) if name == "payment.declined"] == [reason]
    assert (world.figures("A"), world.gateway.moved("authorize")) == ((10, 0), [])
    assert figures(world)[1] == 0


def test_a_card_that_nobody_knows_declines_the_order(world: World) -> None:
    order = world.place(with_gift(world), status=402)
    assert order["payments"][0]["status"] == "failed"
    assert world.call("GET", PATH).status == 404


def test_when_the_card_behind_it_is_declined_the_hold_is_given_back(loaded: World) -> None:
    order = loaded.place(with_gift(loaded, rest="tok_decline"), status=402)
    assert [payment["status"] for payment in order["payments"]] == ["voided", "failed"]
    assert figures(loaded) == (5000, 0, 5000)


def test_a_declined_order_is_paid_by_a_gift_card(loaded: World) -> None:
    order = loaded.place(order_body(token="tok_decline"), status=402)
    tender = {"method": "gift_card", "account_id": GIFT, "amount": 3500}
    answer = loaded.call("POST", f"/v1/orders/{order['id']}/payments", tender)
    assert (answer.status, answer.body["status"], figures(loaded)) == (201, "open", (5000, 3500, 1500))


def test_store_credits_are_spent_by_priority_d13(world: World) -> None:
    priorities = {"c1": 30, "c2": 20, "c3": 10}
    for name, priority in priorities.items():
        account = {"kind": "store_credit", "currency": "EUR", "balance": 2000, "priority": priority}
        world.done("PUT", f"/v1/credit-accounts/{name}", account)
    tenders = [
        {"method": "store_credit", "account_id": name, "amount": amount}
        for name, amount in zip(priorities, (1000, 1000, 1500), strict=True)
    ]
    order = world.place(order_body(payments=tenders))
    assert [payment["account_id"] for payment in order["payments"]] == ["c3", "c2", "c1"]


@pytest.mark.parametrize("death", range(1, 6))
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_write_of_a_submit_and_sent_again_it_holds_once(loaded: World, death: int, when: str) -> None:
    seen: list[Call] = []

    def die(call: Call) -> None:
        seen.extend([call] if call.writes else [])
        if call.writes and len(seen) == death:
            raise Killed

    body = with_gift(loaded)
    try:
        with loaded.wire.watched(**{when: die}):
            loaded.call("POST", "/v1/orders", body)
    except Killed:
        loaded.advance(seconds=60)  # the lease of who died has run out
    order = loaded.place(body)
    assert (order["status"], figures(loaded)) == ("open", (5000, 3000, 2000))


def test_of_many_orders_at_once_the_card_pays_for_as_many_as_it_can(loaded: World) -> None:
    for sku in ("A", "B"):
        loaded.stock(sku, "berlin", 100)
    bodies = [with_gift(loaded, 1500, f"W-{n}") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = [answer.status for answer in pool.map(lambda body: loaded.call("POST", "/v1/orders", body), bodies)]
    assert sorted(statuses) == [201, 201, 201, 402, 402, 402]
    assert figures(loaded) == (5000, 4500, 500)


def correct(world: World, amount: int, key: str | None = None, reason: str = "goodwill") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return world.call("POST", f"{PATH}/entries", {"amount": amount, "reason": reason}, headers=headers)


def test_a_balance_is_corrected_by_hand_once_per_key(loaded: World) -> None:
    first, again = correct(loaded, -700, "k-1"), correct(loaded, -700, "k-1")
    assert (first.status, first.body["balance"], first.body["entry"]["actor"]) == (201, 4300, "client:shop")
    assert (again.status, again.body["balance"], again.headers["idempotent-replayed"]) == (201, 4300, "true")
    assert again.body["entry"] == first.body["entry"]
    assert (correct(loaded, -701, "k-1").status, figures(loaded)[0]) == (422, 4300)
    assert [correct(loaded, 100).body["balance"] for _ in range(2)] == [4400, 4500]


def test_a_correction_that_cannot_be_is_refused(loaded: World) -> None:
    loaded.place(with_gift(loaded))
    before = loaded.items()
    assert correct(loaded, -2001).status == 409
    assert loaded.call("POST", "/v1/credit-accounts/nobody/entries", {"amount": 1, "reason": "x"}).status == 404
    assert loaded.call("POST", f"{PATH}/entries", {"amount": 1.5}).pointers == {"/amount", "/reason"}
    assert loaded.items() == before


def test_entries_are_read_page_by_page_newest_first(loaded: World) -> None:
    for n in range(1, 6):
        correct(loaded, n)
    seen, cursor = [], ""
    while True:
        page = loaded.done("GET", PATH, query={"limit": "4", **({"cursor": cursor} if cursor else {})})
        seen += [entry["amount"] for entry in page["entries"]]
        cursor = page["next_cursor"] or ""
        if not cursor:
            break
    assert seen == [5, 4, 3, 2, 1, 5000]


GIFTS = {"A": 2}


def sold(world: World, quantity: int = 2) -> Any:
    """An order of so many gift cards of 12.00 EUR each, delivered."""
    body = order_body(quantities={"A": quantity})
    body["lines"][0]["product"] = {"gift_card": True}
    body["payments"][0]["amount"] = 1200 * quantity + 600
    return world.delivered(body)


def cards(world: World, order: JSON) -> list[JSON]:
    found: list[JSON] = world.done("GET", f"/v1/orders/{order['id']}/gift-cards")["data"]
    return found


def give_back(world: World, order: JSON, quantity: int) -> str:
    """A return that has arrived; its id."""
    ret = world.done("POST", f"/v1/orders/{order['id']}/returns", {"lines": [{"line_id": "1", "quantity": quantity, "reason": "unwanted"}]})
    world.done("POST", f"/v1/returns/{ret['id']}/approve")
    world.done("POST", f"/v1/returns/{ret['id']}/receive", {"lines": [{"line_id": "1", "quantity": quantity}]})
    return str(ret["id"])


def test_a_gift_card_sold_is_active_once_it_is_delivered(world: World) -> None:
    order = sold(world)
    assert {card["status"] for card in cards(world, order)} == {"pending"}
    for _ in range(2):
        world.wire.stream += [item for item in world.items()["oms-orders"] if item["pk"]["S"] == f"credit_{order['id']}"]
        world.pump()
    found = cards(world, order)
    assert [(card["unit"], card["status"], card["balance"], card["currency"]) for card in found] == [
        (1, "active", 1200, "EUR"),
        (2, "active", 1200, "EUR"),
    ]
    assert all(re.fullmatch(rf"gc-{order['id'][4:]}-1-\d-[0-9a-f]{{10}}", card["id"]) for card in found)
    opened = [event["data"]["account_id"] for event in world.published() if event["type"] == "gift_card.activated"]
    assert set(opened) == {"..." + card["id"][-4:] for card in found}


def test_a_gift_card_is_not_active_before_it_is_delivered(world: World) -> None:
    body = order_body(quantities={"A": 1})
    body["lines"][0]["product"] = {"gift_card": True}
    order = world.allocated(body)
    world.ship_all(order)
    world.pump()
    assert cards(world, order) == []


def test_of_two_cards_bought_one_is_paid_back_and_one_stays_active_c25(world: World) -> None:
    order = sold(world)
    world.pump()
    before = cards(world, order)
    ret = give_back(world, order, 1)
    for _ in range(2):
        world.step("return_order", "Return", order["id"], return_id=ret)
    world.pump()
    assert [card["unit"] for card in cards(world, order)] == [2]
    states = [world.done("GET", f"/v1/credit-accounts/{card['id']}") for card in before]
    assert [(state["status"], state["balance"]) for state in states] == [("closed", 0), ("active", 1200)]
    assert world.gateway.moved("refund") == [1200]


def test_a_card_that_was_spent_from_cannot_be_returned(world: World) -> None:
    order = sold(world, 1)
    world.pump()
    [card] = cards(world, order)
    tender = [{"method": "gift_card", "account_id": card["id"], "amount": 500}]
    world.place(order_body("W-2", quantities={"B": 1}, payments=[*tender, {"method": "card", "token": "tok_approve", "amount": 600}]))
    lines = {"lines": [{"line_id": "1", "quantity": 1, "reason": "unwanted"}]}
    before = world.items()
    answer = world.call("POST", f"/v1/orders/{order['id']}/returns", lines)
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:gift-card-spent")
    assert world.items() == before


def test_a_card_that_is_spent_while_it_comes_back_is_not_paid_back(world: World) -> None:
    order = sold(world, 1)
    world.pump()
    [card] = cards(world, order)
    ret = give_back(world, order, 1)
    tender = [{"method": "gift_card", "account_id": card["id"], "amount": 500}]
    world.place(order_body("W-2", quantities={"B": 1}, payments=[*tender, {"method": "card", "token": "tok_approve", "amount": 600}]))
    with pytest.raises(Exception, match="was spent from"):
        world.step("return_order", "Return", order["id"], return_id=ret)
    assert (world.gateway.moved("refund"), world.done("GET", f"/v1/credit-accounts/{card['id']}")["status"]) == ([], "active")
