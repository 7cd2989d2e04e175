"""Whatever comes back in whichever boxes, in whichever order, as long as it comes: what is paid is exactly the frozen shares, less what one
box of it all would have cost."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oms.money.shares import Share
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.quantities import broken_laws
from oms.returns import returns
from oms.returns.records import Return
from oms.returns.rules import VersionedRule
from oms.settings import ChannelSettings
from tests.support.orders import a_line, an_order
from tests.unit.memory import World, receive


@st.composite
def lives(draw: st.DrawFn) -> dict[str, Any]:
    """An order of up to three lines under a rule with fees, and what comes back of it, unit by unit, in some order and in some boxes."""
    quantities = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    prices = [draw(st.integers(1, 3333)) for _ in quantities]
    goods = sum(price * quantity for price, quantity in zip(prices, quantities, strict=True))
    back = [draw(st.integers(0, quantity)) for quantity in quantities]
    if not any(back):
        back[0] = 1
    units = draw(st.permutations([str(place) for place, count in enumerate(back, 1) for _ in range(count)]))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(units) - 1)), max_size=4)))
    return {
        "lines": [
            a_line(str(place), "AB"[place % 2], quantity, price, draw(st.sampled_from(["20", "7.5"])))
            for place, (quantity, price) in enumerate(zip(quantities, prices, strict=True), 1)
        ],
        "off": -draw(st.integers(0, goods)),
        "promotion": draw(st.booleans()),
        "reclaim": draw(st.booleans()),
        "mode": draw(st.sampled_from(["gross", "net"])),
        "charge": draw(st.integers(0, 999)),
        "reduce_shipping": draw(st.booleans()),
        "percent": str(draw(st.integers(0, 40))),
        "fixed": draw(st.integers(0, 500)),
        "boxes": [list(units[a:b]) for a, b in zip([0, *cuts], [*cuts, len(units)], strict=True)],
    }


def play(life: dict[str, Any], boxes: list[list[str]], *, fees: bool) -> tuple[World, Order, Return]:
    world = World()
    charges = [{"code": "restocking", "percent": life["percent"]}, {"code": "handling", "amount": life["fixed"]}] if fees else []
    world.settings.return_rules["r"] = VersionedRule.model_validate({"version": 1, "approval": "automatic", "fees": charges})
    world.settings.channels["web"] = ChannelSettings(on_break="reclaim" if life["reclaim"] and fees else "keep")
    off = [{"amount": life["off"], **({"promotion_id": "p"} if life["promotion"] else {})}] if life["off"] else []
    order = world.delivered(an_order(*life["lines"], adjustments=off, tax_mode=life["mode"], charge=life["charge"], charge_rate="20"))
    coming = {line_id: sum(box.count(line_id) for box in boxes) for line_id in {each for box in boxes for each in box}}
    rows = [{"line_id": line_id, "quantity": quantity} for line_id, quantity in sorted(coming.items())]
    request = returns.ReturnRequest.model_validate({"lines": rows, "reduce_shipping": life["reduce_shipping"]})
    ret = returns.request_return(order, request, world.settings)
    for box in boxes:
        for line_id in sorted(set(box)):
            receive(order, world, ret, line_id, box.count(line_id))
        world.settle(order, ret)
        assert all(broken_laws(state) == [] for state in order.summary.lines.values())
        sums = statuses.buckets(order)
        assert 0 <= sums.refunded <= sums.captured
        assert sums.captured - sums.refunded == statuses.totals(order).grand_total
    assert ret.status == "settled"
    return world, order, ret


@given(life=lives())
def test_boxes_in_any_order_add_up_to_exactly_the_frozen_shares(life: dict[str, Any]) -> None:
    _, order, ret = play(life, life["boxes"], fees=False)
    shares = [Share()]
    for row in ret.lines:
        line, _ = order.line(row.line_id)
        shares.append(line.frozen.units(row.units))
        if life["reduce_shipping"] and line.delivery:
            shares.append(line.delivery.units(row.units))
    assert statuses.buckets(order).refunded == sum(share.total for share in shares)


@given(life=lives())
def test_boxes_in_any_order_cost_what_one_box_would(life: dict[str, Any]) -> None:
    _, several, _ = play(life, life["boxes"], fees=True)
    _, one, _ = play(life, [[each for box in life["boxes"] for each in box]], fees=True)
    assert statuses.buckets(several).refunded == statuses.buckets(one).refunded
    assert statuses.totals(several) == statuses.totals(one)


@st.composite
def mixtures(draw: st.DrawFn) -> tuple[int, int, dict[str, int], list[int]]:
    """Units of one line and what each costs; how many come back for which resolution; in boxes of how many."""
    quantity = draw(st.integers(1, 8))
    kinds = draw(st.permutations(["refund", "store_credit", "replace"]))
    cuts = sorted(draw(st.lists(st.integers(0, quantity), min_size=3, max_size=3)))
    wanted = {kind: units for kind, units in zip(kinds, [cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]], strict=True) if units}
    left, boxes = sum(wanted.values()), list[int]()
    while left:
        boxes.append(draw(st.integers(1, left)))
        left -= boxes[-1]
    return quantity, draw(st.integers(1, 3333)), wanted, boxes


@given(mixture=mixtures(), discount=st.integers(0, 50))
def test_one_line_in_any_mixture_of_resolutions_pays_sends_again_and_shelves_every_unit_once(
    mixture: tuple[int, int, dict[str, int], list[int]], discount: int
) -> None:
    quantity, price, wanted, boxes = mixture
    world = World({"A": {"berlin": 100}})
    order = world.delivered(an_order(a_line("1", "A", quantity, price, "20", own=-min(discount, price * quantity))))
    if not wanted:
        return
    lines = [{"line_id": "1", "quantity": units, "resolution": kind} for kind, units in wanted.items()]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate({"lines": lines}), world.settings)
    returns.approve(order, ret)
    came = 0
    for box in boxes:
        receive(order, world, ret, "1", box)
        world.settle(order, ret)
        came += box
        state = order.summary.lines["1"]
        assert broken_laws(state) == []
        assert (state.returned + state.reshipped, world.row("A").on_hand) == (came, 100 - quantity + came)
        sums = statuses.buckets(order)
        assert sums.captured - sums.refunded == statuses.totals(order).grand_total
    back = {kind: sum(row.settled for row in ret.lines if row.resolution == kind) for kind in wanted}
    assert (back, ret.status, order.summary.lines["1"].reshipped) == (wanted, "settled", wanted.get("replace", 0))
    paid = [row.units for row in ret.lines if row.resolution != "replace"]
    frozen = order.line("1")[0].frozen
    assert statuses.buckets(order).refunded == sum(frozen.units(units).total for units in paid)
    assert all(receipt.settled for receipt in ret.receipts)
