"""Stock: counts, batches, availability; and 40 in stock are 40 sold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.world import JSON, Call, World, order_body


def record(record_id: str, **more: object) -> JSON:
    return {"record_id": record_id, "sku": "A", "location_id": "berlin", **more}


def batch(world: World, *records: JSON) -> list[str]:
    return [row["status"] for row in world.done("POST", "/v1/inventory/batch", {"records": list(records)})["data"]]


def test_a_count_keeps_reservations(world: World) -> None:
    world.place(order_body())
    world.stock("A", "berlin", 5)
    row = world.done("GET", "/v1/inventory/A/berlin")
    assert (row["on_hand"], row["reserved"], row["available_to_fulfill"]) == (5, 2, 3)


def test_safety_stock_and_what_is_expected(world: World) -> None:
    futures = [{"expected_at": "2027-01-01T00:00:00Z", "quantity": 7}]
    row = world.done("PUT", "/v1/inventory/A/berlin", {"on_hand": 5, "safety_stock": 2, "futures": futures})
    assert (row["available_to_fulfill"], row["available_to_order"]) == (3, 10)
    world.stock("A", "lyon", 0)
    assert world.call("POST", "/v1/orders", order_body(quantities={"A": 4})).status == 409
    world.place(order_body(quantities={"A": 3}))


@pytest.mark.parametrize("body", [{"on_hand": -1}, {"on_hand": 1.5}, {}, {"on_hand": 1, "colour": 1}, {"on_hand": 10**10}])
def test_a_count_that_makes_no_sense_is_422(world: World, body: JSON) -> None:
    before = world.items()
    assert world.call("PUT", "/v1/inventory/A/berlin", body).status == 422
    assert world.items() == before


def test_a_count_at_an_unknown_place_is_422_and_what_was_never_counted_404(world: World) -> None:
    assert world.call("PUT", "/v1/inventory/A/atlantis", {"on_hand": 1}).pointers == {"/location_id"}
    assert world.call("GET", "/v1/inventory/Z/berlin").status == 404


def test_a_count_with_a_key_counts_once(world: World) -> None:
    headers = {"Idempotency-Key": "k"}
    world.done("PUT", "/v1/inventory/A/berlin", {"on_hand": 3}, headers=headers)
    world.place(order_body())
    again = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 3}, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert world.figures("A") == (3, 2)
    assert world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 4}, headers=headers).status == 422


def test_a_record_id_counts_once(world: World) -> None:
    assert batch(world, record("r1", delta=5), record("r1", delta=5)) == ["applied", "repeated"]
    assert batch(world, record("r1", delta=5), record("r2", delta=-3)) == ["repeated", "applied"]
    assert world.figures("A") == (12, 0)


def test_a_refused_record_does_not_stop_the_others(world: World) -> None:
    rows = [
        record("r1", delta=-11),
        record("r2", delta=1, on_hand=1),
        record("r3"),
        record("r4", delta=1) | {"location_id": "atlantis"},
        record("r5", on_hand=4),
    ]
    answer = world.done("POST", "/v1/inventory/batch", {"records": rows})["data"]
    assert [row["status"] for row in answer] == ["refused"] * 4 + ["applied"]
    assert all(row["detail"] for row in answer[:4])
    assert world.figures("A") == (4, 0)


def test_deltas_at_the_same_moment_all_count(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda i: batch(world, record(f"r{i}", delta=1)), range(8)))
    assert done == [["applied"]] * 8
    assert world.figures("A") == (18, 0)


def test_availability_by_place_and_by_group(world: World) -> None:
    world.place(order_body())
    rows = world.done("POST", "/v1/inventory/availability", {"skus": ["A", "Z"]})["data"]
    assert [(row["sku"], row["location_id"], row["available_to_fulfill"]) for row in rows] == [("A", "berlin", 8), ("A", "lyon", 10)]
    (group,) = world.done("POST", "/v1/inventory/availability", {"skus": ["A"], "group_ids": ["all"]})["data"]
    assert (group["on_hand"], group["reserved"], group["available_to_fulfill"]) == (20, 2, 18)
    (place,) = world.done("POST", "/v1/inventory/availability", {"skus": ["Z"], "location_ids": ["lyon"]})["data"]
    assert place["available_to_fulfill"] == 0
    assert world.call("POST", "/v1/inventory/availability", {"skus": []}).status == 422


def test_nothing_is_sold_twice(world: World) -> None:
    """Twelve buyers at the same moment for six in stock: six get one, six are refused, nobody else hears anything."""
    world.stock("A", "berlin", 6)
    world.stock("A", "lyon", 0)

    def buy(number: int) -> int:
        for _ in range(10):
            status = world.call("POST", "/v1/orders", order_body(f"W-{number}", quantities={"A": 1})).status
            if status != 503:
                return status
        raise AssertionError("refused as busy ten times")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(buy, range(12)))
    assert sorted(answers) == [201] * 6 + [409] * 6
    assert world.figures("A") == (6, 6)
    assert len(world.gateway.moved("authorize")) == 6


def test_stock_of_several_places_is_used_and_the_fewest_places_come_first(world: World) -> None:
    world.stock("A", "berlin", 1)
    world.stock("B", "berlin", 1)
    world.place(order_body(quantities={"A": 2, "B": 1}))
    assert (world.figures("A", "lyon"), world.figures("B", "lyon")) == ((10, 2), (10, 1))
    world.stock("A", "lyon", 3)
    world.place(order_body("W-2", quantities={"A": 2}))
    assert (world.figures("A"), world.figures("A", "lyon")) == ((1, 1), (3, 3))


def test_availability_of_a_place_or_group_that_is_not_there_is_422(world: World) -> None:
    query = {"skus": ["A"], "location_ids": ["berlin", "atlantis"], "group_ids": ["all", "moon"]}
    answer = world.call("POST", "/v1/inventory/availability", query)
    assert (answer.status, answer.pointers) == (422, {"/location_ids/1", "/group_ids/1"})
    world.done("PUT", "/v1/locations/crater", {"name": "Crater", "type": "store", "groups": ["moon"], "enabled": False})
    [row] = world.done("POST", "/v1/inventory/availability", {"skus": ["A"], "group_ids": ["moon"]})["data"]
    assert row["available_to_fulfill"] == 0


def test_movements_of_what_was_never_counted_are_404(world: World) -> None:
    for sku, place in (("Z", "berlin"), ("A", "atlantis")):
        assert world.call("GET", f"/v1/inventory/{sku}/{place}/movements").status == 404


def test_if_match_keeps_a_count_from_what_it_has_not_seen(world: World) -> None:
    read = world.call("GET", "/v1/inventory/A/berlin")
    world.place(order_body())
    late = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 7}, headers={"If-Match": read.headers["etag"]})
    assert (late.status, late.body["type"]) == (412, "urn:oms:problem:stale-version")
    assert world.figures("A") == (10, 2)
    now = world.call("GET", "/v1/inventory/A/berlin").headers["etag"]
    assert world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 7}, headers={"If-Match": now}).status == 200
    for match, status in (("*", 412), ('"1"', 412)):
        assert world.call("PUT", "/v1/inventory/Z/berlin", {"on_hand": 7}, headers={"If-Match": match}).status == status
    assert world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 8}, headers={"If-Match": "*"}).status == 200


def test_a_sale_between_the_look_and_the_count_is_seen(world: World) -> None:
    etag = world.call("GET", "/v1/inventory/A/berlin").headers["etag"]
    counting = []

    def sell_first(call: Call) -> None:
        if call.operation == "TransactWriteItems" and not counting:
            counting.append(call)
            world.place(order_body())

    with world.wire.watched(before=sell_first):
        answer = world.call("PUT", "/v1/inventory/A/berlin", {"on_hand": 7}, headers={"If-Match": etag})
    assert (answer.status, world.figures("A")) == (412, (10, 2))


def test_a_batch_with_a_key_is_answered_as_the_first_time(world: World) -> None:
    records = [record("r1", delta=5), record("r2", delta=-99), record("r3", delta=1) | {"location_id": "atlantis"}]
    send = lambda rows: world.call("POST", "/v1/inventory/batch", {"records": rows}, headers={"Idempotency-Key": "k"})  # noqa: E731
    first, again = send(records), send(records)
    assert [row["status"] for row in first.body["data"]] == ["applied", "refused", "refused"]
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (200, first.body, "true")
    assert "idempotent-replayed" not in first.headers
    assert send(records[:1]).status == 422
    assert world.figures("A") == (15, 0)
