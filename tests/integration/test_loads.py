"""Bulk loads: every record once, whatever happens in between; preview, guard, report, revert; one exception for all that is short."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from oms.clock import later, stamp
from oms.flows import load_run, load_stretch
from oms.storage.clients import client
from tests.support.world import JSON, Call, Killed, World, order_body

BUCKET = "oms-loads"
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def bucket(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client("s3").create_bucket(Bucket=BUCKET)
    client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    monkeypatch.setattr(load_stretch, "_THREADS", 4)


def row(number: int, sku: str = "A", place: str = "berlin", **figures: Any) -> Row:
    return {"record_id": f"r{number}", "sku": sku, "location_id": place, **figures}


def put(text: str, name: str = "stock.jsonl") -> str:
    client("s3").put_object(Bucket=BUCKET, Key=f"loads/{name}", Body=text.encode())
    return f"s3://{BUCKET}/loads/{name}"


def lines(*rows: Row) -> str:
    return "".join(json.dumps(each) + "\n" for each in rows)


def ask(world: World, text: str, name: str = "stock.jsonl", **more: Any) -> str:
    """Put a file and ask for its load; its id."""
    return str(world.done("POST", "/v1/inventory/loads", {"source": put(text, name), **more})["id"])


def loaded(world: World, text: str, name: str = "stock.jsonl", **more: Any) -> JSON:
    """Put a file, load it to the end; the load."""
    load_id = ask(world, text, name, **more)
    world.pump()
    return read(world, load_id)


def read(world: World, load_id: str) -> JSON:
    found: JSON = world.done("GET", f"/v1/inventory/loads/{load_id}")
    return found


def act(world: World, load_id: str, action: str) -> JSON:
    world.done("POST", f"/v1/inventory/loads/{load_id}/{action}")
    world.pump()
    return read(world, load_id)


def report(address: str) -> list[JSON]:
    key = address.removeprefix(f"s3://{BUCKET}/")
    return [json.loads(line) for line in client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines()]


def stock_rows(world: World) -> dict[tuple[str, str], tuple[int, ...]]:
    items = world.items()["oms-inventory"]
    found = [item for item in items if item["sk"]["S"].startswith("stock#")]
    names = ("on_hand", "spare", "available")
    return {(item["pk"]["S"], item["sk"]["S"]): tuple(int(item[name]["N"]) for name in names) for item in found}


def moved(world: World, sku: str = "A", place: str = "berlin") -> list[tuple[str, int]]:
    rows = world.done("GET", f"/v1/inventory/{sku}/{place}/movements", query={"limit": "100"})["data"]
    return [(each["cause"], each["delta"]) for each in rows]


class TestFiles:
    def test_json_lines_count_and_add(self, world: World) -> None:
        done = loaded(world, lines(row(1, on_hand=7, safety_stock=2), row(2, "B", delta=5), row(3, "NEW", on_hand=3)))
        assert (done["status"], done["records"], done["changed"], done["refused"]) == ("done", 3, 3, 0)
        assert (done["units_before"], done["units_after"], done["units_changed"]) == (20, 25, 11)
        assert [world.figures(sku)[0] for sku in ("A", "B", "NEW")] == [7, 15, 3]
        assert world.done("GET", "/v1/inventory/A/berlin")["available_to_fulfill"] == 5

    def test_csv_with_a_header_in_any_order_of_columns(self, world: World) -> None:
        text = '\ufeffsku,record_id,delta,location_id,on_hand\r\nA,r1,,berlin,7\r\n\r\n"B",r2,-3,lyon,\r\n'
        assert loaded(world, text, "stock.csv")["changed"] == 2
        assert (world.figures("A")[0], world.figures("B", "lyon")[0]) == (7, 7)

    def test_records_of_one_place_are_taken_in_the_order_of_the_file(self, world: World) -> None:
        rows = [row(1, on_hand=3), *(row(n, delta=1) for n in range(2, 30)), row(30, "B", delta=4), row(31, "B", on_hand=6)]
        assert loaded(world, lines(*rows))["changed"] == 31
        assert (world.figures("A")[0], world.figures("B")[0]) == (31, 6)

    def test_every_record_that_is_wrong_is_refused_with_its_reason_and_the_others_are_taken(self, world: World) -> None:
        text = lines(
            row(1, on_hand=-1),
            row(2, on_hand=1, delta=1),
            row(3, place="atlantis", on_hand=1),
            row(4, delta=-11),
            {"sku": "A", "location_id": "berlin", "on_hand": 1},
            row(6, on_hand=1, effective_at=later(stamp(), hours=1)),
            row(7, on_hand=1, effective_at="2025-12-31T00:00:00Z"),
            row(8, delta=1, safety_stock=1),
        )
        text += '{"record_id": "r9", "sku": \n[1]\n{"record_id": "r11", "sku": "\\ud800"}\n' + lines(row(12, on_hand=4))
        done = loaded(world, text)
        assert (done["status"], done["records"], done["changed"], done["refused"]) == ("done_with_refusals", 12, 1, 11)
        reasons = {each["number"]: each["reason"] for each in report(done["report"])}
        assert reasons == {each["number"]: each["reason"] for each in done["refusals"]}
        for number, words in {
            1: "on_hand: Input should be greater than or equal to 0",
            2: "give either on_hand or delta",
            3: "there is no location 'atlantis'",
            4: "would leave less than nothing",
            5: "record_id: required",
            6: "has not come yet",
            7: "is older",
            8: "safety_stock: goes with on_hand",
            9: "the line is not JSON",
            10: "the line is not a JSON object",
            11: "the line is not JSON",
        }.items():
            assert words in reasons[number]
        assert world.figures("A") == (4, 0)

    @pytest.mark.parametrize(
        ("name", "text", "words"),
        [
            ("a.csv", "id,sku,location_id,on_hand\n1,A,berlin,1\n", "unknown columns: id; missing columns: record_id"),
            ("a.csv", "record_id,sku,location_id\n1,A,berlin\n", "neither a column on_hand nor delta"),
            ("a.csv", "record_id;sku;location_id;on_hand\n1;A;berlin;1\n", "missing columns"),
            ("a.txt", '[{"record_id": "1"}]', "JSON array"),
            ("a.jsonl", '{"record_id": "' + "1" * 70_000, "more than 65536 bytes"),
        ],
    )
    def test_a_file_that_is_none_fails_and_changes_nothing(self, world: World, name: str, text: str, words: str) -> None:
        before = world.items()["oms-inventory"]
        done = loaded(world, text, name)
        assert done["status"] == "failed"
        assert words in done["reason"]
        assert world.items()["oms-inventory"] == before

    @pytest.mark.parametrize("source", ["s3://other/loads/a.csv", f"s3://{BUCKET}/reports/a.csv", f"s3://{BUCKET}/loads/none.csv", "a.csv"])
    def test_a_source_that_cannot_be_read_is_refused_at_once(self, world: World, source: str) -> None:
        answer = world.call("POST", "/v1/inventory/loads", {"source": source})
        assert (answer.status, answer.pointers) == (422, {"/source"})

    def test_an_empty_file_is_refused_at_once(self, world: World) -> None:
        assert world.call("POST", "/v1/inventory/loads", {"source": put("")}).pointers == {"/source"}

    def test_a_load_reads_the_version_it_was_asked_for(self, world: World) -> None:
        load_id = ask(world, lines(row(1, on_hand=3)))
        put(lines(row(2, on_hand=99)))
        world.pump()
        assert (read(world, load_id)["status"], world.figures("A")[0]) == ("done", 3)


class TestOnce:
    def test_one_version_of_a_file_is_one_load(self, world: World) -> None:
        source = put(lines(row(1, delta=1)))
        first = world.call("POST", "/v1/inventory/loads", {"source": source})
        again = world.call("POST", "/v1/inventory/loads", {"source": source})
        assert (first.status, again.status, again.headers["idempotent-replayed"]) == (202, 202, "true")
        assert first.body["id"] == again.body["id"]
        assert world.call("POST", "/v1/inventory/loads", {"source": source, "max_change_percent": 5}).status == 409
        world.pump()
        assert world.figures("A")[0] == 11

    def test_an_idempotency_key_gives_the_same_load_and_no_other(self, world: World) -> None:
        source, headers = put(lines(row(1, delta=1))), {"Idempotency-Key": "k"}
        body = {"source": source, "preview": True}
        first = world.done("POST", "/v1/inventory/loads", body, headers=headers)
        assert world.done("POST", "/v1/inventory/loads", body, headers=headers)["id"] == first["id"]
        assert world.done("POST", "/v1/inventory/loads", body)["id"] != first["id"]
        assert world.call("POST", "/v1/inventory/loads", {"source": source}, headers=headers).status == 422

    def test_a_record_id_counts_once_in_loads_and_batch_calls_together(self, world: World) -> None:
        batch = {"records": [row(1, delta=1), row(2, delta=1)]}
        world.done("POST", "/v1/inventory/batch", batch)
        done = loaded(world, lines(row(1, delta=1), row(2, delta=9), row(3, delta=1), row(3, delta=1)))
        assert (done["changed"], done["repeated"], done["refused"]) == (1, 2, 1)
        assert "was used for another record" in done["refusals"][0]["reason"]
        again = world.done("POST", "/v1/inventory/batch", {"records": [row(3, delta=1), row(3, delta=2)]})["data"]
        assert [each["status"] for each in again] == ["repeated", "refused"]
        assert loaded(world, lines(row(1, delta=1), row(3, delta=1)), "again.jsonl")["repeated"] == 2
        assert world.figures("A")[0] == 13

    def test_news_that_comes_twice_does_nothing_more(self, world: World) -> None:
        load_id = ask(world, lines(row(1, delta=1), row(2, on_hand=-1)))
        news = list(world.wire.stream)
        world.pump()
        done, items = read(world, load_id), world.items()
        world.wire.stream.extend(news)
        world.pump()
        assert (read(world, load_id), world.items()) == (done, items)

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_killed_around_each_of_its_writes_it_ends_the_same(self, world: World, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        monkeypatch.setattr(load_stretch, "STRETCH", 4)
        monkeypatch.setattr(load_stretch, "_THREADS", 1)
        rows = [row(n, sku, on_hand=n) for n, sku in enumerate(("A", "B", "C", "D"), 1)]
        rows += [row(5, delta=3), row(6, delta=-99), row(7, "B", delta=2), row(8, place="atlantis", delta=1), row(9, "E", delta=1)]
        deaths: list[tuple[str, int]] = []

        def die(call: Call) -> None:
            if (
                call.operation not in ("TransactWriteItems", "PutItem", "PutObject")
                or world.wire.work.__dict__.get("name", "")[:5] == "inven"
            ):
                return
            made = sum(1 for each in world.wire.made if each.operation == call.operation)
            if len(deaths) < 18 and (call.operation, made) not in deaths:
                deaths.append((call.operation, made))
                raise Killed

        load_id = ask(world, lines(*rows))
        with world.wire.watched(**{where: die}):
            world.pump()
        assert len(deaths) > 10
        done = read(world, load_id)
        assert (done["status"], done["records"], done["changed"], done["refused"]) == ("done_with_refusals", 9, 7, 2)
        assert (done["units_before"], done["units_after"]) == (10 + 10 + 1 + 2 + 0, 1 + 2 + 3 + 4 + 4 + 4 + 1)
        assert [each["number"] for each in report(done["report"])] == [6, 8]
        assert {sku: world.figures(sku)[0] for sku in "ABCDE"} == {"A": 4, "B": 4, "C": 3, "D": 4, "E": 1}
        assert act(world, load_id, "revert")["reverted"]["records"] == 7
        assert {sku: world.figures(sku)[0] for sku in "ABCDE"} == {"A": 10, "B": 10, "C": 0, "D": 0, "E": 0}

    def test_a_load_at_which_nobody_works_any_more_is_found_by_the_clock(self, world: World) -> None:
        load_id = ask(world, lines(row(1, delta=1)))
        world.wire.stream.clear()
        assert world.invoke("stockkeeper", {})["loads"] == 0
        world.advance(seconds=load_run.IDLE_SECONDS + 1)
        assert world.invoke("stockkeeper", {})["loads"] == 1
        assert read(world, load_id)["status"] == "done"
        assert world.invoke("stockkeeper", {})["loads"] == 0

    def test_news_replayed_where_files_cannot_be_read_is_left_to_the_clock(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        from oms.storage.environment import environment

        load_id = ask(world, lines(row(1, delta=1)))
        monkeypatch.setenv("LOADS_BUCKET", "")
        environment.cache_clear()
        world.pump()
        monkeypatch.setenv("LOADS_BUCKET", BUCKET)
        environment.cache_clear()
        assert read(world, load_id)["status"] == "running"


class TestPreviewAndGuard:
    ROWS = (row(1, on_hand=0), row(2, "B", delta=5), row(3, "B", "lyon", on_hand=10), row(4, delta=-99), row(5, place="x", delta=1))

    def test_a_preview_says_what_would_change_and_changes_nothing(self, world: World) -> None:
        before = world.items()["oms-inventory"]
        seen = loaded(world, lines(*self.ROWS), preview=True)
        assert seen["status"] == "previewed"
        assert [seen[name] for name in ("records", "changed", "unchanged", "repeated", "refused")] == [5, 2, 1, 0, 2]
        assert [seen[name] for name in ("units_before", "units_after", "units_changed", "change_percent")] == [30, 25, 15, 50]
        assert [each["number"] for each in seen["refusals"]] == [4, 5]
        assert world.items()["oms-inventory"] == before
        done = loaded(world, lines(*self.ROWS))
        same = ("records", "changed", "unchanged", "repeated", "refused", "units_before", "units_after", "units_changed", "refusals")
        assert {name: done[name] for name in same} == {name: seen[name] for name in same}
        assert loaded(world, lines(*self.ROWS), preview=True)["repeated"] == 3

    def test_a_preview_decides_like_the_load_about_several_records_of_one_place(self, world: World) -> None:
        rows = [row(1, on_hand=3), row(2, delta=4), row(3, delta=-8), row(4, on_hand=2), row(5, "B", delta=-10), row(6, "B", delta=-1)]
        seen, done = loaded(world, lines(*rows), preview=True), loaded(world, lines(*rows))
        assert seen["refusals"] == done["refusals"]
        assert (seen["units_after"], seen["units_changed"]) == (done["units_after"], done["units_changed"])

    def test_a_file_that_changes_too_much_is_parked_until_somebody_decides(self, world: World) -> None:
        before = world.items()["oms-inventory"]
        parked = loaded(world, lines(*self.ROWS), max_change_percent=49)
        assert (parked["status"], parked["change_percent"], parked["changed"]) == ("parked", 50, 2)
        assert world.items()["oms-inventory"] == before
        done = act(world, parked["id"], "approve")
        assert (done["status"], done["changed"], world.figures("A")[0]) == ("done_with_refusals", 2, 0)
        assert world.call("POST", f"/v1/inventory/loads/{parked['id']}/approve").status == 409

    def test_who_decides_may_name_the_version_that_was_looked_at(self, world: World) -> None:
        parked = loaded(world, lines(*self.ROWS), max_change_percent=49)
        path = f"/v1/inventory/loads/{parked['id']}"
        seen = world.call("GET", path).headers["etag"]
        stale = world.call("POST", f"{path}/approve", headers={"If-Match": '"1"'})
        assert (stale.status, read(world, parked["id"])["status"]) == (412, "parked")
        assert world.call("POST", f"{path}/approve", headers={"If-Match": seen}).status == 200

    def test_what_is_parked_can_be_cancelled(self, world: World) -> None:
        parked = loaded(world, lines(row(1, on_hand=0)), max_change_percent=0)
        assert act(world, parked["id"], "cancel")["status"] == "cancelled"
        assert act(world, parked["id"], "cancel")["status"] == "cancelled"
        assert [world.call("POST", f"/v1/inventory/loads/{parked['id']}/{action}").status for action in ("approve", "revert")] == [409, 409]
        assert world.figures("A")[0] == 10

    def test_a_file_within_the_limit_is_loaded_at_once(self, world: World) -> None:
        assert loaded(world, lines(row(1, on_hand=5)), max_change_percent=50)["status"] == "done"
        assert world.figures("A")[0] == 5

    def test_a_load_that_runs_is_stopped_after_its_stretch(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(load_stretch, "STRETCH", 2)
        load_id = ask(world, lines(*(row(n, delta=1) for n in range(8))))
        asked: list[str] = []

        def cancel(call: Call) -> None:
            if call.operation == "PutObject" and not asked:
                asked.append(world.done("POST", f"/v1/inventory/loads/{load_id}/cancel")["status"])

        with world.wire.watched(after=cancel):
            world.pump()
        stopped = read(world, load_id)
        assert (asked, stopped["status"], stopped["records"], world.figures("A")[0]) == (["running"], "cancelled", 2, 12)
        assert act(world, load_id, "revert")["status"] == "reverted"
        assert world.figures("A")[0] == 10


class TestRevert:
    def test_what_the_load_changed_is_taken_back_and_later_sales_stay(self, world: World) -> None:
        before = stock_rows(world)
        done = loaded(world, lines(row(1, on_hand=6, safety_stock=1), row(2, "B", delta=5), row(3, "B", "lyon", on_hand=10)))
        order = world.allocated(order_body(quantities={"A": 2, "B": 1}))
        world.ship_all(order)
        back = act(world, done["id"], "revert")
        assert (back["status"], back["reverted"]["records"], back["reverted"]["refused"]) == ("reverted", 2, 0)
        assert (world.figures("A"), world.figures("B")) == ((8, 0), (9, 0))
        after = stock_rows(world)
        sold = {("sku#A", "stock#berlin"): 2, ("sku#B", "stock#berlin"): 1}
        assert after == {key: tuple(n - sold.get(key, 0) for n in figures) for key, figures in before.items()}
        assert moved(world)[0][0].startswith(("ord_", "shp_"))
        assert sum(delta for _, delta in moved(world)) == 8

    def test_a_revert_happens_once(self, world: World) -> None:
        done = loaded(world, lines(row(1, delta=5)))
        world.done("POST", f"/v1/inventory/loads/{done['id']}/revert", headers={"Idempotency-Key": "k"})
        news = list(world.wire.stream)
        world.pump()
        world.wire.stream.extend(news)
        world.pump()
        assert act(world, done["id"], "revert")["status"] == "reverted"
        assert world.figures("A")[0] == 10

    def test_the_right_count_of_the_same_moment_can_follow(self, world: World) -> None:
        at = later(stamp(), hours=-1)
        wrong = loaded(world, lines(row(1, on_hand=1, effective_at=at)))
        world.ship_all(world.allocated(order_body(quantities={"A": 1})))
        act(world, wrong["id"], "revert")
        loaded(world, lines(row(2, on_hand=20, effective_at=at)), "right.jsonl")
        assert world.figures("A")[0] + world.figures("A", "lyon")[0] == 20 + 10 - 1

    def test_what_was_counted_again_or_has_left_is_not_taken_back_and_says_so(self, world: World) -> None:
        done = loaded(world, lines(row(1, on_hand=30), row(2, "NEW", on_hand=2), row(3, "B", delta=5)))
        world.stock("A", "berlin", 25)
        world.done("POST", "/v1/inventory/batch", {"records": [row(9, "NEW", delta=-1)]})
        back = act(world, done["id"], "revert")["reverted"]
        assert (back["records"], back["refused"]) == (1, 2)
        reasons = {each["record_id"]: each["reason"] for each in report(back["report"])}
        assert "counted again" in reasons["r1"]
        assert "1 of the 2 units" in reasons["r2"]
        assert [world.figures(sku)[0] for sku in ("A", "NEW", "B")] == [25, 1, 10]


class TestShort:
    def exceptions(self, world: World) -> list[JSON]:
        return list(world.done("GET", "/v1/exceptions", query={"status": "open"})["data"])

    def test_one_exception_names_all_that_a_load_leaves_short(self, world: World) -> None:
        for number in range(3):
            world.place(order_body(f"W-{number}", quantities={"A": 2, "B": 2}))
        done = loaded(world, lines(row(1, on_hand=3), row(2, "B", on_hand=0), row(3, "B", "lyon", on_hand=0)))
        assert (done["status"], done["short"]) == ("done", 2)
        [problem] = self.exceptions(world)
        assert {(each["sku"], each["location_id"], each["short"]) for each in problem["details"]} == {
            ("A", "berlin", 3),
            ("B", "berlin", 6),
        }

    def test_no_exception_without_need(self, world: World) -> None:
        world.place(order_body(quantities={"A": 2}))
        assert loaded(world, lines(row(1, on_hand=2)))["short"] == 0
        assert self.exceptions(world) == []


def test_sales_and_a_load_at_the_same_time_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between any two writes of the load somebody buys or ships; counts are as of when the load was asked for."""
    rows = [row(n, sku, place, on_hand=40) for n, (sku, place) in enumerate((s, p) for s in "AB" for p in ("berlin", "lyon"))]
    orders = [world.allocated(order_body(f"O-{n}", quantities={"A": 1, "B": 1})) for n in range(4)]
    load_id = ask(world, lines(*rows))
    ways: list[Callable[[], Any]] = [partial(world.ship_all, order) for order in orders]
    ways += [partial(world.place, order_body(f"W-{n}", quantities={"A": 1})) for n in range(6)]

    def sell(call: Call) -> None:
        mine = any("/r" in json.dumps(each) for each in call.given.get("TransactItems", []))
        if call.operation == "TransactWriteItems" and mine and ways:
            ways.pop()()

    monkeypatch.setattr(load_stretch, "_THREADS", 1)
    with world.wire.watched(before=sell):
        world.pump()
    assert read(world, load_id)["status"] == "done"
    while ways:
        ways.pop()()
    assert sum(world.figures(sku, place)[0] for sku in "AB" for place in ("berlin", "lyon")) == 160 - 8
    assert sum(world.figures("A", place)[1] for place in ("berlin", "lyon")) == 6


