"""Stock records, of a batch call or of a file: each is taken once, whatever sends it and however often.

A record's id is claimed in the transaction of its effect (for 30 days, like an Idempotency-Key). The claim also says which load it was
and what was there before, so a load that died finds what it had done.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from oms.clock import later
from oms.errors import Fault, Refused, invalid
from oms.flows.idempotency import Request, digest_of
from oms.flows.inventory import changed, check_location, counted, moment
from oms.inventory.counts import difference_now, on_hand_now
from oms.inventory.load_file import check, reason_of
from oms.inventory.load_outcomes import Outcome
from oms.inventory.stock import Stock
from oms.inventory.stock_requests import LoadRecord, StockBatch, StockRecord
from oms.storage.claims import claim_of, keep_answer
from oms.storage.inventory import movements, stock_at
from oms.storage.loads import movement_at
from oms.storage.table import Lost

_ATTEMPTS = 12
_LONGEST_PAUSE = 0.5
_CLIENT = "inventory-batch"


@dataclass(frozen=True)
class Sender:
    """Where records come from: a batch call, or a load, which has an id and was asked for at a time. `batch` names a batch call by its
    records, so that a repetition has the same name."""

    actor: str = _CLIENT
    load_id: str = ""
    asked_at: str = ""
    places: Collection[str] | None = None  # locations there are, if they have been read
    batch: str = ""

    def cause(self, record: StockRecord) -> str:
        """The name of a record's movement."""
        return f"{self.load_id}/{record.record_id}" if self.load_id else record.record_id

    def time_of(self, record: StockRecord, stock: Stock) -> str:
        """As of when a record is. Without a time of its own it is as of the moment at which it was asked for, but after what the same
        file said of the place before: it may count and add and count again. Invalid for a time to come."""
        at = moment(record.effective_at or self.asked_at or None)
        if record.effective_at or at > stock.effective_at:
            return at
        if record.delta is not None:
            return later(stock.effective_at, seconds=0.001)
        said = movements(stock.sku, stock.location_id, after=at)
        return max([at, *(move.at for move in said if self.load_id and move.cause.startswith(f"{self.load_id}/"))])


def load_batch(batch: StockBatch, asked: Request) -> tuple[list[dict[str, Any]], bool]:
    """Take each record once; a record that is refused says why and does not stop the others. Returns what became of each, and whether
    this Idempotency-Key was used before: then it is what became of them the first time."""
    earlier = asked.earlier()
    if earlier:
        told = {int(number): (str(status), str(reason)) for number, status, reason in earlier["others"]}
        return [_told(record.record_id, *told.get(number, ("applied", ""))) for number, record in enumerate(batch.records)], True
    sender = Sender(batch=digest_of([record.record_id for record in batch.records])[:16])
    outcomes = [take(LoadRecord(**record.model_dump()), sender) for record in batch.records]
    # The repetition brings the records again: only those that were not simply applied are kept.
    others = [[number, done.status, done.reason] for number, done in enumerate(outcomes) if done.status != "applied"]
    keep_answer(asked.record(status=200, others=others))
    return [_told(done.record_id, done.status, done.reason) for done in outcomes], False


def claim_on(record: LoadRecord) -> Request:
    """The claim on a record's id; its digest tells whether it was made for the same content."""
    return Request(_CLIENT, "records", record.record_id, digest_of(record.model_dump(exclude_none=True)))


def take(record: LoadRecord, sender: Sender, number: int = 0, row: Stock | None = None) -> Outcome:
    """Take one record. `row`: the place as it was read before; good enough for a first attempt, because the write's condition is the truth.

    Retryable errors other than lost races are raised: nobody knows then whether it was written, and the same record finds out.
    """
    try:
        check(record)
        check_location(record.location_id, sender.places)
        return _once(record, sender, number, row)
    except (Refused, Lost) as error:
        reason = reason_of(error) if isinstance(error, Refused) else error.detail
        return _outcome(record, number, "refused", reason=reason)


