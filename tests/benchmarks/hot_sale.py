"""The sale of a hot item, event by event, under DynamoDB's limits for a partition. What to read and what to take is not simulated: the
product's own oms.inventory.shards decides that. Times are in milliseconds.

What is documented
  1,000 write and 3,000 read units a second for each partition, also where the table has more; an item that is isolated in a partition of
  its own has the same limits. (Developer Guide: "Understanding warm throughput in different scenarios", "Burst and adaptive capacity")
  A transaction writes every item of up to 1 KB twice, once to prepare and once to commit: 2 units. One whose item is in another
  transaction under way is cancelled; the SDK does not try again. A GetItem meets no conflict: it reads what is committed.
  (Developer Guide: "Transactions: how it works", there "Transaction conflict handling" and "Capacity management")
  A write whose condition is false consumes write capacity all the same. (Developer Guide: "Conditional writes")
  Plain calls take single-digit milliseconds, a transaction that writes one item about four times as long as a plain write.
  (Idziorek et al., "Distributed transactions at scale in Amazon DynamoDB", USENIX ATC 2023, section 5.3)
  A strongly consistent read of up to 4 KB is 1 unit, an eventually consistent one half of that. (Developer Guide: "Read consistency")
What follows from it for the product
  Every sale reads row 0 first, for the number of rows (oms.storage.inventory.stock_to_sell), eventually consistent: half a unit of one
  partition, so one SKU has at most 6,000 attempts to sell a second, with however many shards. That is while the rows 0 of all places of
  the SKU are 4 KB together, about a dozen places; they are one query. Who is refused has read all rows: row 0 for 2.5 units in all, so
  refusals end at 1,200 a second, and what comes above that is throttled and told to try again.
What is assumed stands beside the constants.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.local.replay.report import percentile
from oms.inventory.shards import ask, order, spread, take

ATTEMPTS = 8
"""As in oms.flows.capture; after them the buyer gets 503 and is taken to be gone."""
EVENTUAL = 0.5
"""Units of an eventually consistent read."""
BACKOFF_MS = 20.0
"""A random wait of up to this, doubled with each attempt, as in oms.storage.orders."""


@dataclass(frozen=True)
class Limits:
    """What DynamoDB allows and how long it takes."""

    write_units: float = 1_000.0
    read_units: float = 3_000.0
    """A second and partition; every shard is a partition of its own."""
    depth: float = 0.1
    """Seconds of unused units that are kept. Assumed: the 300 seconds that are documented do not lift a partition above its limit."""
    transaction_ms: float = 10.0
    """How long a transaction holds its items, and how long it takes. Assumed: four times a plain write; the time spread by half."""
    read_ms: float = 3.0
    refusal_ms: float = 5.0
    """Assumed: a cancelled transaction answers after its first phase, and has used the unit of that phase, 1 of 2."""


DYNAMODB = Limits()


@dataclass(frozen=True)
class Row:
    """What became of the buyers of one run.

    `stock` and `sold` are units; `buyers`, `refused` (sold out) and `gave_up` (503 after the last attempt) are buyers. Of the attempts,
    `conflicts` met another transaction, `throttled` a full partition, `overtaken` a sale of what they had just read. `per_second` counts
    units until the last sale; `p95_ms` is from the buyer's coming to the answer, for those who bought or were refused.
    """

    shards: int
    rate: int
    buyers: int
    quantity: int
    stock: int
    sold: int
    refused: int
    gave_up: int
    conflicts: int
    throttled: int
    overtaken: int
    per_second: float
    p95_ms: float


class _Units:
    """Capacity units of a partition: they come back with time, up to a little more than is used at once."""

    __slots__ = ("at", "left", "most", "rate")

    def __init__(self, a_second: float, depth: float) -> None:
        self.rate, self.most = a_second / 1000, max(1.0, a_second * depth)
        self.left, self.at = self.most, 0.0

    def use(self, now: float, units: float = 1.0) -> bool:
        """Use so many; False if there are less."""
        self.left = min(self.most, self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left < units:
            return False
        self.left -= units
        return True


class _Shard:
    """The row of one shard in a partition of its own."""

    __slots__ = ("available", "held", "reads", "version", "writes")

    def __init__(self, available: int, limits: Limits) -> None:
        self.available, self.held, self.version = available, False, 0
        self.reads, self.writes = _Units(limits.read_units, limits.depth), _Units(limits.write_units, limits.depth)


class _Buyer:
    """One who wants to buy, when they came, how often was tried for them, and whether the last time failed because of what was read."""

    __slots__ = ("attempts", "came", "stale")

    def __init__(self, came: float) -> None:
        self.came, self.attempts, self.stale = came, 0, False


class Sale:
    """One run: the events that are to come, in order, and what has become of the buyers so far."""

    def __init__(self, shards: int, quantity: int, stock: int, limits: Limits, chance: random.Random) -> None:
        self.shards = [_Shard(units, limits) for units in spread(stock, shards)]
        self.quantity, self.stock, self.limits, self.chance = quantity, stock, limits, chance
        self.coming: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.events = 0
        self.sold = self.refused = self.gave_up = self.conflicts = self.throttled = self.overtaken = 0
        self.last_sale = 0.0
        self.took: list[float] = []

    def run(self, rate: int, buyers: int) -> Row:
        came = 0.0
        for _ in range(buyers):
            came += self.chance.expovariate(rate) * 1000
            self.later(came, self.attempt, _Buyer(came))
        while self.coming:
            now, _, step, rest = heapq.heappop(self.coming)
            step(now, *rest)
        return Row(
            shards=len(self.shards),
            rate=rate,
            buyers=buyers,
            quantity=self.quantity,
            stock=self.stock,
            sold=self.sold,
            refused=self.refused,
            gave_up=self.gave_up,
            conflicts=self.conflicts,
            throttled=self.throttled,
            overtaken=self.overtaken,
            per_second=self.sold * 1000 / self.last_sale if self.last_sale else 0.0,
            p95_ms=percentile(self.took, 95),
        )

    def later(self, at: float, step: Callable[..., None], *rest: Any) -> None:
        self.events += 1  # two events of the same moment happen in the order in which they were made
        heapq.heappush(self.coming, (at, self.events, step, rest))

    def attempt(self, now: float, buyer: _Buyer) -> None:
        """Row 0 first: it says how many rows there are. What is read may be old: half the price, but not for one whom a sale overtook."""
        if self.reads(now, 0, 1.0 if buyer.stale else EVENTUAL):
            row = self.shards[0].available
            self.later(now + self.limits.read_ms, self.peek, buyer, order(len(self.shards), self.chance.random), {}, row)
        else:
            self.again(now + self.limits.read_ms, buyer, self.attempt)

    def peek(self, now: float, buyer: _Buyer, tried: list[int], known: dict[int, int], row: int) -> None:
        """Read rows until those known have what is wanted. What is throttled is left out, and asked for again after a while."""
        asked = ask(tried, known) if sum(known.values()) < self.quantity else []
        if not asked:
            self.decide(now, buyer, take(self.quantity, known, tried))
            return
        units = 1.0 if buyer.stale else EVENTUAL
        known |= {
            number: self.shards[number].available if number else row for number in asked if not number or self.reads(now, number, units)
        }
        if all(number in known for number in asked):
            self.later(now + (self.limits.read_ms if asked != [0] else 0), self.peek, buyer, tried, known, row)
        else:
            self.again(now + self.limits.read_ms, buyer, self.peek, tried, known, row)

    def decide(self, now: float, buyer: _Buyer, taken: dict[int, int]) -> None:
        """Sell from what was seen; if that is too little, read all for certain: row 0, the others, and row 0 again."""
        if taken:
            self.write(now, buyer, taken)
        elif self.reads(now, 0, 1.0):
            row = self.shards[0]
            self.later(now + self.limits.read_ms, self.others, buyer, row.available, row.version)
        else:
            self.again(now + self.limits.read_ms, buyer, self.decide, {})

    def others(self, now: float, buyer: _Buyer, row: int, version: int) -> None:
        """All other rows in one call."""
        numbers = range(1, len(self.shards))
        known = {0: row} | {number: self.shards[number].available for number in numbers if self.reads(now, number, 1.0)}
        if len(known) == len(self.shards):
            self.later(now + self.limits.read_ms, self.certain, buyer, known, version)
        else:
            self.again(now + self.limits.read_ms, buyer, self.decide, {})

    def certain(self, now: float, buyer: _Buyer, known: dict[int, int], version: int) -> None:
        """Nobody is refused unless row 0 stood still while the others were read."""
        row, several = self.shards[0], len(self.shards) > 1
        if several and not self.reads(now, 0, 1.0):
            self.again(now + self.limits.read_ms, buyer, self.decide, {})
        elif several and row.version != version:
            self.later(now + self.limits.read_ms, self.others, buyer, row.available, row.version)
        elif taken := take(self.quantity, known, order(len(self.shards), self.chance.random)):
            self.write(now, buyer, taken)
        else:
            self.refused += 1
            self.took.append(now - buyer.came)

    def reads(self, now: float, number: int, units: float) -> bool:
        """One read of a row; False if its partition has no more units."""
        done = self.shards[number].reads.use(now, units)
        self.throttled += not done
        return done

    def write(self, now: float, buyer: _Buyer, taken: dict[int, int]) -> None:
        """The first phase of the transaction: every item accepts it, or it is cancelled."""
        parts = [(self.shards[number], units) for number, units in taken.items()]
        buyer.stale = False
        admitted = [shard.writes.use(now) for shard, _ in parts]  # every partition counts it, also beside one that refuses
        if not all(admitted):
            self.throttled += 1
        elif any(shard.held for shard, _ in parts):
            self.conflicts += 1
        elif any(shard.available < units for shard, units in parts):
            self.overtaken += 1
            buyer.stale = True
        else:
            for shard, _ in parts:
                shard.held = True
                shard.writes.left -= 1  # of the second phase, which is not throttled any more
            self.later(now + self.limits.transaction_ms * self.chance.uniform(0.5, 1.5), self.commit, buyer, parts)
            return
        self.again(now + self.limits.refusal_ms, buyer, self.attempt)

    def commit(self, now: float, buyer: _Buyer, parts: list[tuple[_Shard, int]]) -> None:
        for shard, units in parts:
            shard.available -= units
            shard.version += 1
            shard.held = False
            self.sold += units
        self.last_sale = now
        self.took.append(now - buyer.came)

    def again(self, now: float, buyer: _Buyer, step: Callable[..., None], *rest: Any) -> None:
        buyer.attempts += 1
        if buyer.attempts == ATTEMPTS:
            self.gave_up += 1
            return
        self.later(now + self.chance.uniform(0, BACKOFF_MS * 2 ** (buyer.attempts - 1)), step, buyer, *rest)
