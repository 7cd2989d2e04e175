"""Self-service: tracking links for guests, customers with a token of their own, links on request; what none of them may see or name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.world import JSON, SECRETS, Answer, World, order_body


def token_of(order: JSON) -> str:
    return str(order["tracking_page_url"]).rpartition("/")[2]


def track(world: World, token: str) -> Answer:
    return world.call("GET", f"/v1/track/{token}")


@pytest.fixture
def delivered(world: World) -> JSON:
    """An order whose parcel has arrived."""
    order: JSON = world.delivered(order_body())
    return order


class TestAGuest:
    def test_sees_the_order_by_its_link_and_nothing_that_is_not_theirs_to_see(self, world: World, delivered: JSON) -> None:
        answer = track(world, token_of(delivered))
        assert (answer.status, answer.headers["cache-control"], answer.headers["referrer-policy"]) == (200, "no-store", "no-referrer")
        seen = answer.body
        assert (seen["order_number"], seen["delivery_status"], seen["parcels"][0]["status"]) == ("W-1", "delivered", "delivered")
        assert seen["actions"]["return"] == [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}]
        assert (seen["actions"]["exchange"], seen["actions"]["cancel"]) == (seen["actions"]["return"], [])
        for private in ("ann@example.com", "Hauptstrasse", "berlin", "pay_", "tok_"):
            assert private not in str(seen)

    def test_cancels_units_with_a_preview_that_keeps_its_word(self, world: World) -> None:
        token = token_of(world.order(world.place(order_body())["id"]))
        body: JSON = {"lines": [{"line_id": "1", "quantity": 1, "reason": "changed_mind"}]}
        preview = world.done("POST", f"/v1/track/{token}/cancellations", {**body, "preview": True})
        assert preview["balances"]["grand_total"] == -1200
        done = world.done("POST", f"/v1/track/{token}/cancellations", {**body, "quote_id": preview["quote_id"]})
        assert done["order"]["lines"][0]["quantities"]["cancelled"] == 1
        assert "pay_" not in str(done)

    def test_announces_a_return(self, world: World, delivered: JSON) -> None:
        path = f"/v1/track/{token_of(delivered)}/returns"
        answer = world.call("POST", path, {"lines": [{"line_id": "1", "quantity": 1, "reason": "too small"}]})
        assert (answer.status, answer.body["status"]) == (201, "requested")
        actors = [row["actor"] for row in world.done("GET", f"/v1/orders/{delivered['id']}/timeline", query={"limit": "200"})["data"]]
        assert actors[-1] == "guest"

    def test_sees_what_is_sent_again_and_the_parcel_that_brings_it(self, world: World, delivered: JSON) -> None:
        damaged = {"kind": "damaged", "remedy": "reship", "lines": [{"line_id": "1", "quantity": 1, "reason": "broken"}]}
        missing = {"kind": "missing", "remedy": "refund", "lines": [{"line_id": "2", "quantity": 1, "reason": "not there"}]}
        for body in (damaged, missing):
            after = world.done("POST", f"/v1/shipments/{delivered['shipments'][0]['id']}/claims", body)["order"]
        seen = track(world, token_of(delivered)).body
        assert (seen["replacements"], seen["parcels"][0]["lost"]) == ([{"line_id": "1", "quantity": 1}], [{"line_id": "2", "quantity": 1}])
        assert seen["actions"]["return"] == [{"line_id": "1", "quantity": 1}], "as many as a return would take"
        world.ship(after["fulfillment_orders"][-1]["id"], {"1": 1}, "R1")
        seen = track(world, token_of(delivered)).body
        assert seen["replacements"] == []
        assert [(each["tracking_number"], each.get("replacement")) for each in seen["parcels"][1:]] == [("R1", True)]
        world.carrier("R1", "delivered")
        seen = track(world, token_of(delivered)).body
        assert (seen["parcels"][1]["status"], seen["actions"]["return"]) == ("delivered", [{"line_id": "1", "quantity": 2}])

    def test_sees_an_exchange_and_where_the_new_order_comes_from(self, world: World, delivered: JSON) -> None:
        path = f"/v1/track/{token_of(delivered)}/exchanges"
        wish = {"return_lines": [{"line_id": "1", "quantity": 1}], "new_lines": [{"sku": "A", "quantity": 1}]}
        answer = world.done("POST", path, wish)
        (exchange,) = answer["order"]["exchanges"]
        assert (exchange["status"], exchange["new_order_number"]) == ("pending", "W-1-E1")
        assert exchange["return_id"] == answer["order"]["returns"][0]["id"]
        new = world.order(world.order(delivered["id"])["exchanges"][0]["new_order_id"])
        seen = track(world, token_of(new)).body
        assert (seen["exchange_of"], seen["exchanges"], seen["status"]) == ("W-1", [], "on_hold")

    @pytest.mark.parametrize(
        ("more", "pointer"),
        [
            ({"fees": []}, "/fees"),
            ({"reduce_shipping": True}, "/reduce_shipping"),
            ({"location_id": "berlin"}, "/location_id"),
            ({"mode": "immediate"}, "/mode"),
            ({"override": {"reason": "please"}}, "/override"),
        ],
    )
    def test_never_names_what_rules_decide(self, world: World, delivered: JSON, more: JSON, pointer: str) -> None:
        body = {"lines": [{"line_id": "1", "quantity": 1}], **more}
        answer = world.call("POST", f"/v1/track/{token_of(delivered)}/returns", body)
        assert (answer.status, answer.pointers) == (403, {pointer})

    @pytest.mark.parametrize("spoil", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: "x" + t, lambda t: "nonsense"])
    def test_with_a_link_that_is_not_genuine_is_told_the_same_whatever_is_wrong(self, world: World, delivered: JSON, spoil: Any) -> None:
        token = token_of(delivered)
        answer = track(world, spoil(token))
        world.advance(days=400)
        late = track(world, token)
        assert (answer.status, answer.body) == (404, late.body)

    def test_with_a_link_to_one_order_reaches_no_other(self, world: World) -> None:
        one, two = (world.order(world.place(order_body(number))["id"]) for number in ("W-1", "W-2"))
        mine, other = token_of(one).split("."), token_of(two).split(".")
        assert track(world, ".".join([other[0], *mine[1:]])).status == 404


class TestACustomer:
    """Signed in: the token's subject is the customer id of their orders."""

    def ask(self, world: World, order: JSON, subject: str, what: str = "cancellations") -> Answer:
        body: JSON = {"lines": [{"line_id": "1", "quantity": 1}]}
        return world.call("POST", f"/v1/orders/{order['id']}/{what}", body, scopes=["self"], subject=subject)

    def test_cancels_and_returns_their_own(self, world: World, delivered: JSON) -> None:
        placed = world.place(order_body("W-2"))
        assert self.ask(world, placed, "c-1").status == 200
        assert self.ask(world, delivered, "c-1", "returns").status == 201

    def test_is_told_of_somebody_elses_as_if_it_were_not_there(self, world: World, delivered: JSON) -> None:
        answer = self.ask(world, delivered, "c-2", "returns")
        missing = self.ask(world, {"id": delivered["id"][:-1] + "0"}, "c-2", "returns")
        assert answer.status == missing.status == 404
        assert world.order(delivered["id"])["returns"] == []

    def test_changes_nothing_else(self, world: World, delivered: JSON) -> None:
        body = {"lines": [{"line_id": "1", "quantity": 1}], "fees": [{"code": "x", "amount": 0}]}
        path = f"/v1/orders/{delivered['id']}/cancellations"
        assert world.call("POST", path, body, scopes=["self"], subject="c-1").status == 403


