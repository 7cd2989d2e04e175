"""The conservation check: clean while everything is as it should be, whatever happens; drift is named with its cause, repaired once,
and every repair leaves its trace."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.cli import main
from oms import clock
from oms.flows import check as flow
from oms.orders.records import Waiting
from oms.storage import effects
from oms.storage.clients import client
from oms.storage.codec import decode, encode
from oms.storage.environment import environment
from tests.support.world import JSON, Killed, World, order_body

NOBODY = "00000000000000000000"


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "PAUSE", 0.0)


def checked(world: World, **query: str) -> list[JSON]:
    """All findings."""
    answer = world.done("GET", "/v1/inventory/check", query=query or None)
    assert answer["next_cursor"] is None
    return list(answer["data"])


def repaired(world: World, findings: list[JSON], **more: Any) -> list[str]:
    """What became of the repair of each finding."""
    named = [{name: found[name] for name in ("id", "sku", "location_id", "owner") if found[name]} for found in findings]
    answer = world.done("POST", "/v1/inventory/repairs", {"findings": named, "reason": "audit of November"}, **more)
    became = {row["id"]: row["status"] for row in answer["data"]}
    return [became[found["id"]] for found in findings]


def tamper(pk: str, sk: str, **figures: int) -> None:
    """Somebody changes an item by hand."""
    client("dynamodb").update_item(
        TableName=environment().inventory_table,
        Key=encode({"pk": pk, "sk": sk}),
        UpdateExpression="ADD " + ", ".join(f"{name} :{name}" for name in figures),
        ExpressionAttributeValues=encode({f":{name}": units for name, units in figures.items()}),
    )


def items(pk: str, prefix: str = "") -> list[JSON]:
    table = client("dynamodb").scan(TableName=environment().inventory_table)["Items"]
    return [item for item in map(decode, table) if item["pk"].startswith(pk) and item["sk"].startswith(prefix)]


def remove(item: JSON) -> None:
    client("dynamodb").delete_item(TableName=environment().inventory_table, Key=encode({"pk": item["pk"], "sk": item["sk"]}))


def put(item: JSON) -> None:
    client("dynamodb").put_item(TableName=environment().inventory_table, Item=encode(item))


def a_busy_shop(world: World) -> list[str]:
    """An order reserved, one handed out, one shipped, one waiting; their ids."""
    reserved = world.place(order_body("W-1"))["id"]
    handed_out = world.allocated(order_body("W-2"))["id"]
    shipped = world.allocated(order_body("W-3"))
    world.ship_all(shipped)
    body = order_body("W-4", quantities={"A": 30})
    body["lines"][0]["backorder"] = "allow"
    waiting = world.place(body)["id"]
    return [reserved, handed_out, shipped["id"], waiting]


def test_a_busy_shop_adds_up(world: World) -> None:
    a_busy_shop(world)
    answer = world.done("GET", "/v1/inventory/check")
    assert (answer["data"], answer["checked"]) == ([], {"places": 4, "orders": 4, "moving": 0})
    world.pump()
    world.stock("A", "lyon", 50)
    world.pump()
    assert checked(world) == []


@pytest.mark.parametrize(("figure", "units"), [("reserved", 3), ("on_hand", -3), ("on_hand", 3), ("spare", -3), ("available", 3)])
def test_a_figure_changed_by_hand_is_found_and_put_back(world: World, figure: str, units: int) -> None:
    world.place(order_body())
    before = items("sku#B", "stock#berlin")
    tamper("sku#B", "stock#berlin", **{figure: units})
    [found] = checked(world)
    assert (found["law"], found["sku"], found["location_id"]) == (figure, "B", "berlin")
    assert (found["found"] - found["expected"], found["first_cause"]) == (units, "unknown")
    assert repaired(world, [found]) == ["repaired"]
    assert checked(world) == []
    [old], [new] = before, items("sku#B", "stock#berlin")
    assert {name: new[name] for name in old if name not in ("v", "moves")} == {
        name: old[name] for name in old if name not in ("v", "moves")
    }
    assert repaired(world, [found]) == ["gone"]


def test_a_reserved_item_that_is_lost_is_written_again_from_its_order(world: World) -> None:
    [order_id, *_] = a_busy_shop(world)
    [item] = [item for item in items("reserved#berlin") if item["sk"] == order_id]
    remove(item)
    found = checked(world)
    assert [(row["law"], row["sku"], row["expected"], row["found"], row["first_cause"]) for row in found] == [
        ("reservation", "A", 2, 0, order_id),
        ("reservation", "B", 1, 0, order_id),
    ]
    assert repaired(world, found) == ["repaired", "repaired"]
    [again] = [item for item in items("reserved#berlin") if item["sk"] == order_id]
    assert again["units"] == item["units"]
    assert checked(world) == []
    [fact] = [data for kind, data in world.facts(order_id) if kind == "stock.repaired" and data["sku"] == "A"]
    assert (fact["expected"], fact["reason"], fact["first_cause"]) == (2, "audit of November", order_id)


@pytest.mark.parametrize("owner", [f"ord_{NOBODY}", f"res_{NOBODY}"])
def test_a_reservation_of_nobody_is_removed(world: World, owner: str) -> None:
    a_busy_shop(world)
    put({"pk": effects.reserved_pk("berlin", owner), "sk": owner, "units": {"A": 2, "B": 1}, "at": clock.stamp()})
    found = checked(world)
    assert {(row["law"], row["sku"], row["expected"], row["owner"]) for row in found} == {
        ("reservation", "A", 0, owner),
        ("reservation", "B", 0, owner),
    }
    assert repaired(world, found) == ["repaired", "repaired"]
    assert not [item for item in items("reserved#") if item["sk"] == owner]
    assert checked(world) == []


def test_units_that_a_lost_release_left_reserved_are_sold_again(world: World) -> None:
    """Item and row agree with each other and not with the order, which has shipped them: the order is right."""
    _, _, shipped, _ = a_busy_shop(world)
    put({"pk": effects.reserved_pk("berlin", shipped), "sk": shipped, "units": {"B": 1}, "at": clock.stamp()})
    tamper("sku#B", "stock#berlin", reserved=1, spare=-1, available=-1)
    found = checked(world)
    assert [(row["law"], row["first_cause"]) for row in found] == [
        (law, shipped) for law in ("reservation", "reserved", "spare", "available")
    ]
    assert repaired(world, found[:2]) == ["repaired", "repaired"]
    assert (checked(world), world.figures("B")) == ([], (9, 2))


def test_a_lost_movement_names_the_order_that_it_is_of(world: World) -> None:
    _, _, shipped, _ = a_busy_shop(world)
    [item] = [item for item in items("sku#B", "moved#berlin") if item["kind"] == "shipped"]
    remove(item)
    found = checked(world)
    assert [(row["law"], row["expected"], row["found"]) for row in found] == [("on_hand", 10, 9), ("spare", 8, 7), ("available", 8, 7)]
    assert shipped in item["sk"]


def test_a_false_movement_names_its_order_and_is_made_good(world: World) -> None:
    reserved, *_ = a_busy_shop(world)
    at = clock.stamp()
    put({"pk": "sku#B", "sk": f"moved#berlin#{at}#{reserved}#9", "kind": "shipped", "delta": -2, "actor": "?"})
    found = checked(world)
    assert [(row["law"], row["first_cause"]) for row in found] == [(law, reserved) for law in ("on_hand", "spare", "available")]
    assert repaired(world, found[:1]) == ["repaired"]
    assert (checked(world), world.figures("B")) == ([], (7, 2))
    moves = world.done("GET", "/v1/inventory/B/berlin/movements")["data"]
    assert [(move["kind"], move["delta"], move.get("on_hand"), move["actor"]) for move in moves][:1] == [("repaired", 0, 7, "client:shop")]


def test_a_repair_is_published_with_its_reason_and_who_asked_for_it(world: World) -> None:
    tamper("sku#A", "stock#lyon", reserved=4)
    assert repaired(world, checked(world)) == ["repaired"]
    world.pump()
    [event] = [event for event in world.published() if event["type"] == "stock.repaired"]
    assert (event["actor"], event["data"]["reason"], event["data"]["found"], event["data"]["expected"]) == (
        "client:shop",
        "audit of November",
        4,
        0,
    )


def test_the_same_key_answers_the_same_and_repairs_nothing_more(world: World) -> None:
    tamper("sku#A", "stock#lyon", reserved=4)
    found, key = checked(world), {"Idempotency-Key": "k-1"}
    assert [repaired(world, found, headers=key) for _ in range(2)] == [["repaired"], ["repaired"]]
    tamper("sku#A", "stock#lyon", reserved=4)
    assert repaired(world, found, headers=key) == ["repaired"]
    assert [row["found"] for row in checked(world)] == [4]


def test_a_place_in_the_queue_that_is_lost_is_taken_again(world: World) -> None:
    *_, waiting = a_busy_shop(world)
    [entry] = items("sku#A", "queue#")
    remove(entry)
    [found] = checked(world)
    assert (found["law"], found["location_id"], found["owner"], found["line_id"], found["found"]) == (
        "place_in_queue",
        None,
        waiting,
        "1",
        0,
    )
    assert repaired(world, [found]) == ["repaired"]
    assert (items("sku#A", "queue#"), checked(world)) == ([entry], [])


def test_a_place_in_the_queue_of_nobody_is_removed_and_debts_follow_the_lines(world: World) -> None:
    a_busy_shop(world)
    put({"pk": "sku#A", "sk": f"queue#5#2026-01-01T00:00:00.000Z#ord_{NOBODY}#1", **Waiting(units=3).model_dump()})
    tamper("sku#A", "stock#berlin", queued=3, available=-3)
    found = checked(world)
    assert [(row["law"], row["expected"], row["found"]) for row in found[:1]] == [("place_in_queue", 0, 3)]
    assert [(row["law"], row["found"] - row["expected"]) for row in found[1:]] == [("queued", 3)]
    assert repaired(world, found) == ["repaired", "repaired"]
    assert checked(world) == []


def test_what_changes_between_the_looks_is_no_drift(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tamper("sku#A", "stock#berlin", reserved=4)
    monkeypatch.setattr("oms.flows.check.time.sleep", lambda _: world.place(order_body("W-1")))
    answer = world.done("GET", "/v1/inventory/check")
    assert (answer["data"], answer["checked"]["moving"]) == ([], 1)


def test_a_repair_of_what_is_another_drift_by_now_does_nothing(world: World) -> None:
    tamper("sku#A", "stock#berlin", reserved=4)
    found = checked(world)
    tamper("sku#A", "stock#berlin", reserved=1)
    assert repaired(world, found) == ["gone"]
    assert [row["found"] for row in checked(world)] == [5]


def test_two_repairs_at_once_repair_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tamper("sku#A", "stock#berlin", reserved=4)
    found, others = checked(world), list[list[str]]()

    def another(call: Any) -> None:
        if call.operation == "TransactWriteItems" and not others:
            others.append([])
            others[0] += repaired(world, found)

    world.wire.before.append(another)
    assert (repaired(world, found), others) == (["refused"], [["repaired"]])
    assert (checked(world), world.figures("A")) == ([], (10, 0))


def test_a_repair_that_dies_anywhere_is_made_by_asking_again(world: World) -> None:
    a_busy_shop(world)
    tamper("sku#A", "stock#lyon", reserved=4, available=-4)
    remove(items("sku#A", "queue#")[0])
    found = checked(world)
    deaths: list[str] = []

    def die(call: Any) -> None:
        if call.writes and len(deaths) < 4:
            deaths.append(call.operation)
            raise Killed

    for when in ("before", "after"):
        deaths.clear()
        with world.wire.watched(**{when: die}):
            while True:
                try:
                    repaired(world, found, headers={"Idempotency-Key": when})
                    break
                except Killed:
                    continue
        assert checked(world) == []
        assert world.figures("A", "lyon") == (10, 10)


def test_less_than_nothing_is_for_people_to_count(world: World) -> None:
    tamper("sku#A", "stock#berlin", on_hand=-12, spare=-12, available=-12)
    put({"pk": "sku#A", "sk": f"moved#berlin#{clock.stamp()}#x", "kind": "removed", "delta": -12, "actor": "?"})
    [found] = checked(world)
    assert (found["law"], found["found"]) == ("negative", -2)
    assert repaired(world, [found]) == ["refused"]
    world.stock("A", "berlin", 3)
    assert checked(world) == []


def test_one_place_and_one_sku_can_be_checked_alone(world: World) -> None:
    for place, sku in (("berlin", "A"), ("lyon", "A"), ("lyon", "B")):
        tamper(f"sku#{sku}", f"stock#{place}", reserved=1)
    assert {(row["location_id"], row["sku"]) for row in checked(world, location_id="lyon")} == {("lyon", "A"), ("lyon", "B")}
    assert {(row["location_id"], row["sku"]) for row in checked(world, sku="A")} == {("berlin", "A"), ("lyon", "A")}
    assert [row["location_id"] for row in checked(world, sku="A", location_id="berlin")] == ["berlin"]
    assert world.call("GET", "/v1/inventory/check", query={"location_id": "nowhere"}).status == 404


def test_a_check_without_time_for_all_goes_on_from_its_cursor(world: World) -> None:
    for place, sku in (("berlin", "A"), ("lyon", "B")):
        tamper(f"sku#{sku}", f"stock#{place}", reserved=1)
    found, calls, after = list[tuple[str, str]](), 0, ""
    while not calls or after:
        times = iter([60.0])  # enough for one SKU
        done = flow.check(None, None, partial(next, times, 0.0), after)
        found += [(row.location_id, row.sku) for row in done.findings]
        calls, after = calls + 1, done.next
    assert (found, calls) == ([("berlin", "A"), ("lyon", "B")], 4)


def test_a_repair_needs_a_reason_and_something_to_repair(world: World) -> None:
    answer = world.call("POST", "/v1/inventory/repairs", {"findings": []})
    assert (answer.status, answer.pointers) == (422, {"/findings", "/reason"})


def test_a_sale_does_not_touch_the_index_of_places(world: World) -> None:
    """A row has its entry from its birth; a sale, a release and a shipment write neither of the index's attributes."""
    world.wire.made.clear()
    order = world.allocated(order_body("W-1"))
    world.ship_all(order)
    updates = [each["Update"] for call in world.wire.made for each in call.given.get("TransactItems", []) if "Update" in each]
    rows = [each for each in updates if each["Key"]["sk"]["S"].startswith("stock#")]
    assert len(rows) == 4
    assert not [each for each in rows if "place" in each["UpdateExpression"]]


