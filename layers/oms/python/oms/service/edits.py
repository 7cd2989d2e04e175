"""Edits after the sale: more lines, other quantities, prices, addresses, methods; several in one change, with one preview.

A price edit never touches a reservation. More units are reserved at once and released by the order machine; fewer are cancelled like any
others. Work that is not shipped goes back to be routed anew when its address or method changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from oms.errors import Conflict, Fault, Refused, invalid
from oms.fulfillment.work import OPEN, hand_back, reopen
from oms.money.shares import Share, freeze
from oms.money.units import count, union
from oms.orders.layers import changed, each_unit, layers_of
from oms.orders.order import Order
from oms.orders.placing import Address, Charge, Line
from oms.orders.pricing import destination_of, price_line, rates_of
from oms.orders.quantities import add_units, kept
from oms.orders.records import LineState, PlacedTax
from oms.orders.reserve import reserve
from oms.orders.worth import delivery_worth
from oms.payments.records import Change, ChangeLine
from oms.routing.serving import StockRows
from oms.service import recalls
from oms.service.asking import Asked
from oms.service.bundles import is_whole, parts_of, ratio, whole_of
from oms.service.cancellations import cancel_line, set_deadline
from oms.service.changes import begin_change, go_on, measured
from oms.service.follow import follow_change
from oms.service.pointed import pointed
from oms.service.reasons import check_reason
from oms.service.stages import gone_units, stages
from oms.settings import Settings
from oms.wire import Amount, Count, Key, Text, Wire


class AddLine(Wire):
    """One more line, in a delivery group that the order has."""

    op: Literal["add_line"]
    line: Line


class SetQuantity(Wire):
    """So many units of a line, those that have left included."""

    op: Literal["set_quantity"]
    line_id: Key
    quantity: Count


class SetPrice(Wire):
    """What a unit costs, for the units that have not left; in the order's tax mode, before discounts."""

    op: Literal["set_price"]
    line_id: Key
    unit_price: Amount


class SetAddress(Wire):
    """Where a delivery group goes, as far as it has not left."""

    op: Literal["set_address"]
    delivery_group: Key
    address: Address


class SetMethod(Wire):
    """How a delivery group goes, as far as it has not left, and what its whole delivery costs then."""

    op: Literal["set_method"]
    delivery_group: Key
    method: Key
    charge: Charge | None = None


Operation = Annotated[AddLine | SetQuantity | SetPrice | SetAddress | SetMethod, Field(discriminator="op")]


class EditRequest(Asked):
    """`POST /v1/orders/{id}/edits`: all of the operations, or none."""

    operations: list[Operation] = Field(min_length=1, max_length=40)
    reason: Text | None = None


def edit(order: Order, request: EditRequest, stock: Callable[[set[str]], StockRows], settings: Settings, actor: str) -> Change:
    """Do all the operations, one after the other. Conflict where one is not possible (any more), Invalid where it names what the order has
    not, or gives a reason that is not in the catalogue; then nothing is changed. `stock`: reads the stock of SKUs."""
    faults = check_reason(settings, "edit", request.reason, "/reason")
    if faults:
        raise invalid(*faults)
    change = begin_change(order, "edit", actor, reason=request.reason)
    more: dict[str, str] = {}
    with measured(order, change):
        for index, operation in enumerate(request.operations):
            at = f"/operations/{index}" + ("/line" if isinstance(operation, AddLine) else "")
            more |= dict.fromkeys(_do(order, change, operation, at), at)
    if more:
        places = {f"/lines/{place}": more[line.id] for place, line in enumerate(order.every_line) if line.id in more}
        with pointed(places):
            reserve(order, stock({order.line(line_id)[0].sku for line_id in more}), settings, only=more)
    reopen(order)
    if change.asks:
        set_deadline(order, change, settings)
        go_on(order, change)
    else:
        recalls.decide(order, change)
    follow_change(order)
    return change


def _do(order: Order, change: Change, operation: Operation, at: str) -> set[str]:
    """One operation; returns the lines that have units to reserve."""
    if isinstance(operation, AddLine):
        return _add_line(order, change, operation.line, at)
    if isinstance(operation, SetQuantity):
        return _set_quantity(order, change, operation, at)
    if isinstance(operation, SetPrice):
        _set_price(order, change, operation, at)
    elif isinstance(operation, SetAddress):
        _set_address(order, change, operation, at)
    else:
        _set_method(order, change, operation, at)
    return set()


