"""The conservation check: go over places and SKUs, look twice at what does not add up, and repair it when somebody asks for that.

A check changes nothing. What is in flight while it reads is no drift: a finding counts when a second look, some seconds later, finds the
same with no version moved. What moves all the time is left to the next check.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from oms.errors import NotFound, Retryable
from oms.flows.idempotency import Request
from oms.flows.shortages import raise_drift
from oms.inventory.conservation import FIGURES, Finding, Queue, Shelf, Word, confirmed, of_queue, of_shelf, view
from oms.orders.order import Order
from oms.storage import conservation as store
from oms.storage.claims import keep_answer
from oms.storage.orders import Cause
from oms.storage.settings import settings

if TYPE_CHECKING:
    from oms.inventory.repair_requests import RepairRequest

PAUSE = 2.0
"""Seconds between the two looks."""
_ENOUGH = 8  # seconds that a second look may need
_SLICE = 30  # seconds that an audit takes of a pass
SecondsLeft = Callable[[], float]
Place = tuple[str, str]
"""A SKU at a location; without location its queue."""


@dataclass
class Checked:
    """What a check went over. `next`: where to go on, when its time was over. `moving`: suspicions that moved while they were looked at,
    which the next check decides."""

    findings: list[Finding] = field(default_factory=list)
    places: int = 0
    orders: int = 0
    moving: int = 0
    next: str = ""


def check(location_id: str | None, sku: str | None, seconds_left: SecondsLeft, after: str = "") -> Checked:
    """Go over all places, or one, and all SKUs, or one, from behind `after`. With neither, over the open orders and reservations too.

    NotFound for a location that does not exist.
    """
    if location_id is not None and location_id not in settings().locations:
        raise NotFound(f"there is no location '{location_id}'")
    done, suspects = Checked(), Suspects()
    _go_over([location_id] if location_id else None, sku, after, seconds_left, done, suspects)
    if location_id is None and sku is None and not done.next:
        for owner in store.everyone():
            if seconds_left() < PAUSE + _ENOUGH:
                break
            done.orders += 1
            suspects.hear(owner, store.word_of(owner))
    return confirm(suspects, done)


@dataclass
class Suspects:
    """What is worth a second look: SKUs at places (or their queues), and owners who have to be asked beside those that are found there."""

    places: set[Place] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)

    def hear(self, owner: str, word: Word) -> None:
        """Suspect all that is stored of an owner and is not what it says."""
        found = store.unlike(owner, word)
        self.places |= found
        self.owners |= {owner} if found else set()

    def listen_to(self, order: Order) -> None:
        """The same for an order that is loaded already."""
        self.hear(order.id, store.word_of_order(order))


def confirm(suspects: Suspects, done: Checked | None = None) -> Checked:
    """Look twice at these."""
    done = done or Checked()
    if suspects.places:
        first = _look(suspects)
        if first:
            time.sleep(PAUSE)
        second = _look(suspects) if first else []
        done.findings = confirmed(first, second)
        done.moving = len({finding.id for finding in first} - {finding.id for finding in done.findings})
    return done


def audit(suspects: Suspects, seconds_left: SecondsLeft) -> list[Finding]:
    """What `reconcile` does in each pass: look twice at what seems wrong in its orders, and go on over the places for some seconds, from
    where the last pass ended. Changes nothing; raises one exception for each SKU at a place that does not add up."""
    done, after, end = Checked(), store.cursor(), time.monotonic() + _SLICE
    _go_over(None, None, after, lambda: min(seconds_left() - _ENOUGH, end - time.monotonic()), done, suspects)
    if done.next != after:
        store.keep_cursor(done.next)
    confirm(suspects, done)
    at: dict[Place, list[Finding]] = {}
    for finding in done.findings:
        at.setdefault((finding.sku, finding.location_id), []).append(finding)
    for (sku, place), findings in at.items():
        raise_drift(sku, place, [view(finding) for finding in findings])
    return done.findings


def repair_once(request: RepairRequest, actor: str, asked: Request) -> tuple[list[dict[str, str]], bool]:
    """Repair; the same Idempotency-Key answers as the first time. Returns the outcomes and whether this is a repetition."""
    earlier = asked.earlier()
    if earlier:
        return list(earlier["outcomes"]), True
    outcomes = repair(request, actor, asked.key or asked.route)
    keep_answer(asked.record(status=200, outcomes=outcomes))
    return outcomes, False


def repair(request: RepairRequest, actor: str, cause: str) -> list[dict[str, str]]:
    """Repair the named findings that are still there. All figures of one row, and all that one owner holds at a place, are repaired
    together. Returns for each what became of it: repaired, gone (there is no such drift now) or refused (with what to do)."""
    wanted = {ref.id for ref in request.findings}
    owners = {ref.owner for ref in request.findings if ref.owner}
    found = confirm(Suspects({(ref.sku, ref.location_id or "") for ref in request.findings}, owners)).findings
    status = {ref.id: {"id": ref.id, "status": "gone", "detail": "there is no such drift now; check again"} for ref in request.findings}
    parts: dict[tuple[str, ...], list[Finding]] = {}
    for finding in found:
        parts.setdefault(_part(finding), []).append(finding)
    # Owners first: the rows follow from what they hold.
    for _, part in sorted(parts.items(), key=lambda each: (each[1][0].law in ("queued", *FIGURES), each[0])):
        if not wanted & {finding.id for finding in part}:
            continue
        outcome = _repaired(part, Cause(actor, cause), request.reason)
        for finding in part:
            status[finding.id] = {"id": finding.id, **outcome}
    return list(status.values())


def _go_over(only: list[str] | None, sku: str | None, after: str, left: SecondsLeft, done: Checked, suspects: Suspects) -> None:
    """The first look, over these places or all; `done.next` says where it ended if its time was over."""
    start, _, start_sku = after.partition("#")
    queues: set[str] = set()
    for place in only or sorted(settings().locations):
        if place < start:
            continue
        from_, words, items = start_sku if place == start else "", _Words(), store.reserved_by_sku(place)
        for each in sorted({sku} if sku else {*store.skus_at(place, from_), *(sku for sku in items if sku > from_)}):
            if left() < PAUSE + _ENOUGH:
                done.next = f"{place}#{from_}"
                return
            if of_shelf(words.with_holders(store.shelf(each, place, items.get(each, {})))):
                suspects.places.add((each, place))
            if each not in queues and of_queue(words.with_waiting(store.queue(each))):
                suspects.places.add((each, ""))
            queues.add(each)
            done.places += 1
            from_ = each


def _look(suspects: Suspects) -> list[Finding]:
    """What does not add up there; whoever may hold stock is asked when those that are found there do not explain it."""
    words, out, items = _Words(), list[Finding](), dict[str, dict[str, dict[str, int]]]()
    for sku, place in sorted(suspects.places):
        if place:
            if place not in items:
                items[place] = store.reserved_by_sku(place)
            shelf = store.shelf(sku, place, items[place].get(sku, {}))
            found = of_shelf(words.with_holders(shelf, suspects.owners))
            if any(finding.law in ("reserved", "on_hand") for finding in found):
                found = of_shelf(words.with_holders(shelf, {*store.everyone(), *shelf.movers()}))
        else:
            queue = store.queue(sku)
            found = of_queue(words.with_waiting(queue, suspects.owners))
            if any(finding.law == "queued" for finding in found):
                found = of_queue(words.with_waiting(queue, set(store.everyone())))
        out += found
    return out


def _part(finding: Finding) -> tuple[str, ...]:
    if finding.law in FIGURES:
        return ("figures", finding.sku, finding.location_id)
    if finding.law == "reservation":
        return ("reservation", finding.owner, finding.location_id)
    return (finding.law, finding.sku, finding.location_id, finding.owner, finding.line_id)


def _repaired(part: list[Finding], cause: Cause, reason: str) -> dict[str, str]:
    law = part[0].law
    if law == "negative":
        return {"status": "refused", "detail": "nothing says what is right; count the shelf"}
    try:
        if law in FIGURES:
            if any(finding.expected < 0 for finding in part if finding.law in ("on_hand", "reserved")):
                return {"status": "refused", "detail": "the movements make less than nothing; count the shelf"}
            store.repair_figures(part, cause, reason)
        elif law == "queued":
            store.repair_debts(part[0], cause, reason)
        else:
            store.repair_owner(part, cause, reason)
    except Retryable as error:
        return {"status": "refused", "detail": f"{error}; check again"}
    return {"status": "repaired", "detail": "; ".join(finding.detail for finding in part)}


class _Words:
    """What owners say, each asked once in a look."""

    def __init__(self) -> None:
        self._known: dict[str, Word] = {}

    def with_holders(self, shelf: Shelf, others: Iterable[str] = ()) -> Shelf:
        """The shelf with the words of all that hold something there, and of others."""
        return replace(shelf, words=self._of({*shelf.items, *others}))

    def with_waiting(self, queue: Queue, others: Iterable[str] = ()) -> Queue:
        """The queue with the words of all that stand in it, and of others."""
        return replace(queue, words=self._of({*queue.owners(), *others}))

    def _of(self, owners: Iterable[str]) -> dict[str, Word]:
        owners = set(owners)
        self._known |= {owner: store.word_of(owner) for owner in owners if owner not in self._known}
        return {owner: self._known[owner] for owner in owners}