def test_a_row_that_is_born_of_a_debt_or_a_return_is_in_the_index(world: World) -> None:
    body = order_body("W-1", quantities={"NEW": 3})
    body["lines"][0]["backorder"] = "allow"
    waiting = world.place(body)["id"]
    [entry] = items("sku#NEW", "queue#")
    remove(entry)
    [found] = checked(world)
    assert (found["sku"], found["owner"]) == ("NEW", waiting)


# --- reconcile ---


def audited(world: World) -> int:
    world.advance(minutes=6)
    return int(world.invoke("reconcile", {})["drift"])


def test_reconcile_finds_nothing_in_a_busy_shop_and_writes_nothing_for_it(world: World) -> None:
    a_busy_shop(world)
    world.pump()
    world.invoke("reconcile", {})
    world.wire.made.clear()
    assert audited(world) == 0
    assert not [call for call in world.wire.made if call.writes and "oms-inventory" in str(call.given)]


def test_reconcile_reports_drift_once_as_an_exception_and_repairs_nothing(world: World) -> None:
    [order_id, *_] = a_busy_shop(world)
    world.pump()
    # Row and item lost the units together: only the order knows of them.
    [item] = [item for item in items("reserved#berlin") if item["sk"] == order_id]
    remove(item)
    tamper("sku#A", "stock#berlin", reserved=-2, spare=2, available=2)
    assert [audited(world), audited(world)] == [5, 5]
    problems = world.done("GET", "/v1/exceptions", query={"status": "open", "kind": "drift"})["data"]
    assert sorted((each["details"][0]["sku"], {row["law"] for row in each["details"]} >= {"reserved"}) for each in problems) == [
        ("A", True),
        ("B", False),
    ]
    assert all(row["first_cause"] == order_id for each in problems for row in each["details"])
    found = checked(world)
    assert len(found) == 5
    assert set(repaired(world, found)) == {"repaired"}
    assert (audited(world), checked(world)) == (0, [])


