"""The work of a load: the file is read in stretches; each is taken by several threads, logged in S3, and then counted on the load.

Safe to stop anywhere and to run twice: a record counts once by its claim, a log is put again with the same content, and the load goes on
from where its last stretch ended. Records of one place are taken in the order of the file.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from oms.clock import later, stamp
from oms.errors import Invalid
from oms.flows.load_revert import put_back
from oms.flows.records import Sender, claim_on, foresee, take
from oms.flows.shortages import raise_shortage
from oms.inventory.load_file import LONGEST_LINE, Line, columns_of, cut, read
from oms.inventory.loads import Load, Outcome, refusal
from oms.inventory.stock import Stock
from oms.storage import loads as stored
from oms.storage.settings import settings
from oms.storage.table import Lost

SecondsLeft = Callable[[], float]
STRETCH = 500
"""Records between two checkpoints; no more are taken again after a crash."""
SLICE_SECONDS = 20.0
"""Then the load hands itself on, behind the news that came meanwhile: nobody who waits for stock is to wait for a file."""
_THREADS = 16
_KEPT_SECONDS = 15.0
_IDLE_SECONDS = 120
_MOST_SHORT = 100
_ACTOR = "stockkeeper"
Place = tuple[str, str]
T = TypeVar("T")


def run(data: Mapping[str, Any], seconds_left: SecondsLeft) -> None:
    """Go on with a load until it is over or the time is; then it is handed on by a fact of its own."""
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
    load = stored.load(str(data["load_id"]))
    kind = "applied" if data["after"] == "apply" else "reverted"
    places = {(row["sku"], row["location_id"]): int(row["short"]) for row in _rows(load, kind) if row.get("short")}
    worst = sorted(places, key=lambda place: (-places[place], place))[:_MOST_SHORT]
    raise_shortage(f"{load.id} {data['after']}", load.id, worst)


def sweep(seconds_left: SecondsLeft) -> int:
    """Go on with loads at which nobody is at work any more. Returns how many."""
    idle = 0
    for load_id in stored.working(until=stamp()):
        load = stored.find(load_id)
        if load and load.working and load.updated_at < later(stamp(), seconds=-_IDLE_SECONDS) and seconds_left() > _KEPT_SECONDS:
            run({"load_id": load_id}, seconds_left)
            idle += 1
    return idle


def _step(load: Load) -> list[stored.Fact]:
    """The next stretch, or the end of the phase. Returns the facts."""
    if load.phase == "revert":
        return _revert(load) if load.part else _end(load, "reverted")
    if load.stopping:
        return _end(load, "cancelled")
    if load.offset < load.size:
        _stretch(load)
        return []
    if load.phase == "check":
        return _checked(load)
    return _end(load, "done_with_refusals" if load.applied.refused else "done")


def _checked(load: Load) -> list[stored.Fact]:
    if load.preview:
        return _end(load, "previewed")
    if load.max_change_percent is not None and load.checked.exceeds(load.max_change_percent):
        load.status = "parked"
        return [("load.parked", {"change_percent": load.checked.change_percent, "units_changed": load.checked.units_changed})]
    load.begin("apply")
    return []


def _stretch(load: Load) -> None:
    block = stored.block(load, LONGEST_LINE)
    if load.lines == 0:
        load.columns = columns_of(block.partition(b"\n")[0], load.key)
    rows, used = cut(block, load.offset + len(block) >= load.size, STRETCH)
    header = 1 if load.lines == 0 and load.columns else 0
    numbered = enumerate(rows[header:], load.lines + header + 1)
    lines = [line for number, row in numbered if (line := read(row, number, load.columns))]
    outcomes = _foreseen(load, lines) if load.phase == "check" else _taken(load, lines)
    tally = load.checked if load.phase == "check" else load.applied
    for outcome in outcomes:
        tally.add(outcome)
    refused = [refusal(outcome) for outcome in outcomes if outcome.status == "refused"]
    load.part += 1
    if load.phase == "apply":
        load.parts = load.part
        stored.put_log(load, "applied", load.part, (o.model_dump(exclude_defaults=True) for o in outcomes if o.status == "applied"))
    stored.put_log(load, f"refused-{load.phase}", load.part, refused)
    load.offset, load.lines = load.offset + used, load.lines + len(rows)


def _taken(load: Load, lines: Sequence[Line]) -> list[Outcome]:
    sender = _sender(load)
    stock = stored.rows_of(_place(line) for line in lines if line.record)

    def work(group: Sequence[Line]) -> list[Outcome]:
        done = []
        for index, line in enumerate(group):
            # Only the first of a place may use what was read for all of them: it changes it.
            row = _row(stock, line) if index == 0 else None
            done.append(take(line.record, sender, line.number, row) if line.record else _unread(line))
        return done

    return _by_place(lines, work)


def _foreseen(load: Load, lines: Sequence[Line]) -> list[Outcome]:
    sender = _sender(load)
    stock = stored.rows_of(_place(line) for line in lines if line.record)
    claims = stored.claims_of(claim_on(line.record).name for line in lines if line.record)

    def work(group: Sequence[Line]) -> list[Outcome]:
        done, row = [], _row(stock, group[0])
        for line in group:
            if not line.record:
                done.append(_unread(line))
                continue
            outcome = foresee(line.record, sender, line.number, row, claims.get(claim_on(line.record).name))
            # What the next record of this place would find.
            row = row.model_copy(update={"on_hand": row.on_hand + outcome.delta, "effective_at": _counted_at(row, outcome)})
            done.append(outcome)
        return done

    return _by_place(lines, work)


def _counted_at(row: Stock, outcome: Outcome) -> str:
    return outcome.at if outcome.counted is not None else row.effective_at


def _sender(load: Load) -> Sender:
    return Sender(load.requested_by, load.id, load.requested_at, settings().locations)


def _revert(load: Load) -> list[stored.Fact]:
    rows = [Outcome.model_validate(row) for row in reversed(stored.log(load, "applied", load.part))]
    groups: dict[Place, list[Outcome]] = defaultdict(list)
    for row in rows:
        if row.changes:
            groups[row.sku, row.location_id].append(row)
    done = _in_threads(lambda group: [put_back(load, row) for row in group], list(groups.values()))
    for outcome in done:
        load.reverted.add(outcome)
    stored.put_log(load, "refused-revert", load.part, [refusal(outcome) for outcome in done if outcome.status == "refused"])
    stored.put_log(load, "reverted", load.part, (o.model_dump(exclude_defaults=True) for o in done if o.status == "applied"))
    load.part -= 1
    return []


def _end(load: Load, status: str, reason: str = "") -> list[stored.Fact]:
    """The load is over: its report is put together, and what it left short is told of once."""
    tally = {"check": load.checked, "apply": load.applied, "revert": load.reverted}[load.phase]
    if tally.refused:
        load.report = stored.put_report(load, "refused", _rows(load, f"refused-{load.phase}"))
    load.end(status, stamp(), reason)
    figures = {"records": tally.records, "changed": tally.changed, "refused": tally.refused}
    facts: list[stored.Fact] = [(f"load.{'completed' if status.startswith('done') else status}", {"status": status, **figures})]
    if tally.short and load.phase != "check":
        facts.append(("load.short", {"after": load.phase, "places": tally.short}))
    return facts


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


def _by_place(lines: Sequence[Line], work: Callable[[Sequence[Line]], list[Outcome]]) -> list[Outcome]:
    groups: dict[Place, list[Line]] = defaultdict(list)
    for line in lines:
        groups[_place(line)].append(line)
    return sorted(_in_threads(work, list(groups.values())), key=lambda outcome: outcome.number)


def _place(line: Line) -> Place:
    return (line.record.sku, line.record.location_id) if line.record else ("", str(line.number))


def _row(stock: Mapping[Place, Stock], line: Line) -> Stock:
    sku, location_id = _place(line)
    return stock.get((sku, location_id)) or Stock(sku=sku, location_id=location_id)


def _unread(line: Line) -> Outcome:
    return Outcome(number=line.number, record_id=line.record_id, status="refused", reason=line.reason)


def _in_threads(work: Callable[[T], list[Outcome]], groups: Iterable[T]) -> list[Outcome]:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 only loads need it, and all pay for imports

    pool = ThreadPoolExecutor(_THREADS)
    try:
        return [outcome for done in pool.map(work, groups) for outcome in done]
    finally:
        pool.shutdown(cancel_futures=True)
