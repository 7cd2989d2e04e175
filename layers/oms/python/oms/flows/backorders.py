"""Serving the queue of a SKU: what has arrived is granted from the head on, by one worker at a time; then promises follow the supply.

Every grant is one commit of its order under the conditions of the stock rows, so a worker that dies, or two of them, can do no harm;
one at a time keeps the order of the queue. Only orders that were granted something are woken: relay sees their commits.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from oms.clock import parse, stamp
from oms.inventory import backorders
from oms.inventory.promises import forecast, promise
from oms.inventory.stock import Stock
from oms.orders.order import Order
from oms.routing.sourcing import may_come_from
from oms.storage.inventory import note, stock_of
from oms.storage.orders import Cause, StockShort, commit, load, update
from oms.storage.queue import LEASE_SECONDS, InLine, Lease, abandoned, begin, finish, in_line, keep, let_go, move_debt
from oms.storage.settings import settings
from oms.storage.table import Lost, write

SecondsLeft = Callable[[], float]
ACTOR = "stockkeeper"
USUAL_CLASS = 5
_ATTEMPTS = 8
_ENOUGH = 10
"""Seconds that a worker keeps for handing its work on."""


@dataclass
class Worker:
    """One worker going over the queue of one SKU. `failed` is the first order that could not be served for a reason of its own."""

    lease: Lease
    seconds_left: SecondsLeft
    granted: int = 0
    failed: Exception | None = None

    @property
    def sku(self) -> str:
        """Whose queue it is."""
        return self.lease.sku

    def may_go_on(self) -> bool:
        """Whether there is time left, and nobody has taken over; renews the lease when half of it is gone."""
        if self.seconds_left() < _ENOUGH:
            return False
        if (parse(self.lease.expires) - parse(stamp())).total_seconds() > LEASE_SECONDS / 2:
            return True
        kept = keep(self.lease)
        self.lease = kept or self.lease
        return kept is not None


def arrived(data: Mapping[str, Any], seconds_left: SecondsLeft) -> None:
    """Something became free that the queue has a right to, supply is expected at another time, or somebody has left the queue."""
    serve(str(data["sku"]), seconds_left)


def queued(data: Mapping[str, Any], seconds_left: SecondsLeft) -> None:
    """Somebody began to wait. What arrived at the very moment did not see that debt; and who goes before others moves their promises."""
    sku = str(data["sku"])
    if int(data["class"]) < USUAL_CLASS or any(row.spare > 0 for row in _rows(sku)):
        serve(sku, seconds_left)


def sweep(seconds_left: SecondsLeft) -> int:
    """Take over from workers that died. Returns how many there were."""
    skus = abandoned(stamp())
    for sku in skus:
        if seconds_left() > 2 * _ENOUGH:
            serve(sku, seconds_left)
    return len(skus)


def serve(sku: str, seconds_left: SecondsLeft) -> int:
    """Go over the queue of a SKU until there is no more news for it. Returns how many units were granted.

    Whoever comes while another one is at it leaves: that one begins again when it is through.
    """
    lease = begin(sku)
    if lease is None:
        return 0
    worker = Worker(lease, seconds_left)
    try:
        _go_over(worker)
    except BaseException:
        let_go(worker.lease)
        raise
    if worker.failed:
        raise worker.failed
    return worker.granted


def _go_over(worker: Worker) -> None:
    again: Lease | None = worker.lease
    while again:
        worker.lease = again
        if not (_grants(worker) and _promises(worker)):
            # No time left. Whoever gets this note goes on; if it is lost, the next sweep does.
            let_go(worker.lease)
            write([note(worker.sku, stamp(), worker.lease.worker, ACTOR, [("stock.arrived", {"sku": worker.sku})])])
            return
        again = finish(worker.lease)


_ENDED_AT_ONCE = 20
"""Lines that leave the queue in one commit: a place in the queue each, debts on some rows, and news for who waits behind."""


def end_waits(order: Order) -> int:
    """Take what has waited for as long as its channel allows out of the queue. Returns how many units that were.

    Its order is woken, looks for stock a last time, and what there is none for is unfillable.
    """
    if not order.queued() or not backorders.wait_is_over(order, settings()):
        return 0
    ended = sum(order.queued().values())

    def end(fresh: Order) -> None:
        days = settings().channel(fresh.placed.channel).backorder_days
        for line_id in list(fresh.queued())[:_ENDED_AT_ONCE]:
            backorders.end_wait(fresh, line_id, f"no stock within {days} days")

    while order.queued():
        order = update(order.id, end, Cause("reconcile", "waited long enough"))
    return ended


def queue_of(sku: str, *, limit: int, after: str, position: int) -> list[dict[str, Any]]:
    """A page of the queue as the API shows it; `position` is that of the entry before it."""
    return [
        {
            "sku": sku,
            "order_id": entry.order_id,
            "order_number": entry.waiting.order_number,
            "line_id": entry.line_id,
            "units": entry.waiting.units,
            "position": position + number,
            "class": entry.class_,
            "placed_at": entry.placed_at,
            "promise": entry.waiting.promise.model_dump() if entry.waiting.promise else None,
            "at": entry.at,
        }
        for number, entry in enumerate(in_line(sku, after=after, limit=limit), 1)
    ]


def _grants(worker: Worker) -> bool:
    """Grant from the head on as long as there are goods. False if it had to stop before that was done."""
    misses = 0
    while True:
        before = worker.granted
        how = _pass(worker)
        if how != "changed":
            return how == "done"
        misses = 0 if worker.granted > before else misses + 1
        if misses == _ATTEMPTS:
            raise Lost(f"the stock of {worker.sku} changes too often; its queue is served a little later")
        time.sleep(random.uniform(0, 0.02 * 2**misses))


def _pass(worker: Worker) -> Literal["done", "changed", "stopped"]:
    """Once along the queue, everybody by the same figures: when more has arrived meanwhile, those in front have a right to it first."""
    rows = _rows(worker.sku)
    for entry in in_line(worker.sku):
        if not any(row.spare > 0 for row in rows):
            return "done"
        if not worker.may_go_on():
            return "stopped"
        if not _has_something(entry, rows):
            continue
        try:
            worker.granted += _grant(entry, rows)
        except (Lost, StockShort):
            return "changed"
        except Exception as error:
            # An order that cannot be read or written must not keep the goods from those behind it; it is reported at the end.
            worker.failed = worker.failed or error
            continue
        seen = {row.location_id: row.spare for row in rows}
        rows = _rows(worker.sku)
        if any(row.spare > seen.get(row.location_id, 0) for row in rows):
            return "changed"
    return "done" if _send_back(worker.sku, rows) else "changed"


def _has_something(entry: InLine, rows: list[Stock]) -> bool:
    """Whether any place that may serve the entry has goods: read off the queue, so that only orders that get some are loaded."""
    having = {row.location_id for row in rows if row.spare > 0}
    return any(place.id in having for place in may_come_from(entry.sku, entry.waiting, settings(), stamp()))


def _grant(entry: InLine, rows: list[Stock]) -> int:
    """Grant one place in the queue what there is for it; how many units. Lost or StockShort if somebody else was first."""
    order = load(entry.order_id)
    units = backorders.grant(order, entry.line_id, {entry.sku: rows}, settings())
    if units:
        commit(order, Cause(ACTOR, f"queue of {entry.sku}"))
    return units


def _send_back(sku: str, rows: list[Stock]) -> bool:
    """Goods that nobody in the queue may have must not be kept for it: the debts that stand with them go to a place of those who wait.

    False if the goods have changed meanwhile: somebody may have a right to them now.
    """
    held_up = {row.location_id: row for row in rows if row.spare > 0 and row.queued > 0}
    left = {place: row.queued for place, row in held_up.items()}
    moves: Counter[tuple[str, str]] = Counter()
    for entry in in_line(sku) if held_up else ():
        units = entry.waiting.units
        for place in held_up:
            stand = backorders.home(sku, entry.waiting, rows, settings(), stamp(), besides=place)
            part = min(left[place], units)
            if stand and part > 0 and stand.id not in held_up:
                moves[place, stand.id] += part
                left[place], units = left[place] - part, units - part
        if not any(left.values()):
            break
    return all(_move(held_up, place, stand, units) for (place, stand), units in moves.items())


def _move(rows: dict[str, Stock], place: str, to_place: str, units: int) -> bool:
    row = rows[place]
    rows[place] = row.model_copy(update={"v": row.v + 1})
    return move_debt(row, to_place, units)


def _promises(worker: Worker) -> bool:
    """Bring every promise up to what the supply is now. False if it had to stop before the end."""
    queue = list(in_line(worker.sku))
    expected = forecast(worker.sku, (entry.waiting for entry in queue), _rows(worker.sku), settings(), stamp())
    for entry, found in zip(queue, expected, strict=True):
        if not found.differs_from(entry.waiting.promise):
            continue
        if not worker.may_go_on():
            return False

        def renew(order: Order, line_id: str = entry.line_id, new: Any = found) -> None:
            if order.summary.lines[line_id].backordered:
                promise(order, line_id, new)

        try:
            update(entry.order_id, renew, Cause(ACTOR, f"supply of {worker.sku}"))
        except (Lost, StockShort):
            raise
        except Exception as error:
            # As above: those behind it have promises too.
            worker.failed = worker.failed or error
    return True


def _rows(sku: str) -> list[Stock]:
    """The stock as the queue may have it: nothing from a place that waits to be counted again."""
    return [row.model_copy(update={"spare": 0}) if row.blocked else row for row in stock_of([sku])[sku]]
