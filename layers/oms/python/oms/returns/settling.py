"""Settle a return: what has arrived is paid back, as store credit, or replaced. Money first, one credit memo for each kind of payout.

A round is what one commit settles. What it covers is noted on the return before any money is asked for: asked again, the answer is the
same, even if more has arrived by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from oms.ids import memo_of
from oms.money.units import Units, both, count, union
from oms.orders.order import Order, StockChange
from oms.payments.invoices import credit_memo_for
from oms.payments.records import CreditMemo, Invoice
from oms.returns.records import Receipt, Return, ReturnLine
from oms.returns.states import due_units, settle_status

KINDS = ("refund", "store_credit", "replace")
"""In the order in which they are settled."""


@dataclass(frozen=True)
class Round:
    """What is settled next: of which kind, which units of each line, and how many units were settled before it."""

    kind: str
    units: Mapping[str, Units]
    before: int


def next_round(ret: Return) -> Round | None:
    """The round under way, or the next one; None if nothing has arrived that is not settled. It is noted on the return."""
    rows = [line for line in ret.lines if line.settling > line.settled]
    if not rows:
        kind = next((kind for kind in KINDS if any(_waits(line, kind) for line in ret.lines)), None)
        rows = [line for line in ret.lines if kind and _waits(line, kind)]
        for line in rows:
            line.settling = line.received
    units: dict[str, list[list[int]]] = {}
    for line in rows:
        units[line.line_id] = union(units.get(line.line_id, []), due_units(line, line.settling))
    return Round(rows[0].resolution, units, sum(line.settled for line in ret.lines)) if rows else None


def credit(order: Order, ret: Return) -> CreditMemo | None:
    """The credit memo of the next round; None if there is none, or it is replaced. Its id is derived from how much was settled before."""
    round_ = next_round(ret)
    if round_ is None or round_.kind == "replace":
        return None
    memo = credit_memo_for(order, memo_of(ret.id, round_.before), ret.id, round_.units, ret.reduce_shipping)
    if round_.kind == "store_credit":
        memo.into = "store_credit"
    if not _may_cost(order, ret):
        return memo
    from oms.returns import charging  # noqa: PLC0415 few returns cost anything, and every cold start would pay for it

    return charging.with_given_back(order, ret, memo)


def charge(order: Order, ret: Return, memo: CreditMemo) -> Invoice | None:
    """The invoice of what the round costs its customer, never more than the memo gives back; None if it costs nothing."""
    if not _may_cost(order, ret):
        return None
    from oms.returns import charging  # noqa: PLC0415 as above

    return charging.invoice_of(order, ret, memo)


def settle(order: Order, ret: Return, memo: CreditMemo) -> None:
    """Credit, count and restock what the memo covers; the refund itself is on the tenders. What arrived meanwhile is settled next."""
    order.credit_memos[memo.id] = memo
    covered: dict[str, int] = {}
    for row in memo.lines:
        for line in _of_round(ret, row["line_id"], memo.into or "refund"):
            mine = count(both(due_units(line), row["units"]))
            line.settled = line.settling = line.settled + mine
            covered[line.line_id] = covered.get(line.line_id, 0) + mine
    for line_id, quantity in covered.items():
        order.summary.lines[line_id].returned += quantity
    restock(order, ret, covered)
    settle_status(ret)
    order.record("credit_memo.created", credit_memo_id=memo.id, return_id=ret.id, total_amount=memo.total_amount)
    order.record("return.settled", return_id=ret.id, lines=covered, into=memo.into)


def restock(order: Order, ret: Return, covered: Mapping[str, int]) -> None:
    """Put the goods of so many units per line where it was decided when they came, the boxes in the order in which they came. Of a box
    whose units are settled in several rounds, for they are refunded and replaced, so much of it as the round covers."""
    left, rows = dict(covered), list[Receipt]()
    for receipt in ret.receipts:
        part = min(receipt.quantity, left.get(receipt.line_id, 0)) if not receipt.settled else 0
        rest = receipt.quantity - part
        if not part:
            rows.append(receipt)
            continue
        left[receipt.line_id] -= part
        rows.append(receipt.model_copy(update={"quantity": part, "settled": True}))
        if rest:
            rows.append(receipt.model_copy(update={"quantity": rest}))
        if receipt.disposition == "restock":
            placed, _ = order.line(receipt.line_id)
            order.stock.append(StockChange(placed.sku, receipt.location_id, on_hand=part))
    ret.receipts = rows


def _waits(line: ReturnLine, kind: str) -> bool:
    return line.received > line.settled and line.resolution == kind


def _of_round(ret: Return, line_id: str, kind: str) -> Iterator[ReturnLine]:
    """Rows of a line that a round of this kind settles. An exchange pays for what would be refunded."""
    kinds = ("refund",) if kind == "exchange" else (kind,)
    yield from (line for line in ret.lines if line.line_id == line_id and line.resolution in kinds)


def _may_cost(order: Order, ret: Return) -> bool:
    """Whether there can be fees, or a promotion to be taken off."""
    by_rule = ret.fees is None and any(order.line(line.line_id)[0].return_rule for line in ret.lines)
    return bool(ret.fees or ret.reclaims or by_rule) or any(invoice.return_id for invoice in order.invoices.values())
