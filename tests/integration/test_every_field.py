"""Every optional field that the contract names for `POST /v1/orders` is taken, kept, and shown as it was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.world import JSON, World

EVERY_FIELD: JSON = json.loads((Path(__file__).resolve().parents[2] / "events/orders/every_field.json").read_text())
ELSEWHERE = ("metadata", "payments", "holds", "fees", "lines", "delivery_groups")


@pytest.fixture
def order(world: World) -> Any:
    for sku in ("MUG-BLUE", "TEA-EARL-GREY"):
        world.stock(sku, "berlin", 10)
    return world.place(EVERY_FIELD)


def lost(sent: Any, shown: Any, place: str = "") -> list[str]:
    """Where something that was sent is not shown, or other than it was sent."""
    if isinstance(sent, dict):
        return [each for name in sent for each in lost(sent[name], shown.get(name), f"{place}/{name}")]
    if isinstance(sent, list) and sent and isinstance(sent[0], dict):
        rows = zip(sent, shown or [], strict=True)
        return [each for index, (one, other) in enumerate(rows) for each in lost(one, other, f"{place}/{index}")]
    return [] if sent == shown else [place]


def test_what_was_sent_is_shown(world: World, order: Any) -> None:
    sent = {name: value for name, value in EVERY_FIELD.items() if name not in ("lines", "payments", "fees")}
    assert lost(sent, order) == []
    assert lost(sent, world.order(order["id"])) == []


def test_each_line_is_shown_as_it_was_sent_with_its_taxes_among_its_amounts(order: Any) -> None:
    for sent, shown in zip(EVERY_FIELD["lines"], order["lines"], strict=True):
        assert lost({name: value for name, value in sent.items() if name != "taxes"}, shown) == []
        assert lost(sent.get("taxes", []), shown["amounts"]["taxes"]) == []


def test_each_tender_is_there_with_what_was_done_elsewhere(order: Any) -> None:
    assert [(each["method"], each["authorized"], each["captured"], each["net_days"]) for each in order["payments"]] == [
        ("card", 1000, 0, None),
        ("card", 1200, 300, None),
        ("terms", 0, 0, 30),
    ]
    assert order["payments"][1]["expires_at"] == "2026-12-01T08:00:00.000Z"


def test_the_total_is_what_the_parts_come_to(order: Any) -> None:
    goods, off, delivery, fee = 2 * 1200 + 850 + 850, -100 - 300, 590 - 100, 250
    totals = order["totals"]
    assert (totals["product_amount"], totals["adjustment_amount"]) == (goods, off)
    assert (totals["delivery_amount"], totals["fee_amount"], totals["grand_total"]) == (delivery, fee, goods + off + delivery + fee)
    assert totals["tax_amount"] == 380 + 82 + 42, "the line's as given, then delivery and fee by their rate"
