"""What the conservation check says of figures that do not add up."""

from __future__ import annotations

from typing import Any

import pytest

from oms.inventory.conservation import Finding, Queue, Shelf, Word, confirmed, of_queue, of_shelf, view
from oms.inventory.counts import Movement
from oms.inventory.stock import Stock

T = "2026-11-23T0{}:00:00.000Z"


def a_row(**figures: Any) -> Stock:
    """Ten counted at 2 o'clock, three of them reserved, one kept back."""
    usual = {"on_hand": 10, "reserved": 3, "safety_stock": 1, "spare": 6, "available": 6, "effective_at": T.format(2), "v": 7}
    return Stock(sku="A", location_id="berlin", **{**usual, **figures})


def a_move(hour: int, delta: int, kind: str = "received", **more: Any) -> Movement:
    return Movement(sku="A", location_id="berlin", at=T.format(hour), kind=kind, delta=delta, **{"cause": f"doc-{hour}", **more})


COUNT = a_move(2, 4, "count", on_hand=10)


def says(units: int, v: int = 3, **more: Any) -> Word:
    return Word(v=v, held={"berlin": {"A": units}}, **more)


def a_shelf(**more: Any) -> Shelf:
    usual: dict[str, Any] = {"rows": {0: a_row()}, "items": {"ord_1": 3}, "moves": [COUNT], "words": {"ord_1": says(3)}}
    return Shelf("A", "berlin", **{**usual, **more})


def broken(shelf: Shelf) -> list[tuple[str, int, int, str]]:
    return [(found.law, found.expected, found.found, found.first_cause) for found in of_shelf(shelf)]


def test_what_adds_up_is_not_mentioned() -> None:
    assert of_shelf(a_shelf()) == []


def test_several_rows_are_right_in_their_sum() -> None:
    rows = {0: a_row(reserved=0, spare=-2, available=-2, width=2), 1: a_row(on_hand=0, reserved=3, safety_stock=0, spare=8, available=8)}
    assert of_shelf(a_shelf(rows=rows)) == []


def test_on_hand_is_the_last_count_and_every_movement_after_it() -> None:
    moves = [a_move(1, 50), COUNT, a_move(2, 99, cause="same moment, so counted"), a_move(3, -4, "shipped"), a_move(4, 6)]
    assert of_shelf(a_shelf(moves=moves, rows={0: a_row(on_hand=12, spare=8, available=8)})) == []
    assert broken(a_shelf(moves=moves)) == [
        ("on_hand", 12, 10, "unknown"),
        ("spare", 8, 6, "unknown"),
        ("available", 8, 6, "unknown"),
    ]


def test_without_a_count_all_movements_are_on_hand() -> None:
    moves = [a_move(1, 12), a_move(3, -2, "shipped")]
    assert of_shelf(a_shelf(moves=moves, rows={0: a_row(effective_at="")})) == []


def test_of_two_counts_of_one_moment_either_may_be_the_last() -> None:
    again = a_move(2, -3, "count", on_hand=7, cause="again")
    assert of_shelf(a_shelf(moves=[COUNT, again])) == []
    assert of_shelf(a_shelf(moves=[COUNT, again], rows={0: a_row(on_hand=7, spare=3, available=3)})) == []
    assert next(found.expected for found in of_shelf(a_shelf(moves=[COUNT, again], rows={0: a_row(on_hand=8, spare=4, available=4)}))) == 7


@pytest.mark.parametrize(("figure", "right"), [("on_hand", 10), ("reserved", 3), ("spare", 6), ("available", 6)])
def test_one_wrong_figure_is_one_finding(figure: str, right: int) -> None:
    assert broken(a_shelf(rows={0: a_row(**{figure: right + 2})})) == [(figure, right, right + 2, "unknown")]


def test_waiting_units_are_not_available() -> None:
    assert of_shelf(a_shelf(rows={0: a_row(queued=8, available=-2)})) == []
    assert broken(a_shelf(rows={0: a_row(queued=8)})) == [("available", -2, 6, "unknown")]


def test_an_item_that_its_owner_does_not_know_is_the_first_cause_of_what_is_reserved_for_it() -> None:
    shelf = a_shelf(
        items={"ord_1": 3, "res_2": 2}, words={"ord_1": says(3), "res_2": Word()}, rows={0: a_row(reserved=5, spare=4, available=4)}
    )
    assert broken(shelf) == [
        ("reservation", 0, 2, "res_2"),
        ("reserved", 3, 5, "res_2"),
        ("spare", 6, 4, "res_2"),
        ("available", 6, 4, "res_2"),
    ]


