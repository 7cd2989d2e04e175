"""Python values to DynamoDB attributes and back, and records through both."""

from __future__ import annotations

from typing import Any

import pytest

from oms.orders.order import Order
from oms.orders.records import Placed, Record
from oms.storage.codec import decode, encode, item_bytes
from oms.storage.order_items import fields
from tests.support.orders import a_line, an_order
from tests.unit.memory import World, announce

VALUES: dict[str, Any] = {
    "text": "Grüße",
    "empty": "",
    "zero": 0,
    "negative": -12,
    "big": 10**18,
    "float": 52.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [[1, 3], [], ["a", {"b": 0}]],
    "map": {"a": {"b": [1]}, "c": {}},
}


def test_values_come_back_as_they_were() -> None:
    back = decode(encode(VALUES))
    assert back == VALUES
    assert {name: type(value) for name, value in back.items()} == {name: type(value) for name, value in VALUES.items()}


@pytest.mark.parametrize("value", [1.5e300, -2.5, 1e-7])
def test_floats_come_back_as_floats(value: float) -> None:
    assert decode(encode({"f": value})) == {"f": value}


def test_what_has_no_place_in_a_record_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be stored"):
        encode({"s": {1}})


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"pk": "ab"}, 4),
        ({"ä": "ä"}, 4),
        ({"n": 1}, 3),
        ({"n": 1234}, 5),
        ({"n": -1234}, 5),
        ({"b": True}, 2),
        ({"z": None}, 2),
        ({"l": []}, 4),
        ({"l": ["ab", "c"]}, 9),
        ({"m": {"k": "v"}}, 7),
    ],
)
def test_an_items_size_is_what_dynamodb_bills(item: dict[str, Any], size: int) -> None:
    assert item_bytes(encode(item)) == size


def through_storage(record: Record) -> Record:
    return type(record).model_validate(decode(encode(fields(record))))


def records(order: Order) -> list[Record]:
    parts = (order.fulfillment_orders, order.shipments, order.payments, order.invoices, order.credit_memos, order.returns)
    return [order.placed, order.summary, *(record for part in parts for record in part.values())]


def test_every_record_of_a_life_comes_back_from_storage_as_it_was() -> None:
    world = World()
    order = world.delivered(an_order(a_line("1", "A", 2, 999, "20", "7.5"), a_line("2", "B", 1, 0), charge=600, tax_mode="net"))
    announce(order, world, {"1": 1})
    for record in records(order):
        assert through_storage(record) == record.model_copy(update={"v": 0})


def test_what_the_merchant_sent_is_kept_to_the_letter() -> None:
    metadata = {"gift": False, "note": "", "level": 0, "tags": [], "deep": {"nothing": None}}
    order = World().take(an_order(a_line(metadata=metadata), metadata=metadata))
    back = through_storage(order.placed)
    assert isinstance(back, Placed)
    assert (back.metadata, back.lines[0].metadata) == (metadata, metadata)