def _add_line(order: Order, change: Change, line: Line, at: str) -> set[str]:
    if order.placed.chunks:
        raise Refused("a large order takes no more lines; place another order", kind="too-large", status=422)
    faults = []
    if line.id in order.summary.lines:
        faults.append(Fault(f"the order has a line '{line.id}' already; use another id, or set its quantity", f"{at}/id"))
    if line.delivery_group not in {group.id for group in order.groups}:
        faults.append(Fault(f"the order has no delivery group '{line.delivery_group}'", f"{at}/delivery_group"))
    if line.bundle_of is not None and line.bundle_of not in order.summary.lines:
        faults.append(Fault(f"the order has no line '{line.bundle_of}'", f"{at}/bundle_of"))
    if sum(adjustment.amount for adjustment in line.adjustments) + line.unit_price * line.quantity < 0:
        faults.append(Fault("adjustments take more than the line is worth", f"{at}/adjustments"))
    if faults:
        raise invalid(*faults)
    change.added.append(price_line(line, order.placed.tax_mode, order.placed.tax_rounding))
    order.summary.lines[line.id] = LineState(ordered=line.quantity)
    change.lines.append(ChangeLine(line_id=line.id, units=[[1, line.quantity]], added=True))
    order.record("order.line_added", line_id=line.id, sku=line.sku, quantity=line.quantity)
    return {line.id}


def _set_quantity(order: Order, change: Change, operation: SetQuantity, at: str) -> set[str]:
    _known_line(order, operation.line_id, f"{at}/line_id")
    line, _ = order.line(operation.line_id)
    whole = whole_of(order, line)
    if whole:
        fault = Fault(f"it is sold as a part of line '{whole.id}' only; set the quantity of that", f"{at}/line_id")
        raise Conflict("a part of a bundle", kind="not-editable", errors=[fault])
    parts = parts_of(order, line) if is_whole(line) else []
    wanted = {line.id: operation.quantity, **{part.id: operation.quantity * ratio(line, part) for part in parts}}
    return set().union(*(_set_units(order, change, line_id, units, at) for line_id, units in wanted.items()))


def _set_units(order: Order, change: Change, line_id: str, quantity: int, at: str) -> set[str]:
    line, state = order.line(line_id)
    more = quantity - kept(state)
    if more < 0:
        cancel_line(order, change, line.id, -more, change.reason, f"{at}/quantity")
    if more <= 0:
        return set()
    units = add_units(state, more)
    frozen = freeze(
        quantity=more,
        mode=order.placed.tax_mode,
        rounding=order.placed.tax_rounding,
        price=unit_price(order, line.id) * more,
        rates=rates_of(line.taxes),
    )
    first = units[0][0]
    shares: dict[tuple[str, int], Share] = {(line.id, first + place): frozen.unit(place + 1) for place in range(more)}
    change.layers += layers_of(shares)
    change.lines.append(ChangeLine(line_id=line.id, units=units, added=True))
    order.record("order.units_added", line_id=line.id, quantity=more, units=units)
    return {line.id}


def _set_price(order: Order, change: Change, operation: SetPrice, at: str) -> None:
    _known_line(order, operation.line_id, f"{at}/line_id")
    there = stages(order, operation.line_id)
    units = union(there.before, there.within)
    if not units:
        raise Conflict("no unit of it is left to ship", kind="not-editable", errors=[Fault("every unit has left", f"{at}/line_id")])
    amount = (operation.unit_price - unit_price(order, operation.line_id)) * count(units)
    change.prices[operation.line_id] = operation.unit_price
    if amount:
        basis: Literal["with_tax", "without_tax"] = "with_tax" if order.placed.tax_mode == "gross" else "without_tax"
        try:
            change.layers += layers_of(changed(order, each_unit(operation.line_id, units), amount, basis))
        except ValueError as error:
            raise invalid(Fault(f"with its discounts it would be worth less than nothing: {error}", f"{at}/unit_price")) from None
    change.lines.append(ChangeLine(line_id=operation.line_id, units=units))
    order.record("order.price_changed", line_id=operation.line_id, unit_price=operation.unit_price, quantity=count(units))


