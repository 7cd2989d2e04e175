"""Payment webhooks: a gateway's news is folded into the tender it names, in any order, any number of times."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from tests.support.world import SECRETS, Answer, World, order_body

PATH = "/v1/webhooks/payments/sandbox"


def tell(
    world: World, payment_id: str, kind: str, state: str = "succeeded", *, reference: str = "r1", hour: int = 10, amount: int = 500
) -> Answer:
    at = f"2027-01-01T{hour}:00:00Z"
    data = {"payment_id": payment_id, "kind": kind, "state": state, "reference": reference, "amount": amount, "occurred_at": at}
    return world.signed(PATH, {"type": "payment.event", "data": data})


def test_a_chargeback_is_folded_in_once(world: World) -> None:
    order = world.delivered(order_body())
    payment = order["payments"][0]["id"]
    assert [tell(world, payment, "chargeback").body["changed"] for _ in range(3)] == [True, False, False]
    after = world.order(order["id"])
    assert (after["payment"]["charged_back"], after["payment_status"], after["money_owed"]) == (500, "charged_back", "balance_due")
    assert [name for name, _ in world.facts(order["id"])].count("payment.chargeback_succeeded") == 1


def test_reordered_news_of_one_reference_gives_the_same_result(world: World) -> None:
    outcomes = []
    for round_, order in enumerate(permutations([("requested", 10), ("failed", 11), ("succeeded", 12)])):
        placed = world.delivered(order_body(f"W-{round_}", quantities={"B": 1}))
        for state, hour in order:
            tell(world, placed["payments"][0]["id"], "refund", state, hour=hour)
        payment = world.order(placed["id"])["payment"]
        outcomes.append((payment["refunded"], payment["pending_refund"]))
    assert set(outcomes) == {(500, 0)}


def test_news_of_a_tender_we_do_not_have_is_acknowledged(world: World) -> None:
    order = world.place(order_body())
    before = world.items()
    for payment_id in ("pay_elsewhere_1", order["payments"][0]["id"].replace("_1", "_9"), "pay_aaaaaaaaaaaaaaaaaaaa_1"):
        answer = tell(world, payment_id, "chargeback")
        assert (answer.status, answer.body["changed"]) == (200, False)
    assert world.items() == before


def test_an_unknown_type_is_acknowledged_and_ignored(world: World) -> None:
    assert world.signed(PATH, {"type": "balance.available"}).status == 200


@pytest.mark.parametrize("body", ["{", "[]", json.dumps({"type": "payment.event", "data": {}})])
def test_an_unreadable_body_is_400(world: World, body: str) -> None:
    assert world.signed(PATH, body).status == 400


def test_a_forged_one_is_401_and_an_unknown_gateway_404(world: World) -> None:
    order: Any = world.place(order_body())
    before = world.items()
    forged = world.signed(PATH, {"type": "payment.event"}, secret=SECRETS["carriers/standard"])
    assert forged.status == 401
    assert world.signed("/v1/webhooks/payments/nobody", {}, secret=SECRETS["payments/sandbox"]).status == 404
    assert world.items() == before
    assert world.order(order["id"])["payment"]["charged_back"] == 0