def foresee(record: LoadRecord, sender: Sender, number: int, stock: Stock, claim: Mapping[str, Any] | None) -> Outcome:
    """What `take` would do now, given the place and who has claimed the record's id. Writes nothing."""
    try:
        check(record)
        check_location(record.location_id, sender.places)
        if claim:
            return _earlier(record, sender, number, claim)
        at = sender.time_of(record, stock)
        if record.on_hand is None:
            delta = difference_now(stock, record.delta or 0, at)
        else:
            since = movements(stock.sku, stock.location_id, after=at) if stock.moves else ()
            delta = on_hand_now(stock, record.on_hand, at, since) - stock.on_hand
    except Refused as error:
        return _outcome(record, number, "refused", reason=reason_of(error))
    return _applied(record, number, at, stock.on_hand, delta, stock.safety_stock, stock.reserved)


def _told(record_id: str, status: str, reason: str) -> dict[str, Any]:
    return {"record_id": record_id, "status": status, **({"detail": reason} if reason else {})}


def _once(record: LoadRecord, sender: Sender, number: int, row: Stock | None) -> Outcome:
    claim = claim_on(record)
    for attempt in range(_ATTEMPTS):
        old = row if attempt == 0 else None
        stock = old or stock_at(record.sku, record.location_id) or Stock(sku=record.sku, location_id=record.location_id)
        stopped: Refused | Lost | None = None
        try:
            at = sender.time_of(record, stock)
            on_hand = _write(record, sender, stock, at, _key(claim, sender, number, stock, at))
            if on_hand is not None:
                return _applied(record, number, at, stock.on_hand, on_hand - stock.on_hand, stock.safety_stock, stock.reserved)
        except (Refused, Lost) as error:
            stopped = error
        # Only now is the claim read: nearly every record is new, and of one that is not the write was refused, or it makes no sense again.
        known = claim_of(claim.name)
        if known:
            return _earlier(record, sender, number, known)
        if stopped is None:
            return _outcome(record, number, "repeated")  # its movement is older than claims are kept
        if isinstance(stopped, Refused) and old is None:
            raise stopped
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.01 * 2**attempt)))
    raise Lost(f"stock of {record.sku} at {record.location_id} changes too often; send the record again")


def _write(record: LoadRecord, sender: Sender, stock: Stock, at: str, key: dict[str, Any] | None) -> int | None:
    tell = not sender.load_id  # a load tells of everything that is short at once, when it is over
    if record.on_hand is None:
        return changed(stock, record.delta or 0, at, sender.cause(record), sender.actor, key, tell=tell, batch=sender.batch)
    figures = {} if record.safety_stock is None else {"safety_stock": record.safety_stock}
    return counted(stock, record.on_hand, at, sender.cause(record), sender.actor, figures, key, tell=tell, batch=sender.batch)


def _key(claim: Request, sender: Sender, number: int, stock: Stock, at: str) -> dict[str, Any] | None:
    if not sender.load_id:
        return claim.record(status=200)
    before = {"before": stock.on_hand, "safety_before": stock.safety_stock}
    return claim.record(status=200, load_id=sender.load_id, number=number, effective_at=at, **before)


def _earlier(record: LoadRecord, sender: Sender, number: int, claim: Mapping[str, Any]) -> Outcome:
    """What became of a record whose id is claimed: the same if this very load has done it, else it is a repetition, or another record."""
    if sender.load_id and (claim.get("load_id"), claim.get("number")) == (sender.load_id, number):
        at = str(claim["effective_at"])
        done = movement_at(record.sku, record.location_id, at, sender.cause(record))
        stock = stock_at(record.sku, record.location_id)
        reserved = stock.reserved if stock else 0
        return _applied(record, number, at, int(claim["before"]), done.delta if done else 0, int(claim["safety_before"]), reserved)
    if claim["digest"] != claim_on(record).digest:
        raise invalid(Fault("was used for another record before; every record needs an id of its own", "/record_id"))
    return _outcome(record, number, "repeated")


def _applied(record: LoadRecord, number: int, at: str, before: int, delta: int, safety: int, reserved: int) -> Outcome:
    """`short` is what the figures read say; when a load is over it is looked up again."""
    changed_safety = [] if record.safety_stock is None else [safety, record.safety_stock]
    short = max(0, reserved - before - delta)
    return _outcome(
        record, number, "applied", at=at, counted=record.on_hand, before=before, delta=delta, safety=changed_safety, short=short
    )


def _outcome(record: LoadRecord, number: int, status: str, **more: Any) -> Outcome:
    named = {"record_id": record.record_id, "sku": record.sku, "location_id": record.location_id}
    return Outcome.model_validate({"number": number, "status": status, **named, **more})
