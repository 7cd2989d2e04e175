"""Promotions that a return breaks: where the channel says so, the discount that the kept goods still have is taken off the refund.

Only promotions that were given for more than one line, or for the whole order, can break. Whether they do is known where the promotion
says what it requires (`requires_amount`: of goods, before the order's own adjustments); else giving back anything that it was given for
breaks it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from oms.money.rounding import ratio
from oms.money.shares import Share
from oms.money.units import Units, minus, union
from oms.orders.order import Order
from oms.orders.quantities import cancelled_units
from oms.orders.records import PlacedLine
from oms.payments.records import CreditMemo
from oms.returns.records import Return
from oms.service.fees import frozen_fee

CODE = "promotion_reclaim"


def due(order: Order, ret: Return, memo: CreditMemo, known: Collection[str]) -> dict[tuple[str, str], Share]:
    """What is reclaimed of each promotion on each line once the memo's units are back, in all. `known`: promotions of which something was
    reclaimed before; one that was broken before and is not among them stands, as somebody decided then."""
    before = _gone(each for each in order.credit_memos.values() if each.id != memo.id and each.return_id != ret.id)
    after = _gone([*(each for each in order.credit_memos.values() if each.id != memo.id), memo])
    out: dict[tuple[str, str], Share] = {}
    for promotion_id, requires in _promotions(order).items():
        reclaims = promotion_id in known or (ret.reclaims and not _broken(order, promotion_id, requires, before))
        if not reclaims or not _broken(order, promotion_id, requires, after):
            continue
        for line in order.every_line:
            amount = -_part(order, promotion_id, line, _kept(order, line, after))
            if amount > 0:
                out[promotion_id, line.id] = frozen_fee(order, amount, line.taxes)
    return out


def _promotions(order: Order) -> dict[str, int | None]:
    """The promotions that can break, with the amount of goods that they require."""
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for place, adjustment in _adjustments(order):
        if adjustment.get("promotion_id") and adjustment["amount"] < 0:
            rows.setdefault(adjustment["promotion_id"], []).append((place, adjustment))
    whole = {key: found for key, found in rows.items() if len({place for place, _ in found}) > 1 or found[0][0] == ""}
    return {key: next((each["requires_amount"] for _, each in found if each.get("requires_amount")), None) for key, found in whole.items()}


def _adjustments(order: Order) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from (("", adjustment) for adjustment in order.placed.adjustments)
    for line in order.every_line:
        yield from ((line.id, adjustment) for adjustment in line.adjustments)


def _broken(order: Order, promotion_id: str, requires: int | None, gone: Mapping[str, Units]) -> bool:
    lines = [line for line in order.every_line if _part(order, promotion_id, line, gone.get(line.id, []))]
    if not lines:
        return False
    if requires is None:
        return True
    kept = [line.frozen.units(_placed(line, _kept(order, line, gone))) for line in order.every_line]
    return sum(share.price + share.adjustment for share in kept) < requires


def _part(order: Order, promotion_id: str, line: PlacedLine, units: Units) -> int:
    """What of these units' discount is the promotion's, in the order's tax mode; negative."""
    share = line.frozen.units(_placed(line, units))
    of_order, of_line = order.placed.adjustments, line.adjustments
    return _fraction(share.order_adjustment, of_order, promotion_id) + _fraction(share.adjustment, of_line, promotion_id)


def _fraction(amount: int, adjustments: list[dict[str, Any]], promotion_id: str) -> int:
    whole = sum(each["amount"] for each in adjustments)
    mine = sum(each["amount"] for each in adjustments if each.get("promotion_id") == promotion_id)
    return ratio(amount if whole > 0 else -amount, mine, abs(whole)) if whole else 0


def _kept(order: Order, line: PlacedLine, gone: Mapping[str, Units]) -> list[list[int]]:
    state = order.summary.lines[line.id]
    return minus([[1, state.ordered]], union(cancelled_units(state), gone.get(line.id, [])))


def _placed(line: PlacedLine, units: Units) -> list[list[int]]:
    """Units that were there when the promotion was given."""
    return [[first, min(last, line.quantity)] for first, last in units if first <= line.quantity]


def _gone(memos: Iterable[CreditMemo]) -> dict[str, list[list[int]]]:
    """Units of each line that came back with these memos."""
    out: dict[str, list[list[int]]] = {}
    for memo in memos:
        for row in memo.lines if memo.return_id else ():
            out[row["line_id"]] = union(out.get(row["line_id"], []), row["units"])
    return out
