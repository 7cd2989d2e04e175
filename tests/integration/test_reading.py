"""Reading orders: lists, pages, timelines, versions."""

from __future__ import annotations

from typing import Any

import pytest

from oms.storage import claims
from tests.support.world import JSON, World, order_body


def numbers(answer: JSON) -> list[str]:
    return [row["order_number"] for row in answer["data"]]


def pages(world: World, path: str, query: dict[str, str]) -> list[Any]:
    """All rows of a list, read page by page."""
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(20):
        page = world.done("GET", path, query=query | cursor)
        rows += page["data"]
        if not page["next_cursor"]:
            return rows
        cursor = {"cursor": page["next_cursor"]}
    raise AssertionError("the pages do not end")


@pytest.fixture
def five(world: World) -> list[str]:
    """W-0 to W-4 of customer c-1, a day apart, and one of c2."""
    days = [f"2026-01-0{day}T00:00:00.000Z" for day in range(1, 6)]
    made = [world.place(order_body(f"W-{i}", quantities={"B": 1}, placed_at=day))["id"] for i, day in enumerate(days)]
    world.place(order_body("W-9", quantities={"B": 1}, customer={"id": "c2"}))
    return made


def test_a_customers_orders_newest_first(world: World, five: list[str]) -> None:
    found = world.done("GET", "/v1/orders", query={"customer_id": "c-1"})
    assert numbers(found) == ["W-4", "W-3", "W-2", "W-1", "W-0"]
    assert found["next_cursor"] is None
    assert found["data"][0] == world.order(five[4]) | {"executions": []}
    assert numbers(world.done("GET", "/v1/orders", query={"customer_id": "nobody"})) == []


@pytest.mark.parametrize("limit", ["1", "2", "5"])
def test_pages_hold_every_order_once(world: World, five: list[str], limit: str) -> None:
    rows = pages(world, "/v1/orders", {"customer_id": "c-1", "limit": limit})
    assert [row["id"] for row in rows] == five[::-1]


def test_pages_of_a_sharded_list_hold_every_order_once(world: World, five: list[str]) -> None:
    rows = pages(world, "/v1/orders", {"status": "open", "limit": "2"})
    assert [row["order_number"] for row in rows] == ["W-9", "W-4", "W-3", "W-2", "W-1", "W-0"]


def test_a_range_of_time(world: World, five: list[str]) -> None:
    query = {"customer_id": "c-1", "from": "2026-01-02", "to": "2026-01-04T00:00:00.000Z"}
    assert numbers(world.done("GET", "/v1/orders", query=query)) == ["W-3", "W-2", "W-1"]


def test_orders_placed_at_the_same_moment_are_all_listed(world: World) -> None:
    at = "2026-01-01T00:00:00.000Z"
    made = {world.place(order_body(f"W-{i}", quantities={"B": 1}, placed_at=at))["id"] for i in range(3)}
    assert {row["id"] for row in pages(world, "/v1/orders", {"customer_id": "c-1", "limit": "1"})} == made


def test_a_number_alone_finds_the_orders_of_every_channel(world: World, five: list[str]) -> None:
    there = world.place(order_body("W-1", channel="shop"))["id"]
    assert sorted(claims.numbered("W-1")) == sorted([five[1], there])
    assert claims.numbered("W-") == []
    for channel, found in (("web", five[1]), ("shop", there)):
        (row,) = world.done("GET", "/v1/orders", query={"channel": channel, "order_number": "W-1"})["data"]
        assert row["id"] == found
    assert world.call("POST", "/v1/orders", order_body("W-1", quantities={"B": 2}, channel="shop")).status == 409


