"""The work of a load: stretch by stretch through the file, then through its log if it is to be undone.

Safe to stop anywhere and to run again: a record counts once by its claim, a log is put again with the same content, and the load goes on
from where its last stretch ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from oms.clock import later, stamp
from oms.errors import Invalid
from oms.flows.load_revert import revert_stretch
from oms.flows.load_stretch import take_stretch
from oms.flows.shortages import raise_shortage
from oms.inventory.loads import Load
from oms.storage import loads as stored
from oms.storage.environment import environment
from oms.storage.table import Lost

SecondsLeft = Callable[[], float]
SLICE_SECONDS = 20.0
"""Then the load hands itself on, behind the news that came meanwhile: nobody who waits for stock is to wait for a file."""
IDLE_SECONDS = 330
"""Longer than stockkeeper may run: whoever was at work on a load that stands still so long is at work no more."""
_KEPT_SECONDS = 15.0
_MOST_SHORT = 100
_ACTOR = "stockkeeper"


def run(data: Mapping[str, Any], seconds_left: SecondsLeft) -> None:
    """Go on with a load until it is over or the time is; then it is handed on by a fact of its own.

    Only who may read the files does it: to another function that replays news it is left to the sweep.
    """
    if not environment().loads_bucket:
        return
    load = stored.find(str(data["load_id"]))
    end = time.monotonic() + min(SLICE_SECONDS, seconds_left() - _KEPT_SECONDS)
    while load and load.working:
        try:
            facts = _step(load)
        except (Invalid, stored.Gone) as error:
            facts = _end(load, "failed", error.detail)
        over = load.working and time.monotonic() > end
        if not _saved(load, [*facts, *([("load.continued", {"lines": load.lines})] if over else [])]) or over:
            return


def report_short(data: Mapping[str, Any], _: SecondsLeft) -> None:
    """A load is over that left less on hand than is reserved: one exception for all of it."""
    raise_shortage(f"{data['load_id']} {data['after']}", str(data["load_id"]), [(sku, place) for sku, place in data["places"]])


def sweep(seconds_left: SecondsLeft) -> int:
    """Go on with loads at which nobody is at work any more. Returns how many."""
    idle = 0
    for load_id in stored.working(until=stamp()):
        load = stored.find(load_id)
        if load and load.working and load.updated_at < later(stamp(), seconds=-IDLE_SECONDS) and seconds_left() > _KEPT_SECONDS:
            run({"load_id": load_id}, seconds_left)
            idle += 1
    return idle


def _step(load: Load) -> list[stored.Fact]:
    """The next stretch, or the end of the phase. Returns the facts."""
    if load.phase == "revert":
        if load.part:
            revert_stretch(load)
            return []
        return _end(load, "reverted")
    if load.stopping:
        return _end(load, "cancelled")
    if load.offset < load.size:
        take_stretch(load)
        return []
    if load.phase == "check":
        return _checked(load)
    return _end(load, "done_with_refusals" if load.applied.refused else "done")


def _checked(load: Load) -> list[stored.Fact]:
    if load.preview:
        return _end(load, "previewed")
    if load.max_change_percent is not None and load.checked.exceeds(load.max_change_percent):
        return _end(load, "parked")
    load.begin("apply")
    return []


def _end(load: Load, status: str, reason: str = "") -> list[stored.Fact]:
    """Nothing more happens by itself: the report is put together, and what was left short is told of once."""
    tally = {"check": load.checked, "apply": load.applied, "revert": load.reverted}[load.phase]
    if tally.refused:
        address = stored.put_report(load, "refused" if load.phase != "revert" else "not-reverted", _rows(load, f"refused-{load.phase}"))
        load.report, load.revert_report = (load.report, address) if load.phase == "revert" else (address, load.revert_report)
    load.end(status, stamp(), reason)
    figures = {"records": tally.records, "changed": tally.changed, "refused": tally.refused, "change_percent": tally.change_percent}
    facts: list[stored.Fact] = [(f"load.{'completed' if status.startswith('done') else status}", {"status": status, **figures})]
    if tally.short and load.phase != "check":
        facts.append(("load.short", {"after": load.phase, "places": _worst(load), "count": tally.short}))
    return facts


def _worst(load: Load) -> list[list[str]]:
    """The (SKU, location) where most is missing, as the log has it; who raises the exception looks at each again."""
    rows = _rows(load, "applied" if load.phase == "apply" else "reverted")
    missing = {(row["sku"], row["location_id"]): int(row["short"]) for row in rows if row.get("short")}
    return [list(place) for place in sorted(missing, key=lambda place: (-missing[place], place))[:_MOST_SHORT]]


def _rows(load: Load, kind: str) -> Iterator[dict[str, Any]]:
    """All rows of a log, in the order of the file."""
    last = load.part if kind == "refused-check" else load.parts
    for part in range(1, last + 1):
        try:
            yield from stored.log(load, kind, part)
        except stored.Gone:
            continue  # the load failed before it came there, or the log is kept no more


def _saved(load: Load, facts: Sequence[stored.Fact]) -> bool:
    """Write how far the load is. False if somebody else has done this stretch and goes on."""
    load.updated_at = stamp()
    while True:
        try:
            stored.save(load, _ACTOR, f"{load.phase} {load.lines}", facts)
            return True
        except Lost:
            known = stored.find(load.id)
            if known is None or known.stopping == load.stopping or known.v != load.v + 1:
                return False
            # Somebody asked to stop meanwhile, nothing else: this stretch is done, and the next look at it ends the load.
            load.stopping, load.v = load.working, known.v
