"""Stock for a replay: enough, once."""

from __future__ import annotations

from typing import Any

from infra.local.replay.mapping import Sale
from infra.local.replay.stock import LOCATION, counts, supplies


def sale(number: str, **units: int) -> Sale:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]
    return Sale(number, {"order_number": number, "lines": lines}, 0)


def deltas(records: list[dict[str, Any]]) -> dict[str, int]:
    return {record["sku"]: record["delta"] for record in records}


def test_what_all_orders_ask_for_is_added_up() -> None:
    records = list(supplies([sale("1", A=2, B=1), sale("2", A=3)]))
    assert deltas(records) == {"A": 5, "B": 1}
    assert {record["location_id"] for record in records} == {LOCATION}


def test_the_same_orders_make_the_same_records_and_others_make_others() -> None:
    first, again = list(supplies([sale("1", A=2)])), list(supplies([sale("1", A=2)]))
    other = list(supplies([sale("2", A=2)]))
    assert first == again
    assert first[0]["record_id"] != other[0]["record_id"]


def test_a_count_is_a_new_one_each_time() -> None:
    (first,), (second,) = counts([sale("1", A=2)], 70), counts([sale("1", A=2), sale("2", A=1)], 70)
    assert first["on_hand"] == second["on_hand"] == 70
    assert first["record_id"] != second["record_id"]


def test_the_api_takes_the_records() -> None:
    from oms.inventory.stock_requests import StockBatch

    StockBatch.model_validate({"records": [*supplies([sale("1", A=2)]), *counts([sale("1", B=2)], 70)]})