class TestALinkOnRequest:
    def test_is_answered_the_same_whether_or_not_there_is_such_an_order(self, world: World, delivered: JSON) -> None:
        asked = [
            {"order_number": "W-1", "email": "ANN@example.com"},
            {"order_number": "W-1", "email": "eve@example.com"},
            {"order_number": "W-9", "postal_code": "10115"},
        ]
        answers = [world.call("POST", "/v1/track/requests", body) for body in asked]
        assert {(answer.status, str(answer.body)) for answer in answers} == {(202, str(answers[0].body))}
        told = [type_ for type_, _ in world.facts(delivered["id"]) if type_ == "track.link_requested"]
        assert told == ["track.link_requested"]

    def test_is_limited_per_order_number_and_per_source(self, world: World, delivered: JSON) -> None:
        for number in range(7):
            body = {"order_number": "W-1", "postal_code": "10115"}
            assert world.call("POST", "/v1/track/requests", body, source=f"192.0.2.{number}").status == 202
        told = [type_ for type_, _ in world.facts(delivered["id"]) if type_ == "track.link_requested"]
        assert len(told) == 5

    @pytest.mark.parametrize("body", [{}, {"order_number": "W-1"}, {"order_number": "W-1", "email": "a", "postal_code": "b"}])
    def test_names_an_order_and_one_proof(self, world: World, body: JSON) -> None:
        assert world.call("POST", "/v1/track/requests", body).status == 422


def test_without_a_secret_links_are_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = world.place(order_body())
    assert SECRETS["links/tracking"] not in str(world.order(placed["id"]))
    monkeypatch.setattr("oms.api.tracking_links.webhook_secret", lambda name: "")
    assert world.order(placed["id"])["tracking_page_url"] is None


def test_a_customer_at_a_glance(world: World, delivered: JSON) -> None:
    world.done("POST", f"/v1/orders/{delivered['id']}/returns", {"lines": [{"line_id": "1", "quantity": 1}]})
    world.done("POST", f"/v1/orders/{delivered['id']}/notes", {"text": "calls on Mondays"})
    seen = world.done("GET", "/v1/customers/c-1")
    assert [row["order_number"] for row in seen["orders"]] == ["W-1"]
    assert (len(seen["returns"]), seen["notes"][0]["text"], seen["contacts"][0]["email"]) == (1, "calls on Mondays", "ann@example.com")
    assert world.call("GET", "/v1/customers/nobody").status == 404
