"""`oms simulate`: rules tried out on files, as a table and as a chart."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from infra.local.commands import simulate
from infra.local.replay.rows import COLUMNS
from infra.local.trouble import Trouble

EVENTS = Path(__file__).resolve().parents[3] / "events"
NEAREST = str(EVENTS / "settings" / "rule_group.json")
LOCATIONS = str(EVENTS / "simulation" / "locations.json")
STOCK = str(EVENTS / "simulation" / "stock.json")
ROWS = [
    "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
    "536365,85123A,HEART,2,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
    "536366,85123A,HEART,500,2010-12-02 08:26:00,2.55,17850.0,Netherlands",
    "536366,POST,POSTAGE,1,2010-12-02 08:26:00,18.00,17850.0,Netherlands",
    "536367,22633,HAND WARMER,3,2010-12-03 08:26:00,1.85,17850.0,EIRE",
    "C536379,22633,HAND WARMER,-3,2010-12-03 09:41:00,1.85,17850.0,EIRE",
]


@pytest.fixture
def sales(tmp_path: Path) -> str:
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([",".join(COLUMNS), *ROWS]) + "\n")
    return str(path)


@pytest.fixture(autouse=True)
def _no_stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMS_HOME", str(tmp_path / "home"))


def command(*given: str) -> int:
    parser = argparse.ArgumentParser()
    simulate.arguments(parser)
    return simulate.run(parser.parse_args(given))


def answer(capsys: pytest.CaptureFixture[str], *given: str) -> Any:
    assert command(*given, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_invoices_are_routed_from_the_stock_of_the_file(sales: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, NEAREST, "--csv", sales, "--locations", LOCATIONS, "--stock", STOCK)
    # By priority venlo (10) goes first, then daventry (20); by distance each country has its own. 500 hearts: no place has them all,
    # and the least that do are daventry (392 or 400 of them left) with another.
    assert found["changed"] == [
        {"order_id": "536365", "delivery_group": "g1", "in_force": {"venlo": 8}, "proposed": {"daventry": 8}},
        {
            "order_id": "536366",
            "delivery_group": "g1",
            "in_force": {"daventry": 358, "venlo": 142},
            "proposed": {"daventry": 350, "venlo": 150},
        },
        {"order_id": "536367", "delivery_group": "g1", "in_force": {"venlo": 3}, "proposed": {"dublin": 3}},
    ]
    assert [(found[side]["units"], found[side]["unfillable_units"]) for side in ("in_force", "proposed")] == [(511, 0), (511, 0)]
    assert [found[side]["late_orders"] for side in ("in_force", "proposed")] == [0, 1]


def test_the_table_shows_both_and_the_change(sales: str, capsys: pytest.CaptureFixture[str]) -> None:
    costs = str(EVENTS / "settings" / "cost_table.json")
    assert command(NEAREST, "--csv", sales, "--locations", LOCATIONS, "--stock", STOCK, "--costs", costs) == 0
    rows = {line.split("  ")[1]: line.split()[-4:] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    # in force: venlo-GB 990, daventry-NL and venlo-NL 1290 each, venlo-IE 1290; proposed: daventry-GB 399, 2 x 1290, dublin-IE 450
    assert rows["cost in all"] == ["3,429", "-1,431", "minor", "units"]
    assert rows["parcels"] == ["parcels", "4", "4", "="]


def test_what_nobody_knows_is_unknown(sales: str, capsys: pytest.CaptureFixture[str]) -> None:
    command(NEAREST, "--csv", sales, "--locations", LOCATIONS, "--stock", STOCK)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  cost in all")]
    assert line.split() == ["cost", "in", "all", "unknown", "unknown", "minor", "units"]


def test_a_rule_group_beside_itself_changes_nothing(sales: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, NEAREST, "--csv", sales, "--locations", LOCATIONS, "--stock", STOCK, "--in-force", NEAREST)
    for side in ("in_force", "proposed"):
        del found[side]["milliseconds"]
    assert found["in_force"] == found["proposed"]
    assert found["changed_orders"] == 0


def test_the_chart_is_an_svg_with_a_pair_of_bars_for_each_measure(sales: str, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    command(NEAREST, "--csv", sales, "--locations", LOCATIONS, "--stock", STOCK, "--chart", str(chart))
    root = ElementTree.fromstring(chart.read_text())
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    bars = [int(rect.get("width", "")) for rect in root.iter("{http://www.w3.org/2000/svg}rect") if rect.get("x") == "250"]
    assert {"in force", "proposed", "distance (km per parcel)", "dublin (% of units)", "percent of all units that were served"} <= set(
        texts
    )
    assert not [text for text in texts if text.startswith("cost")], "nobody knows what it costs"
    measures = [text for text in texts if text.endswith(")") or text in ("parcels", "units unfillable", "orders late")]
    assert len(bars) == 2 * len(measures) + 1  # and one in the legend
    assert max(bars) == 420


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "give --locations"),
        (["--locations", LOCATIONS, "--stock", STOCK, "--from", "2026-01-01"], "leave them out"),
        (["--locations", STOCK, "--stock", STOCK], "is not a list of locations"),
        (["--locations", LOCATIONS, "--stock", "none.json"], "Cannot read none.json"),
        (["--locations", LOCATIONS, "--stock", LOCATIONS], "is not an object"),
    ],
)
def test_what_is_missing_or_wrong_is_said(sales: str, given: list[str], words: str) -> None:
    with pytest.raises(Trouble, match=words):
        command(NEAREST, "--csv", sales, *given)


def test_stock_at_an_unknown_location_is_trouble(sales: str, tmp_path: Path) -> None:
    stock = tmp_path / "stock.json"
    stock.write_text('{"moon": {"*": 1}}')
    with pytest.raises(Trouble, match=r"'moon', which is no location of the file\. Known: daventry, dublin, venlo"):
        command(NEAREST, "--csv", sales, "--locations", LOCATIONS, "--stock", str(stock))


def test_past_orders_need_a_stack(sales: str) -> None:
    with pytest.raises(Trouble, match="No stack is running"):
        command("winter")
    with pytest.raises(Trouble, match="--stock goes with --csv"):
        command("winter", "--stock", STOCK)
