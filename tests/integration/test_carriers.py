"""Carrier webhooks: signed or refused; repeated, late, early and reordered news is normal."""

from __future__ import annotations

import json
import time
from itertools import permutations
from typing import Any

import pytest

from oms import clock
from oms.api.signatures import sign
from oms.storage.clients import client
from tests.support.world import SECRETS, World, order_body

PATH = "/v1/webhooks/carriers/standard"


def news(number: str = "T1", status: str = "delivered", at: str = "2026-11-23T10:00:00Z") -> dict[str, Any]:
    return {"type": "tracking.updated", "data": {"tracking_number": number, "status": status, "occurred_at": at}}


@pytest.fixture
def shipped(world: World) -> Any:
    """An order with two parcels on their way: T1 and T2."""
    order = world.allocated(order_body())
    fo = order["fulfillment_orders"][0]["id"]
    world.ship(fo, {"1": 1}, "T1")
    world.ship(fo, {"1": 1, "2": 1}, "T2")
    return world.order(order["id"])


def status_of(world: World, order: Any) -> list[str]:
    return [parcel["status"] for parcel in world.order(order["id"])["shipments"]]


@pytest.mark.parametrize("carrier", ["standard", "sandbox"])
def test_signed_news_moves_the_parcel(world: World, shipped: Any, carrier: str) -> None:
    answer = world.carrier("T1", "delivered", carrier=carrier)
    assert (answer.status, answer.body) == (200, {"received": True, "changed": True})
    after = world.order(shipped["id"])
    assert (status_of(world, shipped), after["delivery_status"]) == (["delivered", "shipped"], "partially_delivered")
    world.carrier("T2", "delivered", carrier=carrier)
    assert world.order(shipped["id"])["delivery_status"] == "delivered"


def unsigned(world: World, headers: dict[str, str], body: str) -> None:
    before = world.items()
    answer = world.call("POST", PATH, body, headers=headers)
    assert (answer.status, answer.body["type"]) == (401, "urn:oms:problem:bad-signature")
    assert world.items() == before


def headers_for(body: str, *, secret: str = SECRETS["carriers/standard"], at: int | None = None) -> dict[str, str]:
    at = int(time.time()) if at is None else at
    return {"webhook-id": "m1", "webhook-timestamp": str(at), "webhook-signature": sign(secret, "m1", at, body.encode())}


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_part_of_the_signature_is_401(world: World, shipped: Any, missing: str) -> None:
    body = json.dumps(news())
    headers = headers_for(body)
    del headers[missing]
    unsigned(world, headers, body)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "not base64 at all"},
        {"webhook-id": "another"},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "-1"},
    ],
)
def test_a_forged_signature_is_401(world: World, shipped: Any, change: dict[str, str]) -> None:
    body = json.dumps(news())
    unsigned(world, headers_for(body) | change, body)


def test_a_changed_body_is_401(world: World, shipped: Any) -> None:
    unsigned(world, headers_for(json.dumps(news("T2"))), json.dumps(news("T1")))


@pytest.mark.parametrize("age", [301, -330])  # the clock walks on between signing and verifying: a future one needs room
def test_a_stale_or_future_signature_is_401(world: World, shipped: Any, age: int) -> None:
    body = json.dumps(news())
    unsigned(world, headers_for(body, at=int(time.time()) - age), body)


def test_the_secret_of_another_carrier_does_not_open_this_one(world: World, shipped: Any) -> None:
    body = json.dumps(news())
    unsigned(world, headers_for(body, secret=SECRETS["carriers/sandbox"]), body)


@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_without_a_configured_secret_it_is_closed(world: World, shipped: Any, secret: str) -> None:
    if secret:
        client("secretsmanager").put_secret_value(SecretId="oms/webhooks/carriers/standard", SecretString=secret)
    else:
        client("secretsmanager").delete_secret(SecretId="oms/webhooks/carriers/standard", ForceDeleteWithoutRecovery=True)
    body = json.dumps(news())
    unsigned(world, headers_for(body, secret=secret), body)


def test_while_a_secret_is_rotated_both_work(world: World, shipped: Any) -> None:
    new = "whsec_" + "n" * 32
    both = f"{new} {SECRETS['carriers/standard']}"
    client("secretsmanager").put_secret_value(SecretId="oms/webhooks/carriers/standard", SecretString=both)
    assert world.signed(PATH, news("T1"), secret=new).status == 200
    assert world.signed(PATH, news("T2")).status == 200


def test_an_unknown_carrier_is_404(world: World) -> None:
    assert world.signed("/v1/webhooks/carriers/nobody", news(), secret=SECRETS["carriers/standard"]).status == 404


@pytest.mark.parametrize("body", ["{", "[]", "1", json.dumps({"type": "tracking.updated"}), json.dumps(news(status="flying"))])
def test_an_unreadable_body_with_a_good_signature_is_400(world: World, body: str) -> None:
    before = world.items()
    assert world.signed(PATH, body).status == 400
    assert world.items() == before