def test_by_channel_and_number(world: World, five: list[str]) -> None:
    found = world.done("GET", "/v1/orders", query={"channel": "web", "order_number": "W-2"})
    assert [row["id"] for row in found["data"]] == [five[2]]
    assert world.done("GET", "/v1/orders", query={"channel": "app", "order_number": "W-2"})["data"] == []


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"channel": "web"},
        {"customer_id": "c-1", "status": "open"},
        {"colour": "red"},
        {"customer_id": "c-1", "limit": "0"},
        {"customer_id": "c-1", "limit": "many"},
        {"customer_id": "c-1", "limit": "101"},
        {"customer_id": "c-1", "limit": "\u00b2"},
        {"customer_id": "c-1", "cursor": "%%%"},
        {"customer_id": "c-1", "cursor": "_w"},
    ],
)
def test_a_query_that_means_nothing_is_422(world: World, query: dict[str, str]) -> None:
    assert world.call("GET", "/v1/orders", query=query).status == 422


@pytest.mark.parametrize("path", ["timeline", "lines"])
def test_the_cursor_of_another_list_is_422(world: World, five: list[str], path: str) -> None:
    cursor = world.done("GET", "/v1/orders", query={"customer_id": "c-1", "limit": "1"})["next_cursor"]
    assert world.call("GET", f"/v1/orders/{five[0]}/{path}", query={"cursor": cursor}).pointers == {"/cursor"}


@pytest.mark.parametrize("limit", ["1", "2", "3", "200"])
def test_the_timeline_page_by_page_has_every_fact_once_in_order(world: World, limit: str) -> None:
    order = world.delivered(order_body())
    rows = pages(world, f"/v1/orders/{order['id']}/timeline", {"limit": limit})
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > 8
    assert set(rows[0]) == {"sequence", "id", "type", "at", "actor", "cause", "data"}
    assert len({row["id"] for row in rows}) == len(rows)


def test_the_timeline_holds_no_personal_data(world: World) -> None:
    order = world.delivered(order_body())
    text = str(world.done("GET", f"/v1/orders/{order['id']}/timeline"))
    assert "Ann" not in text
    assert "example.com" not in text
    assert "Hauptstrasse" not in text


def test_lines_page_by_page(world: World) -> None:
    order = world.place(order_body(quantities={"A": 1, "B": 2}))
    path = f"/v1/orders/{order['id']}/lines"
    assert [line["id"] for line in pages(world, path, {"limit": "1"})] == ["1", "2"]
    assert world.done("GET", path)["data"] == order["lines"]


def test_the_etag_is_the_version_and_guards_a_change(world: World) -> None:
    order = world.place(order_body())
    path = f"/v1/orders/{order['id']}"
    first = world.call("GET", path).headers["etag"]
    assert first == f'"{order["version"]}"'
    done = world.call("POST", f"{path}/notes", {"text": "one"}, headers={"If-Match": first})
    assert done.status == 201
    assert done.headers["etag"] != first
    before = world.items()
    stale = world.call("POST", f"{path}/notes", {"text": "two"}, headers={"If-Match": first})
    assert (stale.status, stale.body["type"]) == (412, "urn:oms:problem:stale-version")
    assert world.items() == before
    for fine in (done.headers["etag"], "*"):
        latest = world.call("GET", path).headers["etag"]
        assert world.call("POST", f"{path}/notes", {"text": "x"}, headers={"If-Match": latest if fine != "*" else fine}).status == 201


def test_documents_are_read_by_their_ids(world: World) -> None:
    order = world.delivered(order_body())
    (invoice,) = order["invoices"]
    shown = world.done("GET", f"/v1/invoices/{invoice['id']}")
    assert (shown["order_id"], shown["total_amount"], len(shown["lines"])) == (order["id"], invoice["total_amount"], 3)
    assert world.call("GET", f"/v1/invoices/{invoice['id'].replace('_1', '_7')}").status == 404
    assert world.call("GET", f"/v1/credit-memos/{invoice['id'].replace('inv', 'cm')}").status == 404


def test_executions_are_shown_with_their_state(world: World) -> None:
    order = world.place(order_body())
    assert world.order(order["id"])["executions"] == []
    world.pump()
    (execution,) = world.order(order["id"])["executions"]
    assert (execution["machine"], execution["name"], execution["run"]) == ("order", order["id"], 1)
    assert execution["console_url"].endswith(execution["arn"])
