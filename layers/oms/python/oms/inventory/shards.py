"""A hot item: the stock of one SKU at one location in several rows, called shards, so that many sales can write at once.

DynamoDB lets one transaction at a time touch an item and writes about 1,000 units a second to a partition. Every shard is an item in a
partition of its own; the figures of the place are the sum over its shards. What is decided here is which shard a sale takes from, and how
units are moved between shards. The truth is the condition of each write: what was read may be old by then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

MOST = 64
"""Shards of one SKU at one location."""


def order(count: int, draw: Callable[[], float]) -> list[int]:
    """The order in which one attempt of a sale tries the shards; `draw` gives a number from 0 up to 1, such as random.random.

    Draw again for every attempt: the shard that was busy is likely to be still busy. ValueError for a count that is not possible.
    """
    _check(count)
    # A random order, not a random start from which to go round: as shards run empty, going round sends everybody who starts in a gap
    # through the same shards to the one behind it, which has the whole gap's reads and conflicts. This way the others share them evenly:
    # in the simulation of 64 shards and 3,000 buyers a second, a sixth of the throttled reads and a tenth of the buyers who give up.
    return sorted(range(count), key=lambda _: draw())


def ask(tried: Sequence[int], known: Collection[int]) -> list[int]:
    """The shards to read next: one, then three times as many as are known; [] once all are. What a read left out is asked for again."""
    # Not all the others at once: with many shards some are empty long before the item is sold out. If everybody who meets one of those read
    # all shards, the 3,000 reads a second of each partition would be used up while there is stock. The fourth read has the last of 64.
    return [shard for shard in tried if shard not in known][: max(1, 3 * len(known))]


def take(quantity: int, available: Mapping[int, int], tried: Sequence[int]) -> dict[int, int]:
    """Units to take from each shard: all from the first that has them, else from the fullest; {} if all together lack them.

    `available` may name only the shards read so far. Where one is below zero, the others owe it that much: their sum counts.
    """
    if quantity <= 0 or sum(available.values()) < quantity:
        return {}
    whole = next((shard for shard in tried if available.get(shard, 0) >= quantity), None)
    if whole is not None:
        return {whole: quantity}
    taken: dict[int, int] = {}
    left = quantity
    for shard in sorted(tried, key=lambda shard: -available.get(shard, 0)):  # each part is one more write, and one more to conflict
        part = min(left, available.get(shard, 0))
        if part > 0:
            taken[shard] = part
            left -= part
    return taken if left == 0 else {}


def spread(units: int, count: int) -> list[int]:
    """Units for each of `count` shards, as even as whole units can be, the earlier ones with one more. Adds up to `units`.

    Less than nothing stays on shard 0, where everything but sales is written. ValueError for a count that is not possible.
    """
    _check(count)
    if units < 0:
        return [units] + [0] * (count - 1)
    each, more = divmod(units, count)
    return [each + 1] * more + [each] * (count - more)


def level(available: Sequence[int], count: int | None = None) -> list[int]:
    """What to add to each shard (negative: take from it) so that the first `count` of them are even and the others empty. Adds up to 0.

    Without `count` the number of shards stays. No more units move than must, so shards that are even give zeros only.
    """
    count = len(available) if count is None else count
    shares = spread(sum(available), count)
    have = list(available) + [0] * (count - len(available))
    # The shares of one more go to the shards that have most. A debt is no share: spread has put it where it belongs.
    fullest = sorted(range(count), key=lambda shard: -have[shard]) if sum(have) > 0 else range(count)
    wanted = [0] * len(have)
    for shard, share in zip(fullest, shares, strict=True):
        wanted[shard] = share
    return [target - now for target, now in zip(wanted, have, strict=True)]


def transfers(available: Sequence[int]) -> list[tuple[int, int]]:
    """What to bring from shard 0 to each other shard (negative: back), in an order in which shard 0 has it; [] while it is not worth it.

    Worth it is a shard with less than half of its share: a sale that meets an empty one goes on to others, and moves get in its way.
    """
    if all(have >= share // 2 for have, share in zip(sorted(available, reverse=True), spread(sum(available), len(available)), strict=True)):
        return []
    return sorted([(shard, units) for shard, units in enumerate(level(available)) if shard and units], key=lambda each: each[1])


def _check(count: int) -> None:
    if not 1 <= count <= MOST:
        raise ValueError(f"{count} shards are not possible; use 1 to {MOST}")
