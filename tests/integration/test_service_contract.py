"""The contract's part "Service" as somebody reads it who knows nothing else: every shape is taken with exactly those field names, every
answer has the shape that is written there, and what is refused is refused with its status and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.orders import a_group, a_line, a_tax, an_order
from tests.support.world import JSON, Answer, World

BALANCES = {
    "product_amount",
    "adjustment_amount",
    "delivery_amount",
    "fee_amount",
    "tax_amount",
    "grand_total",
    "refund_due",
    "amount_due",
    "refunds",
}
NEW_LINE = {"sku": "B", "quantity": 1, "unit_price": 1200, "taxes": [a_tax()]}
PLACED: dict[str, JSON] = {
    "cancellations": {
        "lines": [{"line_id": "1", "quantity": 1, "reason": "late"}],
        "reason": "late",
        "reduce_shipping": True,
        "fees": [{"code": "cancel", "amount": 5}, {"code": "handling", "percent": "7.5"}],
    },
    "cancellations all": {"all": True, "reason": "late", "reduce_shipping": False},
    "adjustments": {
        "lines": [
            {"line_id": "1", "type": "amount_with_tax", "amount": -100, "reason": "late"},
            {"line_id": "2", "type": "amount_without_tax", "amount": 50, "reason": "late"},
            {"delivery_group": "g1", "type": "percentage", "percent": "-10", "reason": "late"},
        ],
        "in_fulfillment": "include",
    },
    "edits": {
        "operations": [
            {"op": "add_line", "line": {"id": "9", "sku": "B", "quantity": 1, "unit_price": 100, "delivery_group": "g1"}},
            {"op": "set_quantity", "line_id": "1", "quantity": 3},
            {"op": "set_price", "line_id": "2", "unit_price": 450},
            {"op": "set_address", "delivery_group": "g1", "address": a_group()["address"]},
            {"op": "set_method", "delivery_group": "g1", "method": "express", "charge": {"amount": 700, "taxes": [a_tax()]}},
        ]
    },
}
DELIVERED: dict[str, JSON] = {
    "returns": {
        "lines": [
            {"line_id": "1", "quantity": 1, "reason": "small", "resolution": "refund"},
            {"line_id": "1", "quantity": 1, "reason": "broken", "resolution": "replace"},
            {"line_id": "2", "quantity": 1, "reason": "small", "resolution": "store_credit"},
        ],
        "mode": "rma",
        "reduce_shipping": True,
        "fees": [{"code": "restocking", "percent": "10"}],
        "location_id": "berlin",
    },
    "returns immediate": {"lines": [{"line_id": "1", "quantity": 1, "reason": "small", "resolution": "refund"}], "mode": "immediate"},
    "exchanges": {
        "return_lines": [{"line_id": "1", "quantity": 1, "reason": "small"}],
        "new_lines": [NEW_LINE],
        "delivery_charge": {"amount": 0, "taxes": []},
        "advance": False,
    },
    "exchanges advance": {
        "return_lines": [{"line_id": "1", "quantity": 1}],
        "new_lines": [NEW_LINE],
        "advance": True,
        "payments": [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": 1200}],
    },
    "reshipments": {"lines": [{"line_id": "1", "quantity": 1, "reason": "lost"}]},
    "refunds": {"amount": 300, "lines": ["1"], "reason": "late", "to": "original"},
    "refunds store credit": {"amount": 300, "reason": "late", "to": "store_credit"},
}
CLAIMS = {
    f"claims {kind} {remedy}": {"kind": kind, "lines": [{"line_id": "1", "quantity": 1}], "remedy": remedy}
    for kind in ("damaged", "missing")
    for remedy in ("reship", "refund")
}
SHAPES = {**PLACED, **DELIVERED, **CLAIMS}


def sold(**more: Any) -> JSON:
    """Two of A at 12.00, one of B at 5.00, 6.00 for delivery, all with 20 percent tax in it."""
    body: JSON = an_order(a_line("1", "A", 2, 1200, "20"), a_line("2", "B", 1, 500, "20"), charge=600, charge_rate="20", **more)
    return body


def order_for(world: World, name: str) -> JSON:
    order: JSON = world.place(sold()) if name in PLACED else world.delivered(sold())
    return order


def path_of(order: JSON, name: str) -> str:
    route = name.split(maxsplit=1)[0]
    return f"/v1/shipments/{order['shipments'][0]['id']}/claims" if route == "claims" else f"/v1/orders/{order['id']}/{route}"


@pytest.mark.parametrize("name", SHAPES)
def test_a_preview_writes_nothing_and_its_quote_is_kept(world: World, name: str) -> None:
    order, body = order_for(world, name), SHAPES[name]
    before = world.items()
    quote = world.done("POST", path_of(order, name), {**body, "preview": True})
    assert world.items() == before
    assert {"quote_id", "expires_at", "balances", "lines"} <= set(quote)
    assert set(quote["balances"]) - {"fees"} == BALANCES
    assert all({"payment_id", "amount"} <= set(row) for row in quote["balances"]["refunds"])
    assert min(quote["balances"]["refund_due"], quote["balances"]["amount_due"]) >= 0
    assert {row["id"] for row in quote["lines"]} <= {"1", "2", "9"}
    answer = world.call("POST", path_of(order, name), {**body, "quote_id": quote["quote_id"]})
    assert answer.status == (201 if name.startswith("returns") else 200), answer
    assert {"id", "status"} <= set(answer.body["change"])
    assert answer.body["change"]["status"] in ("pending", "done", "partial", "refused", "pending_approval")
    assert (answer.body["order"]["id"], answer.headers["etag"]) == (order["id"], f'"{answer.body["order"]["version"]}"')


@pytest.mark.parametrize("name", SHAPES)
def test_a_quote_that_does_not_hold_any_more_is_412_and_an_old_version_too(world: World, name: str) -> None:
    order, body = order_for(world, name), SHAPES[name]
    path = path_of(order, name)
    quote = world.done("POST", path, {**body, "preview": True})["quote_id"]
    world.advance(minutes=61)
    expired = world.call("POST", path, {**body, "quote_id": quote})
    assert (expired.status, expired.body["status"]) == (412, 412)
    assert world.call("POST", path, {**body, "quote_id": "q_nonsense"}).status == 412
    assert world.call("POST", path, body, headers={"If-Match": '"99"'}).status == 412
    assert world.order(order["id"])["version"] == order["version"]


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_key_answers_as_the_first_time_and_another_body_is_422(world: World, name: str) -> None:
    order, body = order_for(world, name), SHAPES[name]
    path, headers = path_of(order, name), {"Idempotency-Key": "k-1"}
    first = world.call("POST", path, body, headers=headers)
    again = world.call("POST", path, body, headers=headers)
    assert (again.status, again.headers["idempotent-replayed"]) == (first.status, "true")
    assert again.body["change"]["id"] == first.body["change"]["id"]
    assert world.order(order["id"])["version"] == first.body["order"]["version"]
    assert world.call("POST", path, {**body, "reason": "another"}, headers=headers).status == 422


@pytest.mark.parametrize("name", SHAPES)
def test_an_unknown_field_or_line_is_422_with_its_pointer(world: World, name: str) -> None:
    order, body = order_for(world, name), SHAPES[name]
    refused = world.call("POST", path_of(order, name), {**body, "colour": "red"})
    assert (refused.status, refused.pointers, refused.headers["content-type"]) == (422, {"/colour"}, "application/problem+json")
    part = next((part for part in ("lines", "return_lines") if part in body and isinstance(body[part][0], dict)), "")
    if part:
        unknown = [{**{key: row[key] for key in row if key != "delivery_group"}, "line_id": "nine"} for row in body[part][:1]]
        refused = world.call("POST", path_of(order, name), {**body, part: unknown})
        assert (refused.status, refused.pointers) == (422, {f"/{part}/0/line_id"})
    assert world.order(order["id"])["version"] == order["version"]


COUNTED = [name for name in SHAPES if any("quantity" in str(SHAPES[name].get(part)) for part in ("lines", "return_lines"))]


@pytest.mark.parametrize("name", COUNTED)
def test_more_than_there_is_is_409_with_its_pointer(world: World, name: str) -> None:
    order, body = order_for(world, name), SHAPES[name]
    part = "return_lines" if "return_lines" in body else "lines"
    refused = world.call("POST", path_of(order, name), {**body, part: [{**body[part][0], "quantity": 3}]})
    assert (refused.status, refused.pointers) == (409, {f"/{part}/0/quantity"})
    assert world.order(order["id"])["version"] == order["version"]


@pytest.mark.parametrize("name", [name for name in SHAPES if name.split()[0] in ("cancellations", "returns", "exchanges")])
def test_customers_reach_the_marked_routes_of_their_own_orders_and_name_what_is_theirs_to_name(world: World, name: str) -> None:
    """The other routes do not let the scope in: tests/infra."""
    order, body = order_for(world, name), {**SHAPES[name], "preview": True}
    path, route = path_of(order, name), name.split(maxsplit=1)[0]
    may = {"lines", "all", "reason", "return_lines", "mode", "payments", "preview"}
    mine = {key: value for key, value in body.items() if key in may - {"mode", "payments"}}
    mine |= {"new_lines": [{"sku": "A", "quantity": 1}]} if route == "exchanges" else {}

    def ask(given: JSON, subject: str = "c-1") -> Answer:
        return world.call("POST", path, given, scopes=["self"], subject=subject)

    assert ask(mine).status == 200
    assert ask(mine, "c-2").status == 404
    token = str(world.order(order["id"])["tracking_page_url"]).rpartition("/")[2]
    assert world.call("POST", f"/v1/track/{token}/{route}", mine).status == 200
    for field in (set(body) - may - {"new_lines"}) | ({"mode"} if body.get("mode") == "immediate" else set()):
        refused = ask({**mine, field: body[field]})
        assert (refused.status, refused.pointers) == (403, {f"/{field}"})
    if route == "exchanges":
        refused = ask({**mine, "new_lines": [NEW_LINE]})
        assert (refused.status, refused.pointers) == (403, {"/new_lines/0/unit_price", "/new_lines/0/taxes"})


def test_a_return_goes_through_the_statuses_of_the_contract(world: World) -> None:
    order = world.delivered(sold())
    asked = world.done("POST", f"/v1/orders/{order['id']}/returns", {**DELIVERED["returns"], "lines": DELIVERED["returns"]["lines"][:1]})
    path, seen = f"/v1/returns/{asked['id']}", [asked["status"]]

    def act(action: str, body: JSON | None = None) -> Answer:
        return world.call("POST", f"{path}/{action}", body)

    assert act("receive", {"lines": [{"line_id": "1", "quantity": 1}]}).status == 409, "it is not approved"
    seen.append(act("approve").body["status"])
    label = act("labels", {})
    assert (label.status, label.body["order"]["id"]) == (202, order["id"])
    world.step("return_order", "Buy label", order["id"], return_id=asked["id"])
    (bought,) = world.done("GET", path)["labels"]
    world.carrier(bought["tracking_number"], "in_transit", carrier="sandbox")
    seen.append(world.done("GET", path)["status"])
    assert [row["id"] for row in world.done("GET", "/v1/returns", query={"tracking_number": bought["tracking_number"]})["data"]] == [
        asked["id"]
    ]
    assert [row["id"] for row in world.done("GET", "/v1/returns", query={"status": "in_transit"})["data"]] == [asked["id"]]
    box = [
        {"line_id": "1", "quantity": 1, "condition": "resellable", "disposition": "restock", "note": "as new"},
        {"sku": "X-9", "quantity": 1, "condition": "wrong_item", "disposition": "quarantine"},
    ]
    got = act("receive", {"lines": box, "location_id": "lyon"})
    seen.append(got.body["status"])
    assert {"change", "order"} <= set(got.body)
    world.step("return_order", "Return", order["id"], return_id=asked["id"])
    seen.append(world.done("GET", path)["status"])
    assert seen == ["requested", "approved", "in_transit", "received", "settled"]
    for action in ("approve", "reject", "cancel", "close"):
        assert act(action, {}).status == 409, "it is over"
    assert act("receive", {"lines": box}).status == 409, "it is over"
    assert act("explode").status == 404
    assert world.call("GET", "/v1/returns/ret_x").status == 404


def test_holds_and_notes_as_the_contract_has_them(world: World) -> None:
    order = world.place(sold())
    hold = {"kind": "fraud", "reason": "odd", "blocks": ["allocate", "ship", "capture"], "expires_at": "2099-01-01T00:00:00Z"}
    held = world.call("POST", f"/v1/orders/{order['id']}/holds", hold)
    assert (held.status, held.body["status"], held.body["attention"]) == (201, "on_hold", ["hold"])
    assert world.call("DELETE", f"/v1/orders/{order['id']}/holds/{held.body['holds'][0]['id']}").body["status"] == "open"
    noted = world.call("POST", f"/v1/orders/{order['id']}/notes", {"text": "rang twice"})
    assert (noted.status, noted.body["notes"][0]["text"], noted.body["notes"][0]["author"]) == (201, "rang twice", "shop")


def test_an_order_with_all_of_it_has_every_field_of_the_contract(world: World) -> None:
    order = world.delivered(sold())
    for name in ("exchanges", "refunds"):
        world.done("POST", path_of(order, name), DELIVERED[name])
    seen = world.order(order["id"])
    named = """id version status payment_status money_owed fulfillment_status delivery_status return_status attention totals placed_totals
        payment lines delivery_groups payments fulfillment_orders shipments invoices credit_memos changes returns exchanges related_orders
        holds exceptions notes tracking_page_url executions"""
    assert set(named.split()) <= set(seen)
    assert {"id", "status", "return_id", "new_order_id", "balance"} <= set(seen["exchanges"][0])
    assert seen["related_orders"][0]["order_number"] == "W-1001-E1"
    counters = """ordered cancelled cancel_requested backordered reserved allocated shipped delivered lost return_initiated returned
        reshipped available_to_cancel available_to_return available_to_reship"""
    assert set(counters.split()) <= set(seen["lines"][0]["quantities"])
    money = """authorized captured refunded voided charged_back pending_authorization pending_capture pending_refund invoiced credited
        balance_due"""
    assert set(money.split()) <= set(seen["payment"])
    assert seen["attention"] == ["payment", "approval"], "goodwill is to be paid, a return to be approved"


def test_a_refund_above_what_is_owed_or_to_nowhere_is_refused_c18(world: World) -> None:
    order = world.delivered(sold())
    path = f"/v1/orders/{order['id']}/refunds"
    assert world.call("POST", path, {"amount": 2901, "reason": "late", "to": "original"}).status == 409
    assert world.call("POST", path, {"amount": 100, "reason": "late", "to": "cash"}).pointers == {"/to"}
    assert world.order(order["id"])["version"] == order["version"]


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("cancellations", "cancel"),
        ("adjustments", "adjust"),
        ("edits price", "adjust"),
        ("returns immediate", "refund"),
        ("exchanges cheaper", "refund"),
        ("claims damaged refund", "goodwill"),
        ("refunds", "goodwill"),
    ],
)
def test_above_an_agents_limit_every_money_change_waits_and_the_approval_does_it(world: World, name: str, limit: str) -> None:
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {limit: 50}}})
    cheaper = {"return_lines": [{"line_id": "1", "quantity": 1}], "new_lines": [{**NEW_LINE, "unit_price": 900}]}
    price = {"operations": [{"op": "set_price", "line_id": "1", "unit_price": 1000}]}
    body = {**SHAPES, "exchanges cheaper": cheaper, "edits price": price}[name]
    order = world.place(sold()) if name.split(maxsplit=1)[0] in ("cancellations", "adjustments", "edits") else world.delivered(sold())
    answer = world.call("POST", path_of(order, name), body)
    assert (answer.status, answer.body["change"]["status"]) == (202, "pending_approval"), answer
    assert (answer.body["order"]["totals"], answer.body["order"]["attention"]) == (order["totals"], ["approval"])
    change = answer.body["change"]["id"]
    assert world.call("POST", f"/v1/approvals/{change}/approve", who="shop").status == 403, "nobody approves their own request"
    done = world.call("POST", f"/v1/approvals/{change}/approve", who="boss")
    assert (done.status, done.body["order"]["changes"][0]["id"]) == (200, change)
    assert done.body["order"]["changes"][0]["status"] in ("pending", "done")


def test_a_new_address_cannot_wait_for_an_approval(world: World) -> None:
    world.done("PUT", "/v1/roles/junior", {"clients": ["shop"], "limits": {"EUR": {"adjust": 50}}})
    order = world.place(sold())
    operations = [{"op": "set_price", "line_id": "1", "unit_price": 1}, PLACED["edits"]["operations"][3]]
    refused = world.call("POST", path_of(order, "edits"), {"operations": operations})
    assert (refused.status, refused.body["type"]) == (409, "urn:oms:problem:needs-approval")
