"""Counting: what a count as of some moment makes of the figures now, and the movements that tell how on_hand came about.

Law: on_hand = the last count + every movement after its `effective_at`. A count of 02:00 that is loaded at 02:30 therefore does not
bring back what was shipped in between.
"""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from collections.abc import Iterable

from oms.errors import Conflict
from oms.inventory.stock import Stock
from oms.stored import Stored

COUNT = "count"


class Movement(Stored):
    """One change of on_hand. `cause` names the document, once; a count also carries what was counted (`on_hand`)."""

    sku: str
    location_id: str
    at: str
    kind: str
    delta: int
    cause: str
    actor: str = ""
    on_hand: int | None = None


def on_hand_now(stock: Stock, counted: int, effective_at: str, movements: Iterable[Movement]) -> int:
    """What is on hand now if `counted` were there at `effective_at`. Conflict for a count that a newer one has overtaken, or that
    cannot be, because more has left since."""
    if stock.effective_at > effective_at:
        raise Conflict(
            f"{stock.sku} at {stock.location_id} was counted at {stock.effective_at}; a count of {effective_at} is older",
            kind="older-count",
        )
    since = sum(move.delta for move in movements if move.kind != COUNT and move.at > effective_at)
    if counted + since < 0:
        raise Conflict(
            f"{counted} of {stock.sku} counted at {stock.location_id} at {effective_at} cannot be: {-since} have left since",
            kind="impossible-count",
        )
    return counted + since


def difference_now(stock: Stock, delta: int, at: str) -> int:
    """What a difference of `at` changes now: nothing if it is in the last count already. Conflict if less than nothing would be left."""
    effect = delta if at > stock.effective_at else 0
    if stock.on_hand + effect < 0:
        raise Conflict(f"{stock.sku} at {stock.location_id} has {stock.on_hand}; {delta} would leave less than nothing")
    return effect
