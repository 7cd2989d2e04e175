"""Random orders, as a channel might send them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support.orders import a_group, a_line, a_tax, an_order, paid

SKUS = ("A", "B", "C")
RATES = ("0", "5", "7.5", "19", "20")


@st.composite
def bodies(draw: st.DrawFn, backorder: bool = False, most: int = 5) -> dict[str, Any]:
    """One to four lines in one or two delivery groups, with adjustments, taxes, charges, fees and one or two cards."""
    groups = [f"g{i}" for i in range(1, draw(st.integers(1, 2)) + 1)]
    lines = [
        _line(draw, str(i + 1), group, backorder, most)
        for i, group in enumerate([*groups, *draw(st.lists(st.sampled_from(groups), max_size=2))])
    ]
    goods = sum(line["unit_price"] * line["quantity"] + sum(each["amount"] for each in line["adjustments"]) for line in lines)
    fees = [
        {"code": f"fee-{i}", "amount": amount, "taxes": _taxes(draw)}
        for i, amount in enumerate(draw(st.lists(st.integers(0, 500), max_size=2)))
    ]
    body = an_order(
        *lines,
        tax_mode=draw(st.sampled_from(["net", "gross"])),
        tax_rounding=draw(st.sampled_from(["line", "unit"])),
        delivery_groups=[_group(draw, group) for group in groups],
        adjustments=[{"amount": -draw(st.integers(0, goods))}] if draw(st.booleans()) else [],
        fees=fees,
        payments=[],
    )
    return paid(body, *["tok_approve"] * draw(st.integers(1, 2)))


def _line(draw: st.DrawFn, line_id: str, group: str, backorder: bool, most: int) -> dict[str, Any]:
    quantity, unit_price = draw(st.integers(1, most)), draw(st.one_of(st.integers(0, 5), st.integers(0, 20_000)))
    own = draw(st.integers(-quantity * unit_price, 100)) if draw(st.booleans()) else 0
    more = {"delivery_group": group, "taxes": _taxes(draw), "adjustments": [{"amount": own}]}
    if backorder:
        more["backorder"] = draw(st.sampled_from(["allow", "refuse"]))
    return a_line(line_id, draw(st.sampled_from(SKUS)), quantity, unit_price, **more)


def _group(draw: st.DrawFn, group_id: str) -> dict[str, Any]:
    charge = draw(st.none() | st.integers(0, 1_000))
    group = a_group(group_id, charge)
    if charge is not None:
        group["charge"] |= {"taxes": _taxes(draw), "adjustments": [{"amount": -draw(st.integers(0, charge))}]}
    return group


def _taxes(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [a_tax(rate) for rate in draw(st.lists(st.sampled_from(RATES), max_size=2))]
