"""Undoing a load: each record's difference is taken back once, and nothing else; what was sold or received since stays.

A count is undone by a count: as of the same moment there was what the load found. So a right count of that moment can follow. A
difference is undone by the opposite one, as of the same moment. What was counted again later is left alone: that count stands.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from typing import Any

from oms.errors import Conflict
from oms.flows.idempotency import Request
from oms.flows.load_stretch import Place, in_threads
from oms.inventory.counts import COUNT, Movement
from oms.inventory.load_outcomes import Outcome, refusal
from oms.inventory.loads import Load
from oms.inventory.stock import Stock
from oms.storage import loads as stored
from oms.storage.claims import claim_of
from oms.storage.inventory import stock_at, write_count
from oms.storage.table import Lost

_ATTEMPTS = 12
_LONGEST_PAUSE = 0.5
_CLIENT = "inventory-load"


def revert_stretch(load: Load) -> None:
    """Undo the records of the next stretch, the last one first, and move the load backward. Gone if its log is kept no more."""
    rows = [Outcome.model_validate(row) for row in reversed(stored.log(load, "applied", load.part))]
    groups: dict[Place, list[Outcome]] = defaultdict(list)
    for row in rows:
        if row.changes:
            groups[row.sku, row.location_id].append(row)
    done = in_threads(lambda group: [put_back(load, row) for row in group], list(groups.values()))
    for outcome in done:
        load.reverted.add(outcome)
    stored.put_log(load, "refused-revert", load.part, [refusal(outcome) for outcome in done if outcome.status == "refused"])
    stored.put_log(load, "reverted", load.part, (o.model_dump(exclude_defaults=True) for o in done if o.status == "applied"))
    load.part -= 1


def put_back(load: Load, done: Outcome) -> Outcome:
    """Undo one applied record. Refused if it was counted again since, or if what would be left is less than nothing."""
    claim = Request(_CLIENT, "reverts", f"{load.id}/{done.number}", "")
    for attempt in range(_ATTEMPTS):
        stock = stock_at(done.sku, done.location_id) or Stock(sku=done.sku, location_id=done.location_id)
        known = claim_of(claim.name)
        if known:
            return _outcome(done, "applied", before=int(known["before"]), delta=-done.delta, short=_short(stock, stock.on_hand))
        try:
            _check(stock, done)
            write_count(stock, _figures(stock, done), _movement(load, done), key=claim.record(status=200, before=stock.on_hand))
        except Conflict as error:
            return _outcome(done, "refused", reason=error.detail)
        except Lost:
            time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.01 * 2**attempt)))
            continue
        return _outcome(done, "applied", before=stock.on_hand, delta=-done.delta, short=_short(stock, stock.on_hand - done.delta))
    return _outcome(done, "refused", reason=f"stock of {done.sku} at {done.location_id} changes too often; revert the load again")


def _check(stock: Stock, done: Outcome) -> None:
    overtaken = stock.effective_at > done.at if done.counted is not None else stock.effective_at >= done.at
    if overtaken:
        raise Conflict(f"{done.sku} at {done.location_id} was counted again, as of {stock.effective_at}; that count stands")
    if stock.on_hand < done.delta:
        left = done.delta - stock.on_hand
        raise Conflict(f"{left} of the {done.delta} units of {done.sku} that came with it have left {done.location_id} since; count it")


def _movement(load: Load, done: Outcome) -> Movement:
    counted = {} if done.counted is None else {"on_hand": done.counted - done.delta}
    return Movement(
        sku=done.sku,
        location_id=done.location_id,
        at=done.at,
        kind="reverted" if done.counted is None else COUNT,
        delta=-done.delta,
        cause=f"revert/{load.id}/{done.record_id}",
        actor=load.requested_by,
        **counted,
    )


def _figures(stock: Stock, done: Outcome) -> dict[str, Any]:
    """The safety stock of before, unless somebody has set another one since."""
    if done.safety and stock.safety_stock == done.safety[1]:
        return {"safety_stock": done.safety[0]}
    return {}


def _short(stock: Stock, on_hand: int) -> int:
    return max(0, stock.reserved - on_hand)


def _outcome(done: Outcome, status: str, **more: Any) -> Outcome:
    named = {"number": done.number, "record_id": done.record_id, "sku": done.sku, "location_id": done.location_id}
    return Outcome.model_validate({"status": status, **named, **more})
