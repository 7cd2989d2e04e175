"""A hot item in the tables: its rows are made, evened out and removed while it sells, and nothing is sold twice or lost."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import moto.dynamodb
import pytest
from botocore.exceptions import ClientError

from oms import clock
from oms.flows import blocks
from oms.flows import shards as flow
from oms.inventory.stock import Stock
from oms.orders.order import StockChange
from oms.storage import clients, shards, table
from oms.storage.effects import row_effect
from oms.storage.inventory import rows_of, stock_at, stock_of, stock_to_sell
from oms.storage.table import Lost, get_many
from tests.support.world import Call, Killed, World, order_body

BATCHES = {"BatchGetItem"}
READS = {"GetItem", "Query", *BATCHES}


@pytest.fixture
def hot(world: World) -> World:
    """40 of A in berlin over 8 rows, none elsewhere."""
    world.stock("A", "lyon", 0)
    world.stock("A", "berlin", 40)
    split(world, 8)
    world.pump()
    return world


def split(world: World, count: int, **more: Any) -> Any:
    return world.done("PUT", "/v1/inventory/A/berlin/shards", {"shards": count}, **more)


def place() -> Stock:
    found = stock_at("A", "berlin")
    assert found is not None
    return found


def parts() -> list[int]:
    return list(place().parts.values())


def buy(world: World, number: str, quantity: int = 1) -> int:
    """The answer to a buyer who comes again while the shop is busy."""
    for _ in range(20):
        status = world.call("POST", "/v1/orders", order_body(number, quantities={"A": quantity})).status
        if status != 503:
            return status
    raise AssertionError("refused as busy twenty times")


def lawful(world: World, on_hand: int, reserved: int) -> None:
    """The rows add up, none but row 0 is below zero, and none lies outside the number of rows."""
    whole = place()
    assert (whole.on_hand, whole.reserved, whole.spare, whole.available) == (on_hand, reserved, on_hand - reserved, on_hand - reserved)
    rows = rows_of(whole)
    assert all(row.available >= 0 for number, row in rows.items() if number)
    stored = {item["pk"]["S"] for item in world.items()["oms-inventory"] if item["pk"]["S"].startswith("sku#A#")}
    assert stored == {f"sku#A#{number}" for number in rows if number}


def seconds_left() -> float:
    return 60.0


@contextmanager
def once(world: World, wanted: Callable[[Call], bool], act: Callable[[], Any]) -> Iterator[list[int]]:
    """Do something right after the first call that is `wanted`."""
    done: list[int] = []

    def watch(call: Call) -> None:
        if not done and wanted(call):
            done.append(1)
            act()

    with world.wire.watched(after=watch):
        yield done


def test_a_number_of_shards_spreads_what_there_is_and_says_so(hot: World) -> None:
    assert parts() == [5] * 8
    assert hot.done("GET", "/v1/inventory/A/berlin")["shards"] == 8
    assert [event["data"]["shards"] for event in hot.published() if event["type"] == "shards.changed"] == [8]
    lawful(hot, 40, 0)


def test_fewer_shards_give_all_they_have_to_row_0_and_are_gone(hot: World) -> None:
    for number in range(12):
        assert buy(hot, f"W-{number}") == 201
    split(hot, 3)
    assert place().width == 8  # they are counted until they are gone
    lawful(hot, 40, 12)
    hot.pump()
    assert (place().width, sum(parts()), len(parts())) == (3, 28, 3)
    lawful(hot, 40, 12)
    split(hot, 1)
    hot.pump()
    assert (place().width, parts()) == (1, [28])
    assert list(shards.hot_places()) == []
    lawful(hot, 40, 12)


@pytest.mark.parametrize("body", [{"shards": 0}, {"shards": 65}, {"shards": "8"}, {"shards": True}, {}])
def test_a_number_that_is_not_possible_is_422(hot: World, body: dict[str, Any]) -> None:
    before = hot.items()
    assert hot.call("PUT", "/v1/inventory/A/berlin/shards", body).status == 422
    assert hot.items() == before


def test_what_was_never_counted_cannot_be_split(world: World) -> None:
    assert world.call("PUT", "/v1/inventory/Z/berlin/shards", {"shards": 2}).status == 404


def test_a_number_with_a_key_is_set_once(hot: World) -> None:
    headers = {"Idempotency-Key": "k"}
    split(hot, 2, headers=headers)
    split(hot, 4)
    again = hot.call("PUT", "/v1/inventory/A/berlin/shards", {"shards": 2}, headers=headers)
    assert (again.headers["idempotent-replayed"], again.body["shards"]) == ("true", 4)


def test_few_units_stay_where_they_are(world: World) -> None:
    """With a unit per row or less there is nothing to win: sales go on to the rows that have some."""
    world.stock("A", "berlin", 5)
    split(world, 8)
    world.pump()
    assert parts() == [5]
    world.stock("A", "lyon", 0)
    assert [buy(world, f"W-{number}") for number in range(6)] == [201] * 5 + [409]


def test_a_sale_larger_than_any_row_is_served_from_several(hot: World) -> None:
    assert buy(hot, "W-1", 33) == 201
    lawful(hot, 40, 33)
    assert buy(hot, "W-2", 8) == 409
    assert buy(hot, "W-3", 7) == 201
    lawful(hot, 40, 40)


@pytest.mark.slow
def test_goods_that_are_counted_are_spread_at_once_and_what_is_released_by_the_sweep(hot: World) -> None:
    for number in range(40):
        assert buy(hot, f"W-{number}") == 201
    assert parts() == [0] * 8
    hot.stock("A", "berlin", 120)
    hot.pump()
    assert parts() == [10] * 8
    order = order_body("W-DECLINED", quantities={"A": 30})
    order["payments"][0]["token"] = "tok_decline"
    assert hot.call("POST", "/v1/orders", order).status == 402
    assert sum(parts()) == 80
    assert max(parts()) >= 30
    assert hot.invoke("stockkeeper", {})["shards"] == 1
    assert parts() == [10] * 8
    assert hot.invoke("stockkeeper", {})["shards"] == 0
    lawful(hot, 120, 40)


def test_a_count_that_takes_goods_away_gathers_them_first(hot: World) -> None:
    """Row 0 has 5 of 40. Were it counted down alone, the others would sell 35 of 10."""
    hot.stock("A", "berlin", 10)
    assert place().parts[0] >= 0
    lawful(hot, 10, 0)
    assert [buy(hot, f"W-{number}") for number in range(11)] == [201] * 10 + [409]
    lawful(hot, 10, 10)


def test_a_count_below_what_is_reserved_leaves_no_row_with_anything_to_sell(hot: World) -> None:
    for number in range(20):
        assert buy(hot, f"W-{number}") == 201
    hot.stock("A", "berlin", 15)
    assert sorted(parts()) == [-5] + [0] * 7
    assert buy(hot, "W-LATE") == 409
    hot.stock("A", "berlin", 22)
    assert (buy(hot, "X-3", 3), buy(hot, "X-2", 2)) == (409, 201)
    lawful(hot, 22, 22)


@pytest.mark.parametrize(("sold", "counted"), [(0, 1), (3, 2)], ids=["row 0 has enough", "no row has enough"])
def test_a_count_meets_units_that_are_being_spread(hot: World, sold: int, counted: int) -> None:
    """Between its look at the rows and its write, row 0 gives all it has to another row: then the count begins again."""
    hot.stock("A", "berlin", 0)
    hot.stock("A", "berlin", 4)
    assert [buy(hot, f"W-{number}") for number in range(sold)] == [201] * sold
    moved: list[bool] = []

    def move(call: Call) -> None:
        if not moved and any("moved#" in str(each.get("Put")) for each in call.given.get("TransactItems", [])):
            moved.append(True)
            moved[0] = shards.move(place(), 3, 4 - sold)

    with hot.wire.watched(before=move):
        hot.stock("A", "berlin", counted)
    assert moved == [True]
    assert place().parts[0] >= 0 or not any(units for number, units in place().parts.items() if number)
    lawful(hot, counted, sold)


def test_safety_stock_is_kept_back_from_all_rows(hot: World) -> None:
    hot.done("PUT", "/v1/inventory/A/berlin", {"on_hand": 40, "safety_stock": 38})
    assert [buy(hot, f"W-{number}") for number in range(3)] == [201, 201, 409]


def test_nobody_is_refused_while_units_move_between_rows(hot: World) -> None:
    """All is on row 7; a buyer has read row 0 when it comes to row 0 and the read of row 7 finds nothing."""
    hot.stock("A", "berlin", 1)
    for number, units in place().parts.items():
        if number and units:
            shards.move(place(), number, -units)
    assert shards.move(place(), 7, 1)
    whole_reads: list[int] = []

    def second_read(call: Call) -> bool:
        whole_reads.append(call.operation == "Query" and call.given["ConsistentRead"] and "stock#" in str(call.given))
        return bool(whole_reads[-1])

    with once(hot, second_read, lambda: shards.move(place(), 7, -1)) as done:
        (found,) = [row for row in stock_of(["A"])["A"] if row.location_id == "berlin"]
    assert done
    assert (found.available, found.sampled) == (1, False)


def test_figures_that_change_all_the_time_refuse_nobody(hot: World) -> None:
    """Row 0 changes whenever it is looked at: whoever wants to be certain hears that, whoever just asks gets an answer."""
    swing = [1]

    def change(call: Call) -> None:
        if call.operation in BATCHES and not hot.wire.work.__dict__.get("deep"):
            hot.wire.work.deep = True
            swing[0] = -swing[0]
            shards.move(shards.first_row("A", "berlin") or place(), 1, swing[0])
            hot.wire.work.deep = False

    with hot.wire.watched(after=change):
        with pytest.raises(Lost, match="A at berlin"):
            stock_of(["A"])
        assert hot.call("POST", "/v1/inventory/availability", {"skus": ["A"]}).status == 200
        assert hot.call("POST", "/v1/orders", order_body("W-9", quantities={"A": 41})).status == 503
    assert buy(hot, "W-9", 41) == 409


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("begin", [1, 5], ids=["grow", "shrink"])
def test_a_change_that_is_killed_around_any_write_is_finished_by_running_it_again(world: World, begin: int, after: bool) -> None:
    world.stock("A", "lyon", 0)
    world.stock("A", "berlin", 20)
    split(world, begin)
    world.pump()
    sold = sum(buy(world, f"W-{number}") == 201 for number in range(3))
    end = 6 - begin
    for nth in range(1, 20):
        writes: list[str] = []

        def kill(call: Call, writes: list[str] = writes, nth: int = nth) -> None:
            if call.operation == "TransactWriteItems":
                writes.append(call.operation)
                if len(writes) == nth:
                    raise Killed

        try:
            with world.wire.watched(**{"after" if after else "before": kill}):
                if place().shards != end:
                    split(world, end)
                flow.arrange("A", "berlin", seconds_left)
        except Killed:
            lawful(world, 20, sold)
            sold += buy(world, f"K-{nth}") == 201
            lawful(world, 20, sold)
        else:
            break
    assert nth > 1
    assert place().width == place().shards == end
    lawful(world, 20, sold)
    assert min(parts()) > 0
    while buy(world, f"L-{sold}") == 201:
        sold += 1
    assert sold == 20


@pytest.mark.slow
def test_two_who_arrange_the_same_item_at_once_lose_nothing(hot: World) -> None:
    for number in range(20):
        buy(hot, f"W-{number}")
    for count in (3, 8, 2, 1, 5):
        split(hot, count)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: arranged(), range(3)))
        flow.arrange("A", "berlin", seconds_left)
        assert place().width == count
        lawful(hot, 40, 20)


def arranged() -> None:
    try:
        flow.arrange("A", "berlin", seconds_left)
    except Lost:
        return  # the others were faster; a last one sees to it


@pytest.mark.slow
def test_the_last_unit_is_sold_once_while_rows_come_and_go_and_transactions_conflict(hot: World) -> None:
    """The engine and moto know no TransactionConflict, so every third transaction meets one here."""
    chance = random.Random(7)

    def conflict(call: Call) -> None:
        if call.operation == "TransactWriteItems" and chance.random() < 0.33:
            reasons = [{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (len(call.given["TransactItems"]) - 1)]
            answer: Any = {"Error": {"Code": "TransactionCanceledException", "Message": "Cancelled"}, "CancellationReasons": reasons}
            raise ClientError(answer, call.operation)

    def rearrange() -> None:
        for count in (3, 12, 1, 8):
            for _ in range(20):
                if hot.call("PUT", "/v1/inventory/A/berlin/shards", {"shards": count}).status == 200:
                    break
            arranged()

    with hot.wire.watched(before=conflict), ThreadPoolExecutor(5) as pool:
        arranging = pool.submit(rearrange)
        answers = list(pool.map(lambda number: buy(hot, f"W-{number}"), range(50)))
        arranging.result()
    assert sorted(answers) == [201] * 40 + [409] * 10
    lawful(hot, 40, 40)
    assert len(hot.gateway.moved("authorize")) == 40


def test_units_are_not_brought_to_a_row_that_is_gone(hot: World) -> None:
    """Whoever is about to bring them there has read the rows before they became fewer."""
    before = place()
    split(hot, 2)
    hot.pump()
    assert not shards.move(before, 5, 1)
    lawful(hot, 40, 0)


def test_a_row_that_sells_while_it_is_being_removed_is_read_again(hot: World) -> None:
    split(hot, 7)
    sale = row_effect(StockChange("A", "berlin", reserve=2, shard=7), "")
    before = place()
    with once(hot, lambda call: call.operation in BATCHES, lambda: table.write([sale])) as done:
        assert not shards.retire(before)
    assert done
    lawful(hot, 40, 2)
    assert shards.retire(place())
    lawful(hot, 40, 2)


def test_what_is_given_back_while_rows_become_fewer_is_taken(hot: World) -> None:
    """It was sold from rows that are still there, and row 0 does not know of it."""
    split(hot, 1)
    order = order_body("W-DECLINED", quantities={"A": 30})
    order["payments"][0]["token"] = "tok_decline"
    assert hot.call("POST", "/v1/orders", order).status == 402
    lawful(hot, 40, 0)


def test_a_shelf_that_turns_out_empty_leaves_no_row_with_anything_to_sell(hot: World) -> None:
    for number in range(6):
        assert buy(hot, f"W-{number}") == 201
    table.write([row_effect(StockChange("A", "berlin", block="rejected"), clock.stamp())])
    blocks.blocked({"sku": "A", "location_id": "berlin", "effect": "zero", "cause": "rejected"}, seconds_left)
    lawful(hot, 6, 6)
    assert parts() == [0] * 8


def test_a_sale_that_sees_the_old_number_reads_again(hot: World) -> None:
    """The row it has chosen is gone when it writes."""

    def gone() -> None:
        split(hot, 1)
        flow.arrange("A", "berlin", seconds_left)

    with once(hot, lambda call: call.operation in BATCHES and len(call.given["RequestItems"]["oms-inventory"]["Keys"]) < 8, gone) as done:
        while not done:
            assert buy(hot, f"W-{len(hot.wire.made)}") == 201
    assert place().width == 1
    whole = place()
    lawful(hot, 40, whole.reserved)


@pytest.mark.parametrize(("count", "batches"), [(1, 0), (8, 1)])
def test_what_a_sale_costs_does_not_grow_with_the_number_of_rows(world: World, count: int, batches: int) -> None:
    world.stock("A", "lyon", 0)
    world.stock("A", "berlin", 80)
    split(world, count)
    world.pump()
    reads, rows, writes = [], [], []
    for number in range(12):
        made = len(world.wire.made)
        assert buy(world, f"W-{number}") == 201
        calls = world.wire.made[made:]
        mine = [call for call in calls if call.operation in READS and "oms-inventory" in str(call.given)]
        reads.append(len(mine))
        rows.append(sum(len(call.given["RequestItems"]["oms-inventory"]["Keys"]) for call in mine if call.operation in BATCHES))
        took = next(call.given["TransactItems"] for call in calls if call.operation == "TransactWriteItems")
        writes.append(sum("stock#" in str(each.get("Update", {}).get("Key")) for each in took))
    assert set(writes) == {1}  # one row, 2 write units
    assert max(rows) == batches  # beside the query of row 0, half a read unit each
    assert max(reads) == 1 + batches


def test_a_refusal_reads_every_row_and_row_0_twice(hot: World) -> None:
    hot.stock("A", "berlin", 0)
    made = len(hot.wire.made)
    stock_of(["A"])
    calls = [call.operation for call in hot.wire.made[made:]]
    assert calls == ["Query", "BatchGetItem", "GetItem"]
    assert len(hot.wire.made[made + 1].given["RequestItems"]["oms-inventory"]["Keys"]) == 7


def test_a_sale_reads_no_more_rows_than_it_needs(hot: World) -> None:
    (row,) = [row for row in stock_to_sell({"A": 5})["A"] if row.location_id == "berlin"]
    assert (len(row.parts), row.available, row.sampled) == (1, 5, True)
    (row,) = [row for row in stock_to_sell({"A": 11})["A"] if row.location_id == "berlin"]
    assert (len(row.parts), row.available) == (4, 20)
    (row,) = [row for row in stock_to_sell({"A": 50})["A"] if row.location_id == "berlin"]
    assert (len(row.parts), row.available) == (8, 40)


def test_keys_that_dynamodb_leaves_out_are_asked_for_again(hot: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = clients.client("dynamodb"), list[int]()

    class Busy:
        def batch_get_item(self, *, RequestItems: Any, **more: Any) -> Any:  # noqa: N803
            keys = RequestItems["oms-inventory"]["Keys"]
            asked.append(len(keys))
            first = {"oms-inventory": {**RequestItems["oms-inventory"], "Keys": keys[: len(keys) // 2]}}
            answer = real.batch_get_item(RequestItems=first, **more) if first["oms-inventory"]["Keys"] else {"Responses": {}}
            return {**answer, "UnprocessedKeys": {"oms-inventory": {"Keys": keys[len(keys) // 2 :]}}}

    monkeypatch.setattr(table, "client", lambda service: Busy())
    keys = [{"pk": "sku#A" + (f"#{number}" if number else ""), "sk": "stock#berlin"} for number in range(8)]
    with pytest.raises(Lost, match="did not answer for 1 item"):
        get_many("oms-inventory", keys)
    assert asked[:4] == [8, 4, 2, 1]


def test_no_expression_uses_a_word_that_dynamodb_reserves(hot: World) -> None:
    """moto lets some of them pass; DynamoDB does not."""
    (listed,) = Path(moto.dynamodb.__file__).parent.rglob("reserved_keywords.txt")
    words = listed.read_text().upper().split()
    buy(hot, "W-1", 9)
    hot.stock("A", "berlin", 3)
    split(hot, 1)
    hot.pump()
    texts = [text for call in hot.wire.made for text in _expressions(call.given)]
    assert len(texts) > 20
    syntax = {"SET", "ADD", "REMOVE", "DELETE", "AND", "OR", "NOT", "BETWEEN", "SIZE"}
    used = {word for text in texts for word in re.findall(r"(?<![:#\w])[a-z_]\w*(?!\w*\()", text)}
    assert {"available", "reserved", "width"} <= used
    assert not {word for word in used if word.upper() in set(words) - syntax}


def _expressions(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        for name, value in given.items():
            if name.endswith("Expression") and isinstance(value, str):
                yield value
            else:
                yield from _expressions(value)
    elif isinstance(given, list):
        for each in given:
            yield from _expressions(each)


def test_a_count_of_a_hot_item_may_name_its_version_though_it_moves_units_itself(hot: World) -> None:
    place = "/v1/inventory/A/berlin"
    seen = hot.call("GET", place).headers["etag"]
    assert hot.call("PUT", place, {"on_hand": 3}, headers={"If-Match": seen}).status == 200
    assert hot.call("PUT", place, {"on_hand": 9}, headers={"If-Match": seen}).status == 412
    assert hot.figures("A") == (3, 0)