def unit_price(order: Order, line_id: str) -> int:
    """What a unit of a line costs by the last edit of its price, before discounts."""
    line, _ = order.line(line_id)
    edits = [change for change in order.changes.values() if line_id in change.prices]
    latest = max(edits, key=lambda change: (change.requested_at, int(change.id.rpartition("_")[2])), default=None)
    return latest.prices[line_id] if latest else line.unit_price


def _set_address(order: Order, change: Change, operation: SetAddress, at: str) -> None:
    group = _open_group(order, operation.delivery_group, f"{at}/delivery_group")
    if order.personal is None or group not in order.personal.groups:
        raise Conflict("the order's personal data was erased; its addresses cannot be changed", kind="erased")
    address = operation.address.model_dump(exclude_none=True)
    order.personal.groups = {**order.personal.groups, group: {**order.personal.groups[group], "address": address}}
    change.groups.append(order.group(group).model_copy(update={"destination": destination_of(operation.address)}))
    _route_anew(order, group, "the address has changed")
    order.record("order.address_changed", delivery_group=group)


def _set_method(order: Order, change: Change, operation: SetMethod, at: str) -> None:
    group_id = _open_group(order, operation.delivery_group, f"{at}/delivery_group")
    group = order.group(group_id)
    # A charge keeps its taxes, which documents name already; where there was none, it brings them.
    taxes = group.taxes
    if operation.charge and not group.frozen and not taxes:
        taxes = [_placed_tax(tax) for tax in operation.charge.taxes]
    change.groups.append(group.model_copy(update={"method": operation.method, "taxes": taxes}))
    if operation.charge:
        _set_charge(order, change, group_id, operation.charge, at)
    _route_anew(order, group_id, "the delivery method has changed")
    order.record("order.method_changed", delivery_group=group_id, method=operation.method)


def _set_charge(order: Order, change: Change, group_id: str, charge: Charge, at: str) -> None:
    """The whole group's delivery costs so much from now on: the difference falls on what has not left."""
    lines = [line.id for line, _ in order.lines_of(order.group(group_id))]
    left = [unit for line_id in lines for unit in each_unit(line_id, _unshipped(order, line_id))]
    gone = [unit for line_id in lines for unit in each_unit(line_id, gone_units(order, line_id))]
    gross = order.placed.tax_mode == "gross"
    shares = [delivery_worth(order, line_id, [[number, number]]) for line_id, number in (*left, *gone)]
    now = sum(share.total if gross else share.net for share in shares)
    wanted = charge.amount + sum(adjustment.amount for adjustment in charge.adjustments)
    try:
        shares_ = changed(order, left, wanted - now, "with_tax" if gross else "without_tax", delivery=True)
    except ValueError:
        raise Conflict(
            "more of the charge has left with its parcels than it is to be",
            kind="not-editable",
            errors=[Fault(f"{now} is charged, and parcels that have left carry a part of it", f"{at}/charge/amount")],
        ) from None
    change.layers += layers_of(shares_, delivery=True)


def _unshipped(order: Order, line_id: str) -> list[list[int]]:
    there = stages(order, line_id)
    return union(there.before, there.within)


def _route_anew(order: Order, group_id: str, why: str) -> None:
    for fo in list(order.fulfillment_orders.values()):
        if fo.delivery_group == group_id and fo.status in (*OPEN, "on_hold"):
            hand_back(order, fo, why)


def _open_group(order: Order, group_id: str, at: str) -> str:
    if group_id not in {group.id for group in order.groups}:
        raise invalid(Fault(f"the order has no delivery group '{group_id}'", at))
    again = any(
        fo.replaces and fo.delivery_group == group_id and fo.status in (*OPEN, "on_hold") for fo in order.fulfillment_orders.values()
    )
    if not again and not any(_unshipped(order, line.id) for line, _ in order.lines_of(order.group(group_id))):
        raise Conflict("everything of this delivery group has left", kind="not-editable", errors=[Fault("nothing is left to ship", at)])
    return group_id


def _known_line(order: Order, line_id: str, at: str) -> None:
    if line_id not in order.summary.lines:
        raise invalid(Fault(f"the order has no line '{line_id}'", at))


def _placed_tax(tax: object) -> PlacedTax:
    return PlacedTax.model_validate(tax, from_attributes=True)
