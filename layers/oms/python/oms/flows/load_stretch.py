"""One stretch of a load's file: read, taken (or only looked at) by several threads, and logged in S3.

Records of one place are taken in the order of the file. The same stretch taken again, after a crash, gives the same log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from oms.flows.records import Sender, claim_on, foresee, take
from oms.inventory.load_file import LONGEST_LINE, Line, columns_of, cut, read
from oms.inventory.load_outcomes import Outcome, refusal
from oms.inventory.loads import Load
from oms.inventory.stock import Stock
from oms.storage import loads as stored
from oms.storage.settings import settings

STRETCH = 500
"""Records between two checkpoints; no more are taken again after a crash."""
_THREADS = 16
Place = tuple[str, str]
T = TypeVar("T")


def take_stretch(load: Load) -> None:
    """Take the next records and move the load forward. Invalid for a file that is none; Gone if it cannot be read any more."""
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


def _by_place(lines: Sequence[Line], work: Callable[[Sequence[Line]], list[Outcome]]) -> list[Outcome]:
    groups: dict[Place, list[Line]] = defaultdict(list)
    for line in lines:
        groups[_place(line)].append(line)
    return sorted(in_threads(work, list(groups.values())), key=lambda outcome: outcome.number)


def _place(line: Line) -> Place:
    return (line.record.sku, line.record.location_id) if line.record else ("", str(line.number))


def _row(stock: Mapping[Place, Stock], line: Line) -> Stock:
    sku, location_id = _place(line)
    return stock.get((sku, location_id)) or Stock(sku=sku, location_id=location_id)


def _unread(line: Line) -> Outcome:
    return Outcome(number=line.number, record_id=line.record_id, status="refused", reason=line.reason)


def in_threads(work: Callable[[T], list[Outcome]], groups: Iterable[T]) -> list[Outcome]:
    """What `work` makes of each group, several at a time, in the order of the groups; what one raises is raised when all have stopped."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 only loads need it, and all pay for imports

    pool = ThreadPoolExecutor(_THREADS)
    try:
        return [outcome for done in pool.map(work, groups) for outcome in done]
    finally:
        pool.shutdown(cancel_futures=True)
