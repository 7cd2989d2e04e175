"""One order against an API that answers from a script, and what the report makes of many."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.client import Answer, Api
from infra.local.console import Console
from infra.local.replay import drive
from infra.local.replay.drive import Outcome, play
from infra.local.replay.mapping import Left, Sale
from infra.local.replay.report import file_summary, percentile, summary
from infra.local.replay.runner import Run

SALE = Sale("7", {"order_number": "7", "currency": "GBP", "lines": [{"sku": "A", "quantity": 2}]}, 500, [Left("samples", 1)])
WORK = {"id": "fo_1", "status": "released", "lines": [{"line_id": "1", "quantity": 2}]}


def order(captured: int = 0, *, work: bool = True, shipped: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "id": "ord_1",
        "status": "open",
        "fulfillment_status": "shipped" if shipped else "allocated" if work else "unfulfilled",
        "fulfillment_orders": [{**WORK, "status": "shipped" if shipped else "released"}] if work else [],
        "shipments": [{"invoice_id": "inv_1"}] if shipped else [],
        "payment": {"captured": captured},
        "placed_totals": {"grand_total": 500},
        "exceptions": [],
        **more,
    }


class Scripted(Api):
    """Answers in turn; remembers what was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        super().__init__("http://127.0.0.1:1")
        self._answers: Iterator[tuple[int, Any]] = iter(answers)
        self.asked: list[str] = []

    def call(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        self.asked.append(f"{method} {path}")
        status, content = next(self._answers)
        repeated = {"idempotent-replayed": "true"} if isinstance(content, dict) and content.get("repeated") else {}
        return Answer(status, content, repeated)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def test_an_order_is_seen_through_to_captured_money() -> None:
    api = Scripted((201, order(work=False)), (200, order()), (200, {}), (200, order(shipped=True)), (200, order(500, shipped=True)))
    outcome = play(api, SALE)
    assert (outcome.status, outcome.problem, outcome.placed, outcome.captured) == ("placed", "", 500, 500)
    assert outcome.captured_seconds is not None
    assert api.asked[2] == "POST /v1/fulfillment-orders/fo_1/ship"


def test_a_large_order_that_is_declined_later_is_not_waited_for() -> None:
    api = Scripted((202, order(work=False, status="received")), (200, order(work=False, status="declined")))
    assert (play(api, SALE).problem, len(api.asked)) == ("declined", 2)


def test_a_repeated_order_that_has_shipped_is_left_alone() -> None:
    api = Scripted((201, order(500, shipped=True, repeated=True)))
    assert play(api, SALE).status == "repeated"
    assert api.asked == ["POST /v1/orders"]


def test_without_driving_nothing_is_shipped() -> None:
    outcome = play(Scripted((201, order(work=False))), SALE, drive=False)
    assert (outcome.status, outcome.captured_seconds, outcome.problem) == ("placed", None, "")


def test_a_refusal_is_kept_with_its_kind_and_its_words() -> None:
    problem = {"type": "urn:oms:problem:out-of-stock", "detail": "stock is short", "errors": [{"detail": "2 of 2 A are not in stock"}]}
    outcome = play(Scripted((409, problem)), SALE)
    assert (outcome.status, outcome.problem, outcome.detail) == ("refused", "409 out-of-stock", "2 of 2 A are not in stock")


def test_what_asks_for_another_try_is_tried_again() -> None:
    outcome = play(Scripted((503, {}), (503, {}), (201, order(work=False))), SALE, drive=False)
    assert (outcome.status, outcome.retries) == ("placed", 2)


def test_an_order_that_needs_somebody_is_not_waited_for() -> None:
    stuck = order(work=False, exceptions=[{"status": "open", "step": "Allocate", "cause": "no stock"}])
    assert play(Scripted((201, order(work=False)), (200, stuck)), SALE).problem == "Allocate: no stock"


def test_a_failed_look_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drive, "_PATIENCE_SECONDS", -1.0)
    outcome = play(Scripted((201, order(work=False))), SALE)
    assert "in vain for its fulfillment orders" in outcome.problem


def said(outcomes: list[Outcome], *, driven: bool = True, sales: int | None = None) -> tuple[bool, str]:
    out = io.StringIO()
    fine = summary(Run(outcomes, seconds=2.0), [SALE] * (sales or len(outcomes)), Console(out), drive=driven)
    return fine, out.getvalue()


def test_the_report_agrees_when_every_penny_is_there() -> None:
    fine, text = said([Outcome(SALE, "placed", "ord_1", placed=500, captured=500, place_seconds=0.1, captured_seconds=0.4)])
    assert fine
    assert "rows 5.00 GBP, placed 5.00 GBP, captured 5.00 GBP" in text
    assert "1 placed, 0 repeated, 0 refused" in text
    assert "p50 100 ms, p95 100 ms" in text


@pytest.mark.parametrize(("placed", "captured"), [(499, 499), (500, 499), (500, 501)])
def test_the_report_says_so_when_a_penny_is_missing(placed: int, captured: int) -> None:
    fine, text = said([Outcome(SALE, "placed", "ord_1", placed=placed, captured=captured)])
    assert not fine
    assert "NOT EQUAL for 7" in text


def test_two_errors_that_cancel_out_are_two_errors() -> None:
    wrong = [Outcome(SALE, "placed", "ord_1", placed=500, captured=figure) for figure in (499, 501)]
    fine, text = said(wrong)
    assert not fine
    assert text.count("NOT EQUAL") == 2


def test_refusals_are_counted_by_kind() -> None:
    fine, text = said([Outcome(SALE, problem="409 out-of-stock", detail="short")] * 3)
    assert not fine
    assert "3  409 out-of-stock" in text


def test_an_interrupted_replay_is_not_fine() -> None:
    fine, text = said([Outcome(SALE, "placed", "ord_1", placed=500)], driven=False, sales=4)
    assert not fine
    assert "3 not played" in text


def test_what_the_file_held_is_counted_with_reasons() -> None:
    out = io.StringIO()
    file_summary(3, 9, [SALE], [Left("a credit note", 4), Left("a credit note", 1)], Console(out))
    assert "3 invoices of 9 rows: 1 orders of 1 lines and 2 units" in out.getvalue()
    assert "2  a credit note" in out.getvalue()
    assert "1  samples" in out.getvalue()


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (95, 4.0), (25, 1.0), (100, 4.0)])
def test_percentiles_are_values_that_occurred(percent: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value
    assert percentile([], percent) == 0.0