def test_an_audit_goes_on_where_the_last_one_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, sku in (("berlin", "A"), ("lyon", "B")):
        tamper(f"sku#{sku}", f"stock#{place}", reserved=1)
    found = []
    for _ in range(5):
        times = iter([60.0])
        done = flow.audit(flow.Suspects(), partial(next, times, 0.0))
        found += [(row.location_id, row.sku) for row in done]
    assert found == [("berlin", "A"), ("lyon", "B"), ("berlin", "A")]


# --- oms check ---


class OfWorld:
    """The API of a world, as the command calls it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, path: str, **query: str) -> Any:
        return self._world.done("GET", path, query=query or None)

    def post(self, path: str, body: JSON) -> Any:
        return self._world.done("POST", path, body)


def test_the_command_says_what_is_wrong_and_repairs_only_when_told_to(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.local.commands.check.Stack.running", lambda _: SimpleNamespace(api=lambda: OfWorld(world)))
    tamper("sku#A", "stock#lyon", reserved=4)
    assert [main(["check"]), main(["check", "--sku", "B"])] == [1, 0]
    said = capsys.readouterr().out
    assert "A at lyon: reserved is 4" in said
    assert "Everything adds up." in said
    assert [main(["check", "--location", "lyon", "--repair", "--json"]), main(["check"])] == [0, 0]
    out = capsys.readouterr().out  # with what the functions log between
    told = json.loads(out[out.index("{\n") : out.index("\n}\n") + 2])
    assert [(row["law"], row["repair"]["status"]) for row in told["data"]] == [("reserved", "repaired")]
    assert world.figures("A", "lyon") == (10, 0)
