"""Conservation: what must add up in stock, and what does not. Pure: it judges what storage has read.

    reservation      an owner's reserved item at a place = what the owner's own record says (an order's pins and open work, a reservation)
    reserved         the rows of a place, summed = what the owners say
    on_hand          the rows, summed = the last count + every movement after it; all movements if there never was a count
    spare            on_hand - reserved - safety_stock
    available        spare - queued
    place_in_queue   an entry of the waiting queue = what is backordered of its line
    queued           the debts of all rows of a SKU = what is backordered of all lines
    negative         less than nothing on hand, reserved or owed

The truth is always on the right: records of owners, counts and movements. What is on the left is kept so that a sale is one condition.
Every commit changes both sides in one transaction; so a difference stays the same while others sell, and can be repaired by adding it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from oms.inventory.counts import COUNT, Movement
from oms.inventory.stock import Stock
from oms.stored import Stored

Law = Literal["reservation", "reserved", "on_hand", "spare", "available", "place_in_queue", "queued", "negative"]
FIGURES = ("on_hand", "reserved", "spare", "available")
"""Laws of one figure of a place, repaired in its row 0."""
REPAIRED = "repaired"
UNKNOWN = "unknown"


class Finding(Stored):
    """Something that does not add up. `location_id` is empty for a law of the whole SKU.

    The id is made of what differs and by how much, so a drift that stays keeps its id. `seen`: the versions of all that was read;
    `row_v`: the version of row 0.
    """

    id: str = ""
    law: Law
    sku: str
    location_id: str = ""
    owner: str = ""
    line_id: str = ""
    expected: int
    found: int
    detail: str
    first_cause: str = UNKNOWN
    seen: str = ""
    row_v: int = 0

    @property
    def missing(self) -> int:
        """What has to be added to what was found."""
        return self.expected - self.found


@dataclass(frozen=True)
class Word:
    """What an owner's own record says: units held and shipped per place and SKU; waiting units per SKU and place in the queue.

    `v` is the record's version, 0 if there is no such record. `chunks`: of a large order the chunks of lines that it holds things by.
    """

    v: int = 0
    held: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shipped: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    waiting: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    chunks: tuple[str, ...] = ()


Words = Mapping[str, Word]


@dataclass(frozen=True)
class Shelf:
    """One SKU at one place as it was read: its rows, the reserved items of owners, the movements from the last count on, and what owners
    say of themselves."""

    sku: str
    location_id: str
    rows: Mapping[int, Stock]
    items: Mapping[str, int]
    moves: Sequence[Movement] = ()
    words: Words = field(default_factory=dict)

    def total(self, figure: str) -> int:
        """A figure summed over the rows."""
        return sum(int(getattr(row, figure)) for row in self.rows.values())

    def said(self, owner: str) -> int:
        """What an owner says that it holds here."""
        return self.words[owner].held.get(self.location_id, {}).get(self.sku, 0)

    def movers(self) -> set[str]:
        """The orders that movements name as their cause."""
        return {owner for move in self.moves if (owner := move.cause.partition("#")[0]).startswith("ord_")}


@dataclass(frozen=True)
class Queue:
    """The waiting queue of one SKU as it was read: the debt and the version of each row, and the units of each entry."""

    sku: str
    debts: Mapping[tuple[str, int], tuple[int, int]]
    entries: Mapping[str, int]
    words: Words = field(default_factory=dict)

    def owners(self) -> set[str]:
        """Whose entries stand in it."""
        return {at.split("#")[2] for at in self.entries}


def of_shelf(shelf: Shelf) -> list[Finding]:
    """What does not add up of one SKU at one place."""
    owners = sorted({*shelf.items, *shelf.words}, key=_age)
    out = [_reservation(shelf, owner) for owner in owners if shelf.items.get(owner, 0) != shelf.said(owner)]
    earliest = out[0].owner if out else UNKNOWN
    held, told = sum(shelf.said(owner) for owner in owners), _told(shelf)
    # Each figure is judged by what the others should be: one that is wrong alone is one finding.
    spare = told - held - shelf.total("safety_stock")
    wanted = {"on_hand": told, "reserved": held, "spare": spare, "available": spare - shelf.total("queued")}
    causes = {"reserved": earliest}
    if told != shelf.total("on_hand"):
        causes["on_hand"] = _first_misfit(shelf)
    first = next((cause for cause in causes.values() if cause != UNKNOWN), UNKNOWN)
    words = {
        "on_hand": "the last count and the movements after it say otherwise",
        "reserved": "the orders and reservations that hold it say otherwise",
        "spare": "on hand - reserved - safety stock is not that",
        "available": "spare - queued is not that",
    }
    for figure in FIGURES:
        expected, found = wanted[figure], shelf.total(figure)
        if expected != found:
            law: Any = figure
            out.append(_of(shelf, law, expected, found, f"{figure} is {found}: {words[figure]}", causes.get(figure, first)))
        elif found < 0 and figure in ("on_hand", "reserved"):
            out.append(_of(shelf, "negative", 0, found, f"{figure} is {found}: it was written so, rightly or not; count the shelf", first))
    return out


def of_queue(queue: Queue) -> list[Finding]:
    """What does not add up of the waiting queue of a SKU."""
    said = {at: units for word in queue.words.values() for at, units in word.waiting.get(queue.sku, {}).items()}
    out = []
    for at in sorted({*queue.entries, *said}):
        expected, found = said.get(at, 0), queue.entries.get(at, 0)
        if expected != found:
            owner, line_id = at.split("#")[2:4]
            version = queue.words[owner].v if owner in queue.words else 0
            detail = f"{found} wait at {at} and {expected} are backordered"
            more = {"owner": owner, "line_id": line_id, "first_cause": owner, "seen": f"{at}:{found}:{version}"}
            out.append(_named(Finding(law="place_in_queue", sku=queue.sku, expected=expected, found=found, detail=detail, **more)))
    debts, owed = sum(units for units, _ in queue.debts.values()), sum(said.values())
    if debts != owed:
        seen = _joined([f"{place}/{number}:{v}" for (place, number), (_, v) in sorted(queue.debts.items())])
        detail = f"the rows owe {debts} units to the queue and {owed} are backordered"
        cause = out[0].owner if out else UNKNOWN
        out.append(_named(Finding(law="queued", sku=queue.sku, expected=owed, found=debts, detail=detail, first_cause=cause, seen=seen)))
    return out


def confirmed(first: Iterable[Finding], second: Iterable[Finding]) -> list[Finding]:
    """Those of the second look that were there at the first with nothing moved between: what is in flight is no drift."""
    before = {(finding.id, finding.seen) for finding in first}
    return [finding for finding in second if (finding.id, finding.seen) in before]


def view(finding: Finding) -> dict[str, Any]:
    """A finding as the API shows it."""
    shown = finding.model_dump(exclude={"seen", "row_v"})
    return {**shown, "location_id": finding.location_id or None, "owner": finding.owner or None, "line_id": finding.line_id or None}


def _reservation(shelf: Shelf, owner: str) -> Finding:
    expected, found = shelf.said(owner), shelf.items.get(owner, 0)
    detail = f"{found} are reserved for {owner} and its record says {expected}"
    seen = f"{found}:{shelf.words[owner].v}"
    more: dict[str, Any] = {"owner": owner, "first_cause": owner, "seen": seen}
    return _named(
        Finding(law="reservation", sku=shelf.sku, location_id=shelf.location_id, expected=expected, found=found, detail=detail, **more)
    )


def _of(shelf: Shelf, law: Law, expected: int, found: int, detail: str, cause: str) -> Finding:
    seen = _joined([f"{number}:{row.v}" for number, row in sorted(shelf.rows.items())])
    row_v = shelf.rows[0].v if 0 in shelf.rows else 0
    finding = Finding(law=law, sku=shelf.sku, location_id=shelf.location_id, expected=expected, found=found, detail=detail)
    return _named(finding.model_copy(update={"first_cause": cause, "seen": seen, "row_v": row_v}))


def _told(shelf: Shelf) -> int:
    """on_hand as the last count and the movements after it tell it."""
    counted_at = shelf.rows[0].effective_at if 0 in shelf.rows else ""
    since = sum(move.delta for move in shelf.moves if move.kind != COUNT and move.at > counted_at)
    counts = [move.on_hand or 0 for move in shelf.moves if move.kind == COUNT and move.at == counted_at]
    # Of several counts of the same moment nothing says which was the last: the one that fits is.
    return min((count + since for count in counts or [0]), key=lambda told: (abs(told - shelf.total("on_hand")), told))


def _first_misfit(shelf: Shelf) -> str:
    """The earliest order whose movements here are not what it has shipped from here."""
    moved: dict[str, int] = {}
    for move in shelf.moves:
        owner = move.cause.partition("#")[0]
        if move.kind == "shipped" and owner.startswith("ord_"):
            moved[owner] = moved.get(owner, 0) - move.delta
    counted_at = shelf.rows[0].effective_at if 0 in shelf.rows else ""
    owners: set[str] = set(moved) if counted_at else {*moved, *shelf.words}
    for owner in sorted(owners, key=_age):
        word = shelf.words.get(owner)
        shipped = word.shipped.get(shelf.location_id, {}).get(shelf.sku, 0) if word else 0
        # Before the last count it may have shipped more; that it has shipped less than was moved fits never.
        if moved.get(owner, 0) > shipped or (not counted_at and moved.get(owner, 0) < shipped):
            return owner
    return UNKNOWN


def _named(finding: Finding) -> Finding:
    parts = (finding.law, finding.sku, finding.location_id, finding.owner, finding.line_id, str(finding.missing))
    return finding.model_copy(update={"id": "drift_" + hashlib.sha256("#".join(parts).encode()).hexdigest()[:24]})


def _joined(parts: Iterable[str]) -> str:
    return ",".join(parts)


def _age(owner: str) -> str:
    """Ids sort by age behind their prefix."""
    return owner.partition("_")[2]