@pytest.mark.slow
def test_a_thousand_records_survive_a_crash_in_the_middle(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Differences, because the queries that a count makes are what moto is slow at; of each place two, far apart in the file."""
    places = [(f"S{n % 250}", ("berlin", "lyon")[n // 250 % 2]) for n in range(1000)]
    for at in range(0, 500, 25):
        client("dynamodb").batch_write_item(
            RequestItems={"oms-inventory": [{"PutRequest": {"Item": shelf(*p)}} for p in places[at : at + 25]]}
        )
    rows = [row(n, sku, place, delta=-(n % 30)) for n, (sku, place) in enumerate(places)]
    monkeypatch.setattr(load_stretch, "STRETCH", 200)
    load_id = ask(world, lines(*rows))
    dead: list[int] = []

    def die(call: Call) -> None:
        if call.operation == "TransactWriteItems" and len(world.wire.made) > 500 and not dead:
            dead.append(read(world, load_id)["records"])
            raise Killed

    with world.wire.watched(after=die):
        world.pump()
    done = read(world, load_id)
    assert 0 < dead[0] < 1000
    assert (done["status"], done["records"], done["changed"], done["unchanged"]) == ("done", 1000, 966, 34)
    assert done["units_before"] - done["units_after"] == done["units_changed"] == sum(n % 30 for n in range(1000))
    expected = {(f"sku#{sku}", f"stock#{place}"): 60 for sku, place in places}
    for each in rows:
        expected[f"sku#{each['sku']}", f"stock#{each['location_id']}"] += each["delta"]
    assert {key: figures[0] for key, figures in stock_rows(world).items() if key[0].startswith("sku#S")} == expected


def shelf(sku: str, place: str) -> JSON:
    figures = {name: {"N": "60"} for name in ("on_hand", "spare", "available")}
    return {"pk": {"S": f"sku#{sku}"}, "sk": {"S": f"stock#{place}"}, "effective_at": {"S": "2026-01-01T00:00:00.000Z"}, **figures}