def test_the_oldest_owner_that_does_not_fit_is_the_first_cause() -> None:
    words = {"ord_2": says(1), "res_1": says(1), "ord_3": says(1)}
    found = of_shelf(a_shelf(items={"ord_3": 2}, words=words, rows={0: a_row(reserved=4, spare=5, available=5)}))
    assert [(each.owner, each.found) for each in found if each.law == "reservation"] == [("res_1", 0), ("ord_2", 0), ("ord_3", 2)]
    assert {each.first_cause for each in found if each.law == "reserved"} == {"res_1"}


def test_the_first_order_that_moved_more_than_it_shipped_is_the_first_cause() -> None:
    moves = [
        COUNT,
        a_move(3, -1, "shipped", cause="ord_1#4"),
        a_move(4, -2, "shipped", cause="ord_2#4"),
        a_move(5, -2, "shipped", cause="ord_3#4"),
    ]
    words = {
        "ord_1": says(3, shipped={"berlin": {"A": 1}}),
        "ord_2": says(0, shipped={"berlin": {"A": 1}}),
        "ord_3": says(0, shipped={"berlin": {"A": 1}}),
    }
    found = of_shelf(a_shelf(moves=moves, words=words, rows={0: a_row(on_hand=7, spare=3, available=3)}))
    assert next((each.law, each.expected, each.found, each.first_cause) for each in found) == ("on_hand", 5, 7, "ord_2")


def test_less_than_nothing_is_a_finding_even_if_all_agree_on_it() -> None:
    moves = [COUNT, a_move(3, -12)]
    assert broken(a_shelf(moves=moves, rows={0: a_row(on_hand=-2, spare=-6, available=-6)})) == [("negative", 0, -2, "unknown")]


def test_units_reserved_where_there_is_no_row_are_found() -> None:
    assert [found.law for found in of_shelf(a_shelf(rows={}, moves=[]))] == ["reserved", "spare", "available"]


PLACE = "5#2026-11-23T00:00:00.000Z#ord_1#2"


def a_queue(**more: Any) -> Queue:
    words = {"ord_1": Word(v=3, waiting={"A": {PLACE: 4}, "B": {"5#x#ord_1#9": 9}})}
    usual: dict[str, Any] = {"debts": {("berlin", 0): (1, 7), ("lyon", 0): (3, 2)}, "entries": {PLACE: 4}, "words": words}
    return Queue("A", **{**usual, **more})


def test_a_queue_that_adds_up_is_not_mentioned() -> None:
    assert of_queue(a_queue()) == []


def test_a_place_in_the_queue_that_is_not_what_is_backordered_is_found() -> None:
    [found] = of_queue(a_queue(entries={}))
    assert (found.law, found.owner, found.line_id, found.expected, found.found) == ("place_in_queue", "ord_1", "2", 4, 0)
    assert [(each.owner, each.found) for each in of_queue(a_queue(entries={PLACE: 4, "1#x#ord_9#1": 2}))] == [("ord_9", 2)]


def test_debts_that_nobody_waits_for_are_found() -> None:
    [found] = of_queue(a_queue(debts={("berlin", 0): (6, 7)}))
    assert (found.law, found.location_id, found.expected, found.found) == ("queued", "", 4, 6)


def test_a_drift_keeps_its_id_while_others_sell_and_counts_only_if_nothing_moved_between_two_looks() -> None:
    def look(reserved: int, promised: int, v: int) -> list[Finding]:
        row = a_row(reserved=reserved, spare=9 - promised, available=9 - promised, v=v)
        return of_shelf(a_shelf(items={"ord_1": promised}, words={"ord_1": says(promised)}, rows={0: row}))

    first, later, other = look(5, 3, 7), look(6, 4, 8), look(6, 3, 7)
    assert first[0].id == later[0].id
    assert first[0].id != other[0].id
    assert confirmed(first, look(5, 3, 7)) == first
    assert confirmed(first, later) == []
    assert confirmed(first, other) == []


def test_a_finding_is_shown_without_what_only_the_check_needs() -> None:
    [found] = of_queue(a_queue(entries={}))
    assert view(found) == {
        "id": found.id,
        "law": "place_in_queue",
        "sku": "A",
        "location_id": None,
        "owner": "ord_1",
        "line_id": "2",
        "expected": 4,
        "found": 0,
        "detail": f"0 wait at {PLACE} and 4 are backordered",
        "first_cause": "ord_1",
    }
