"""Work leaves a location by hand: one fulfillment order, or all that is open there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from oms.clock import stamp
from oms.errors import NotFound, Refused, Retryable
from oms.flows.capacity import capacity_ahead, capacity_left
from oms.flows.idempotency import Request
from oms.fulfillment.reroute import reroute
from oms.orders.order import Order
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.inventory import record_note, stock_of
from oms.storage.lists import listed
from oms.storage.orders import Cause, load, update
from oms.storage.settings import settings
from oms.storage.table import Cancelled, Write, write

_PAGE = 25
_MOST_NAMED = 100
_RESERVE = 30
"""Seconds that stockkeeper keeps for the order it is at and for saying where to go on."""
_KEPT = ("reason", "rerouted", "remaining")


def reroute_work(order: Order, fulfillment_order_id: str, to: str | None = None, reason: str = "") -> None:
    """Re-route what is open of a fulfillment order, by what stock and capacity are now."""
    fo = order.fulfillment_order(fulfillment_order_id)
    stock, picture = stock_of({order.line(line_id)[0].sku for line_id in fo.lines}), settings()
    reroute(order, fo, stock, picture, capacity_left(picture, stock, order.now), capacity_ahead, to=to, reason=reason)


def drain(
    location_id: str, reason: str, actor: str, more: Callable[[int], bool], *, after: str = "", asked: Request | None = None
) -> dict[str, Any]:
    """Re-route the open work of a location, oldest ship-by first, while there is time for `more` (given how many were looked at); the rest
    follows by itself.

    What no other location can serve stays, with the reason. Doing it again finds only what is left. NotFound for an unknown location.
    """
    if location_id not in settings().locations:
        raise NotFound(f"there is no location '{location_id}'")
    moved, remaining, finished = 0, list[dict[str, str]](), False
    for row in _open_work(location_id, after):
        if not more(moved + len(remaining)):
            break
        fo_id = row["sk"].removeprefix("state#fo#")
        gone, why = _move(row["pk"], fo_id, reason, actor)
        after, moved = row["at"], moved + gone
        remaining += [{"fulfillment_order_id": fo_id, "reason": why}] if why else []
    else:
        finished = True
    told = {"location_id": location_id, "reason": reason, "rerouted": moved, "remaining": len(remaining)}
    _tell(told if finished else {**told, "after": after}, actor, asked)
    return {**told, "remaining": remaining[:_MOST_NAMED], "more_remaining": max(0, len(remaining) - _MOST_NAMED), "finished": finished}


def drained_before(location_id: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """What a drain of the same Idempotency-Key did; what remains is not named again."""
    told = {"location_id": location_id, "reason": known["reason"], "rerouted": known["rerouted"], "remaining": []}
    return {**told, "more_remaining": known["remaining"], "finished": known["finished"]}


def continue_drain(data: Mapping[str, Any], seconds_left: Callable[[], float]) -> None:
    """Go on where a drain had to stop."""
    drain(data["location_id"], data["reason"], "stockkeeper", lambda _: seconds_left() > _RESERVE, after=data["after"])


def reroute_short(data: Mapping[str, Any], _: Any) -> None:
    """An exception of short stock was resolved by re-routing: the named orders' work with that SKU leaves the location.

    What nobody else can serve stays there, to be picked short; orders whose work has gone already are left alone.
    """
    for row in data.get("details", ()):
        for order_id in [named["order_id"] for named in row["orders"] if "order_id" in named]:
            order = load(order_id)
            skus = {line.id: line.sku for line in order.every_line}
            for fo in list(order.fulfillment_orders.values()):
                if fo.location_id == row["location_id"] and any(skus[key] == row["sku"] and line.open for key, line in fo.lines.items()):
                    _move(order_id, fo.id, f"{row['sku']} is short", "stockkeeper")


def _open_work(location_id: str, after: str) -> Iterator[dict[str, Any]]:
    while page := listed(f"location#{location_id}", newest_first=False, limit=_PAGE, after=after):
        yield from page
        after = page[-1]["at"]


def _move(order_id: str, fulfillment_order_id: str, reason: str, actor: str) -> tuple[bool, str]:
    """Whether it went, or why it stays; neither if it had gone already."""
    gone = [False]

    def move(order: Order) -> None:
        gone[0] = any(line.open for line in order.fulfillment_order(fulfillment_order_id).lines.values())
        if gone[0]:
            reroute_work(order, fulfillment_order_id, reason=reason)

    try:
        update(order_id, move, Cause(actor, "drain"))
    except Refused as error:
        return False, str(error)
    except Retryable as error:
        return False, f"{error}; drain again"
    return gone[0], ""


def _tell(told: dict[str, Any], actor: str, asked: Request | None) -> None:
    """Say what was done; when something is left, this is also what makes it go on. With it the key of who asked."""
    at, finished = stamp(), "after" not in told
    fact = "location.drained" if finished else "location.drain"
    writes = [record_note(f"loc_{told['location_id']}", at, "drain", actor, [(fact, told)])]
    key = asked.record(status=202, finished=finished, **{name: told[name] for name in _KEPT}) if asked else None
    writes += [Write(environment().orders_table, encode(key), "attribute_not_exists(pk)")] if key else []
    try:
        write(writes)
    except Cancelled:
        # The same request at the same moment: it has told, and what it left goes on.
        return