def test_an_unknown_type_is_acknowledged_and_ignored(world: World, shipped: Any) -> None:
    before = world.items()
    answer = world.signed(PATH, news() | {"type": "rate.updated"})
    assert (answer.status, answer.body["changed"]) == (200, False)
    assert world.items() == before


def test_repeated_news_changes_nothing_beyond_the_first(world: World, shipped: Any) -> None:
    assert world.signed(PATH, news()).body["changed"]
    before = world.items()
    for message in ("msg_1", "msg_2"):
        assert world.signed(PATH, news(), message=message).body == {"received": True, "changed": False}
    assert world.items() == before


def test_news_never_moves_a_parcel_backwards(world: World, shipped: Any) -> None:
    """Late news: what happened before what we know already."""
    world.carrier("T1", "delivered", at="2026-11-23T12:00:00Z")
    before = world.items()
    for status in ("pre_transit", "in_transit", "out_for_delivery", "failure", "return_to_sender"):
        assert not world.carrier("T1", status, at="2026-11-23T13:00:00Z").body["changed"]
    assert world.items() == before


def test_whatever_the_order_of_news_the_parcel_ends_the_same(world: World, shipped: Any) -> None:
    steps = [("in_transit", "10"), ("out_for_delivery", "11"), ("delivered", "12")]
    rows: list[Any] = []
    for round_, order in enumerate(permutations(steps)):
        placed = world.allocated(order_body(f"P-{round_}", quantities={"B": 1}))
        world.ship(placed["fulfillment_orders"][0]["id"], {"1": 1}, f"P{round_}")
        for status, hour in order:
            world.carrier(f"P{round_}", status, at=f"2026-11-23T{hour}:00:00Z")
        (parcel,) = world.order(placed["id"])["shipments"]
        rows.append((parcel["status"], parcel["delivered_at"]))
    assert set(rows) == {("delivered", "2026-11-23T12:00:00.000Z")}


def test_news_of_an_unknown_parcel_is_kept_and_applied_when_it_appears(world: World) -> None:
    order = world.allocated(order_body())
    for status, at in (
        ("delivered", "2026-11-23T12:00:00Z"),
        ("in_transit", "2026-11-23T10:00:00Z"),
        ("in_transit", "2026-11-23T10:00:00Z"),
    ):
        assert world.carrier("T1", status, at=at).body == {"received": True, "changed": False}
    kept = [item for item in world.items()["oms-orders"] if item["pk"]["S"] == "tracking#T1"]
    assert int(kept[0]["ttl"]["N"]) == pytest.approx(time.time() + 30 * 24 * 3600, abs=60)
    assert len(kept[0]["kept"]["L"]) == 2
    world.ship(order["fulfillment_orders"][0]["id"], {"1": 2, "2": 1}, "T1")
    (parcel,) = world.order(order["id"])["shipments"]
    assert (parcel["status"], parcel["delivered_at"]) == ("delivered", "2026-11-23T12:00:00.000Z")
    assert world.order(order["id"])["delivery_status"] == "delivered"
    found = world.done("GET", "/v1/orders", query={"tracking_number": "T1"})["data"]
    assert [row["id"] for row in found] == [order["id"]]


def test_news_that_comes_while_its_parcel_is_being_recorded_is_not_lost(world: World) -> None:
    """The webhook keeps its news between the moment when shipping looked for kept news and the moment when it commits."""
    order = world.allocated(order_body())
    told: list[Any] = []

    def webhook(call: Any) -> None:
        if call.operation == "TransactWriteItems" and not told:
            told.append(None)
            told.append(world.carrier("T1", "delivered"))

    with world.wire.watched(before=webhook):
        world.ship(order["fulfillment_orders"][0]["id"], {"1": 2, "2": 1}, "T1")
    assert told[1].status == 200
    assert status_of(world, order) == ["delivered"]


def test_a_tracking_number_belongs_to_one_parcel(world: World, shipped: Any) -> None:
    other = world.allocated(order_body("W-2"))
    fo = other["fulfillment_orders"][0]["id"]
    parcel = {"packages": [{"tracking_number": "T1", "lines": [{"line_id": "1", "quantity": 1}]}]}
    answer = world.call("POST", f"/v1/fulfillment-orders/{fo}/ship", parcel)
    assert (answer.status, answer.body["type"]) == (409, "urn:oms:problem:duplicate-tracking-number")


def test_a_parcel_in_trouble_calls_for_attention(world: World, shipped: Any) -> None:
    world.carrier("T1", "failure", at=clock.stamp())
    assert "parcel" in world.order(shipped["id"])["attention"]
    world.carrier("T1", "delivered", at=clock.later(clock.stamp(), hours=1))
    assert world.order(shipped["id"])["attention"] == []
