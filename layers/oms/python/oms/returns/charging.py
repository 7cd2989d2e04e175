"""What a return costs its customer: fees, the label, and promotions that it breaks. It is invoiced by itself and taken off the refund.

Everything is reckoned for all that has come back so far, and what was charged before is taken off: so several boxes cost exactly what one
would have cost. It never costs more than it gives back; what the first box could not bear, the next one does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from oms.ids import invoice_of_return
from oms.money.rounding import percent, ratio
from oms.money.shares import Share
from oms.money.units import Units, union
from oms.orders.order import Order
from oms.orders.records import PlacedTax
from oms.payments.invoices import fee_row
from oms.payments.records import CreditMemo, Invoice
from oms.returns import reclaiming, rules
from oms.returns.records import Return
from oms.service.fees import frozen_fee, goods_amount

LABEL = "return_shipping"
"""The fee for a label, where the customer pays for the way back."""


@dataclass(frozen=True)
class Cost:
    """One thing that a return costs: its code with the taxes on it, what it comes to so far; of a promotion which one, on which line."""

    code: str
    taxes: Sequence[PlacedTax]
    share: Share
    promotion_id: str = ""
    line_id: str = ""


def invoice_of(order: Order, ret: Return, memo: CreditMemo) -> Invoice | None:
    """The invoice of what is to be charged with a memo; None if nothing is."""
    left, rows = memo.total_amount, []
    for cost in _differences(order, ret, memo):
        share = _at_most(cost.share, left, order.placed.tax_mode == "gross") if cost.share.total > 0 else Share()
        if share.total:
            rows.append(_row(cost, share))
            left -= share.total
    if not rows:
        return None
    net, total = (sum(row[name] for row in rows) for name in ("net_amount", "total_amount"))
    return Invoice(
        id=invoice_of_return(ret.id, _number(memo)),
        return_id=ret.id,
        issued_at=order.now,
        supplied_at=order.now,
        fees=rows,
        net_amount=net,
        tax_amount=total - net,
        total_amount=total,
    )


def with_given_back(order: Order, ret: Return, memo: CreditMemo) -> CreditMemo:
    """The memo with what was charged too much before: a promotion was taken off for units that come back now."""
    rows = [_row(cost, -cost.share) for cost in _differences(order, ret, memo) if cost.share.total < 0]
    net, total = (sum(row[name] for row in rows) for name in ("net_amount", "total_amount"))
    sums = {"net_amount": memo.net_amount + net, "total_amount": memo.total_amount + total}
    return memo.model_copy(update={"fees": rows, **sums, "tax_amount": sums["total_amount"] - sums["net_amount"]})


def _differences(order: Order, ret: Return, memo: CreditMemo) -> list[Cost]:
    """What it costs with this memo, less what was charged before: more to charge, or (negative) to give back. Fees are of the return,
    promotions of the order."""
    before = _before(order, ret, memo)
    mine = [each for each in order.credit_memos.values() if each.return_id == ret.id and each.id != memo.id]
    fees = _fees(order, ret, _units([*mine, memo]))
    known = [(row, sign) for _, row, sign in before if row["code"] == reclaiming.CODE]
    promotions = [
        Cost(reclaiming.CODE, order.line(line_id)[0].taxes, share, promotion_id, line_id)
        for (promotion_id, line_id), share in reclaiming.due(order, ret, memo, {row["promotion_id"] for row, _ in known}).items()
    ]
    ours = [(row, sign) for return_id, row, sign in before if return_id == ret.id and row["code"] != reclaiming.CODE]
    return _less(promotions, _known(order, known)) + _less(fees, _known(order, ours))


def _before(order: Order, ret: Return, memo: CreditMemo) -> list[tuple[str, dict[str, Any], int]]:
    """What returns were charged before this round: the return, a row of its invoice (1), or of what its memo gave back of that (-1)."""
    this = invoice_of_return(ret.id, _number(memo))
    rows = [(each.return_id, row, 1) for each in order.invoices.values() if each.return_id and each.id != this for row in each.fees]
    return rows + [
        (each.return_id, row, -1) for each in order.credit_memos.values() if each.return_id and each.id != memo.id for row in each.fees
    ]


def _fees(order: Order, ret: Return, goods: Mapping[str, Units]) -> list[Cost]:
    """The fees of the rules, or those that an agent named, for these goods."""
    amounts = {line_id: goods_amount(order, line_id, units) for line_id, units in goods.items()}
    if ret.fees is not None:
        whole = sum(amounts.values())
        return [
            Cost(fee.code, fee.taxes, frozen_fee(order, percent(whole, Decimal(fee.percent)), fee.taxes) if fee.percent else fee.frozen)
            for fee in ret.fees
        ]
    ruled = [(rules.rule_of(order.line(line_id)[0]), amount) for line_id, amount in amounts.items()]
    costs = [Cost(fee.code, fee.taxes, fee.frozen) for fee in rules.fees_for(ruled, order.placed.tax_mode)]
    if any(rule.customer_pays_shipping for rule, _ in ruled):
        costs.append(Cost(LABEL, [], frozen_fee(order, sum(label.cost for label in ret.labels), [])))
    return costs


def _less(due: Iterable[Cost], before: Mapping[tuple[str, ...], Cost]) -> list[Cost]:
    """What is due, by what it is for, less what was charged for the same."""
    sums = {key: replace(cost, share=-cost.share) for key, cost in before.items()}
    for cost in due:
        key = _key(cost, _names(cost.taxes))
        sums[key] = replace(cost, share=sums[key].share + cost.share) if key in sums else cost
    return list(sums.values())


def _known(order: Order, rows: Iterable[tuple[Mapping[str, Any], int]]) -> dict[tuple[str, ...], Cost]:
    out: dict[tuple[str, ...], Cost] = {}
    gross = order.placed.tax_mode == "gross"
    for row, sign in rows:
        taxes = [PlacedTax.model_validate(tax) for tax in row["tax_names"]]
        amount = row["total_amount"] if gross else row["net_amount"]
        share = Share(price=amount, taxes=tuple(row["taxes"]), total=row["total_amount"]) * sign
        cost = Cost(row["code"], taxes, share, row.get("promotion_id", ""), row.get("line_id", ""))
        key = _key(cost, row["tax_names"])
        out[key] = replace(cost, share=out[key].share + share) if key in out else cost
    return out


def _key(cost: Cost, taxes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return cost.code, json.dumps(list(taxes), sort_keys=True), cost.promotion_id, cost.line_id


def _names(taxes: Sequence[PlacedTax]) -> list[dict[str, Any]]:
    return [tax.model_dump(exclude_none=True) for tax in taxes]


def _at_most(share: Share, most: int, gross: bool) -> Share:
    """The share, cut down to what is left, each tax by the same fraction."""
    if share.total <= most:
        return share
    taxes = tuple(ratio(tax, most, share.total) for tax in share.taxes)
    return Share(price=most if gross else most - sum(taxes), taxes=taxes, total=most)


def _row(cost: Cost, share: Share) -> dict[str, Any]:
    about = {"promotion_id": cost.promotion_id, "line_id": cost.line_id} if cost.promotion_id else {}
    return {**fee_row(cost.code, share, cost.taxes), **about}


def _units(memos: Iterable[CreditMemo]) -> dict[str, Units]:
    out: dict[str, Units] = {}
    for memo in memos:
        for row in memo.lines:
            out[row["line_id"]] = union(out.get(row["line_id"], []), row["units"])
    return out


def _number(memo: CreditMemo) -> int:
    """How many units were settled before, as the memo's id says."""
    return int(memo.id.rpartition("_")[2])
