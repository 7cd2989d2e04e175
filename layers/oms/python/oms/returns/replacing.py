"""Units that came back and are replaced: they do not count as returned, and the same units are sent once more, for nothing."""

from __future__ import annotations

from dataclasses import dataclass

from oms.errors import Conflict
from oms.fulfillment.replacements import place_replacements, replace_units
from oms.money.units import count, lowest, minus, union
from oms.orders.order import Order
from oms.returns.records import Return, ReturnLine
from oms.returns.settling import next_round, restock
from oms.returns.states import settle_status
from oms.routing.serving import StockRows
from oms.settings import Settings


@dataclass(eq=False)
class NoReplacement(Conflict):
    """No location can send the replacement: a process exception, whose remedies are stock, or a refund instead."""

    kind: str = "no-replacement"


def replace(order: Order, ret: Return, stock: StockRows, settings: Settings) -> None:
    """Settle the next round if it is one of replacements: the goods go where it was decided, and the work of sending them once more is
    handed out in the same commit. `stock`: the rows of the returned SKUs. NoReplacement where stock is short."""
    round_ = next_round(ret)
    if round_ is None or round_.kind != "replace":
        return
    covered = {line_id: count(units) for line_id, units in round_.units.items()}
    for line_id, units in round_.units.items():
        order.summary.lines[line_id].return_initiated -= count(units)
        reason = next(line.reason for line in ret.lines if line.line_id == line_id and line.resolution == "replace")
        replace_units(order, line_id, units, ret.id, reason or None)
    for line in ret.lines:
        line.settled = max(line.settled, line.settling)
    faults = place_replacements(order, stock, settings, cause_id=ret.id)
    if faults:
        raise NoReplacement("the replacement cannot be sent", errors=faults)
    restock(order, ret, covered)
    settle_status(ret)
    order.record("return.settled", return_id=ret.id, lines=covered, into="replacement")


def refund_instead(order: Order, ret: Return) -> None:
    """What was to be replaced and is not yet, is refunded."""
    turned = _to_replace(ret)
    for line in turned:
        if line.settled:
            ret.lines.append(_rest(line))
        else:
            line.resolution, line.settling = "refund", 0
    order.record("return.refunded_instead", return_id=ret.id, lines=sorted({line.line_id for line in turned}))


def units_to_replace(ret: Return) -> dict[str, list[list[int]]]:
    """Units that are to be replaced and are not yet, per line."""
    out: dict[str, list[list[int]]] = {}
    for line in _to_replace(ret):
        out[line.line_id] = union(out.get(line.line_id, []), minus(line.units, lowest(line.units, line.settled)))
    return out


def _to_replace(ret: Return) -> list[ReturnLine]:
    return [line for line in ret.lines if line.resolution == "replace" and line.settled < line.quantity - line.closed]


def _rest(line: ReturnLine) -> ReturnLine:
    """Take from a row what is not settled, as a row of its own that is refunded."""
    done = lowest(line.units, line.settled)
    rest = line.model_copy(
        update={
            "units": minus(line.units, done),
            "quantity": line.quantity - line.settled,
            "received": line.received - line.settled,
            "settling": 0,
            "settled": 0,
            "resolution": "refund",
        }
    )
    line.units, line.quantity, line.received, line.settling, line.closed = done, line.settled, line.settled, line.settled, 0
    return rest
