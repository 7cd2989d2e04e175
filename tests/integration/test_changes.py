"""The delta feed: what changed since a cursor, each place once, with its figures now."""

from __future__ import annotations

from typing import Any

import pytest

from oms.storage.clients import client
from oms.storage.environment import environment
from tests.support.world import JSON, World, order_body


@pytest.fixture(autouse=True)
def stream(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = client("dynamodb").update_table(
        TableName="oms-inventory", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    )
    monkeypatch.setenv("INVENTORY_STREAM", made["TableDescription"]["LatestStreamArn"])
    environment.cache_clear()


def changes(world: World, cursor: str = "", limit: int = 100) -> tuple[list[tuple[str, str, int]], str, bool]:
    query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
    answer: JSON = world.done("GET", "/v1/inventory/changes", query=query)
    rows = [(row["sku"], row["location_id"], row["available_to_fulfill"]) for row in answer["data"]]
    return rows, answer["next_cursor"], answer["more"]


def test_a_place_that_changed_often_comes_once_with_its_figures_now(world: World) -> None:
    world.stock("A", "berlin", 7)
    world.stock("B", "lyon", 3)
    world.stock("A", "berlin", 8)
    rows, cursor, more = changes(world)
    assert (sorted(rows), more) == ([("A", "berlin", 8), ("B", "lyon", 3)], False)
    assert changes(world, cursor)[0] == []


def test_sales_counts_and_what_goes_back_are_all_seen_after_the_cursor(world: World) -> None:
    _, cursor, _ = changes(world)
    world.place(order_body(quantities={"A": 2}))
    rows, cursor, _ = changes(world, cursor)
    assert rows == [("A", "berlin", 8)]
    world.done("PUT", "/v1/inventory/NEW/lyon", {"on_hand": 1})
    rows, cursor, _ = changes(world, cursor)
    assert rows == [("NEW", "lyon", 1)]
    assert changes(world, cursor)[0] == []


def test_page_by_page_nothing_is_missed_and_nothing_comes_twice(world: World) -> None:
    for number in range(7):
        world.stock(f"S{number}", "berlin", number)
    seen: list[Any] = []
    cursor, more = "", True
    while more:
        rows, cursor, more = changes(world, cursor, limit=3)
        assert len(rows) <= 3
        seen += rows
    assert sorted(seen) == [(f"S{number}", "berlin", number) for number in range(7)]


def test_the_rows_of_a_hot_item_are_one_place(world: World) -> None:
    world.done("PUT", "/v1/inventory/A/berlin/shards", {"shards": 4})
    world.pump()
    rows, cursor, _ = changes(world)
    assert rows == [("A", "berlin", 10)]
    for number in range(3):
        world.place(order_body(f"W-{number}", quantities={"A": 1}))
    assert changes(world, cursor)[0] == [("A", "berlin", 7)]


def test_a_cursor_whose_changes_are_kept_no_more_is_410_and_says_what_to_do(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.stock("A", "berlin", 7)
    _, cursor, _ = changes(world)
    from oms.flows import changes as feed
    from oms.inventory.changes import Shard

    monkeypatch.setattr(feed, "shards", lambda: [Shard("another", "shard-before")])
    answer = world.call("GET", "/v1/inventory/changes", query={"cursor": cursor})
    assert (answer.status, answer.body["type"]) == (410, "urn:oms:problem:cursor-too-old")
    assert "availability" in answer.body["detail"]


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"cursor": "eJw"}, {"limit": "0"}, {"limit": "101"}])
def test_what_is_no_cursor_or_no_limit_is_422(world: World, query: dict[str, str]) -> None:
    assert world.call("GET", "/v1/inventory/changes", query=query).status == 422
