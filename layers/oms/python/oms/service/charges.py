"""The delivery charge of units that are cancelled: given back with them, carried by what still ships of their group, or paid all the same.

With `reduce_shipping` their shares go back; without it they move to the group's units that have not left, and if there are none they are
invoiced with the change (design section 5). When nobody says, they go back exactly where nothing of the group will have been shipped.
"""

from __future__ import annotations

from collections.abc import Sequence

from oms.money.rounding import spread
from oms.money.shares import Frozen, Share
from oms.money.units import Units, minus, union
from oms.orders.layers import Unit, each_unit, layers_of
from oms.orders.order import Order
from oms.orders.quantities import cancelled_units, kept
from oms.orders.records import PlacedGroup
from oms.orders.worth import delivery_worth, worth
from oms.payments.records import Change, ChangeFee
from oms.service.stages import gone_units


def settle_charge(order: Order, change: Change, line_id: str, units: Units) -> None:
    """See to the delivery charge of units that the change has just cancelled."""
    line, _ = order.line(line_id)
    group = order.group_of(line)
    if not _goes_back(order, change, group):
        _keep(order, change, group, each_unit(line_id, units))


def _goes_back(order: Order, change: Change, group: PlacedGroup) -> bool:
    if change.reduce_shipping is not None:
        return change.reduce_shipping
    return all(kept(state) == 0 for _, state in order.lines_of(group))


def _keep(order: Order, change: Change, group: PlacedGroup, dropped: Sequence[Unit]) -> None:
    shares = {unit: delivery_worth(order, unit[0], [[unit[1], unit[1]]]) for unit in dropped}
    whole = sum(shares.values(), Share(taxes=(0,) * len(group.taxes)))
    if not whole.total and not whole.tax:
        return
    staying = [unit for line, _ in order.lines_of(group) for unit in each_unit(line.id, _still_to_ship(order, line.id))]
    if staying:
        change.layers += layers_of(_laid_over(order, staying, whole), delivery=True)
    else:
        change.fees.append(_kept_charge(order, group, whole))
    change.layers += layers_of({unit: -share for unit, share in shares.items()}, delivery=True)


def _still_to_ship(order: Order, line_id: str) -> list[list[int]]:
    state = order.summary.lines[line_id]
    return minus([[1, state.ordered]], union(cancelled_units(state), gone_units(order, line_id)))


def _laid_over(order: Order, units: Sequence[Unit], whole: Share) -> dict[Unit, Share]:
    """By what the units cost, equally if they cost nothing; the amount and each tax by itself, as it was when the order was taken."""
    weights = [max(0, worth(order, line_id, [[number, number]]).price) for line_id, number in units]
    amounts = spread(_in_mode(order, whole), weights)
    taxes = [spread(tax, weights) for tax in whole.taxes]
    gross = order.placed.tax_mode == "gross"
    out: dict[Unit, Share] = {}
    for place, unit in enumerate(units):
        mine = tuple(split[place] for split in taxes)
        out[unit] = Share(price=amounts[place], taxes=mine, total=amounts[place] + (0 if gross else sum(mine)))
    return out


def _kept_charge(order: Order, group: PlacedGroup, whole: Share) -> ChangeFee:
    mode, amount = order.placed.tax_mode, _in_mode(order, whole)
    frozen = Frozen(quantity=1, mode=mode, price=amount, taxes=whole.taxes, total=whole.total)
    return ChangeFee(code="delivery", taxes=group.taxes, frozen=frozen, delivery_group=group.id)


def _in_mode(order: Order, share: Share) -> int:
    return share.total if order.placed.tax_mode == "gross" else share.net
