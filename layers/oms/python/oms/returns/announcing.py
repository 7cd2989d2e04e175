"""Announce a return: which units come back, by which rules, and what it will cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from oms.errors import Conflict, Fault, Forbidden, invalid
from oms.money.units import Units, count, lowest, minus, union
from oms.orders.order import Order
from oms.orders.records import PlacedLine
from oms.returns.lifecycle import approve
from oms.returns.records import Label, Override, Return, ReturnFee, ReturnLine
from oms.returns.requests import ReceivedLine, ReceiveRequest, ReturnLineRequest, ReturnRequest
from oms.returns.states import returnable
from oms.service.bundles import ratio, with_components
from oms.service.fee_requests import fees_of
from oms.service.reasons import check_reason
from oms.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """Units of one line that are to come back, the row of the request that asks for them, and where that is."""

    line_id: str
    quantity: int
    row: ReturnLineRequest
    at: str


def request_return(order: Order, request: ReturnRequest, settings: Settings, *, by: str = "", self_service: bool = False) -> Return:
    """Announce a return of delivered units (shipped ones, where nobody confirms delivery). It is approved at once where the rule of every
    line says so; with mode `immediate` the goods are here, and it is received too. `by`: who asks; `self_service`: a customer.

    Conflict if more than can come back, or the rules are against it and no agent overrides them; Invalid for a reason not in the
    catalogue, or an unknown location; Forbidden for a customer who overrides.
    """
    if self_service and request.override:
        raise Forbidden("only the shop may take a return that the rules are against; leave /override out")
    wanted = _wanted(order, request, settings, self_service=self_service)
    lines, against, at_once, label = _taken(order, wanted, settings)
    if against and not request.override:
        hint = "" if self_service else "; an agent may take it all the same with override"
        raise Conflict(f"the return rules do not allow this{hint}", kind="not-returnable", errors=against)
    ret = Return(
        id=order.next_id("ret"),
        mode=request.mode,
        lines=lines,
        reduce_shipping=request.reduce_shipping,
        location_id=request.location_id,
        fees=None if request.fees is None else [ReturnFee(**fee.model_dump(include=_FEE)) for fee in fees_of(order, request.fees)],
        reclaims=settings.channel(order.placed.channel).on_break == "reclaim" and not request.waive_reclaim,
        requested_at=order.now,
    )
    if against and request.override:
        ret.override = Override(reason=request.override.reason, by=by, against=[fault.detail for fault in against])
    order.returns[ret.id] = ret
    for coming in lines:
        order.summary.lines[coming.line_id].return_initiated += coming.quantity
    if request.label or (label and request.mode == "rma"):
        ret.labels.append(new_label(order, "sandbox"))
    order.record(
        "return.requested",
        return_id=ret.id,
        mode=None if ret.mode == "rma" else ret.mode,
        lines=_summed(lines),
        overridden=ret.override.against if ret.override else None,
    )
    if request.mode == "immediate":
        _hand_over(order, ret, request, wanted, settings)
    elif at_once and not ret.override:
        approve(order, ret)
    return ret


_FEE = set(ReturnFee.model_fields)


def _summed(lines: list[ReturnLine]) -> dict[str, int]:
    """Units per line; a line may have several rows."""
    out: Counter[str] = Counter()
    for line in lines:
        out[line.line_id] += line.quantity
    return dict(out)


def new_label(order: Order, carrier: str) -> Label:
    """A label that is still to be bought, under a key of its own: one that was refused is never asked for again."""
    return Label(key=order.next_id("lbl"), carrier=carrier, requested_at=order.now)


def _wanted(order: Order, request: ReturnRequest, settings: Settings, *, self_service: bool) -> list[Wanted]:
    """What is asked for, the components of whole bundles included. A line may be named once for each resolution. Invalid for what makes no
    sense."""
    seen: set[tuple[str, str]] = set()
    faults: list[Fault] = []
    for index, row in enumerate(request.lines):
        if (row.line_id, row.resolution) in seen:
            faults.append(Fault("this line is named twice with this resolution; add the quantities up", f"/lines/{index}/line_id"))
        elif row.line_id not in order.summary.lines:
            faults.append(Fault(f"the order has no line '{row.line_id}'", f"/lines/{index}/line_id"))
        seen.add((row.line_id, row.resolution))
        faults += check_reason(settings, "return", row.reason, f"/lines/{index}/reason", self_service=self_service)
    if request.location_id and request.location_id not in settings.locations:
        faults.append(Fault(f"there is no location '{request.location_id}'", "/location_id"))
    if faults:
        raise invalid(*faults)
    named = [Wanted(row.line_id, row.quantity, row, f"/lines/{index}") for index, row in enumerate(request.lines)]
    units: Counter[str] = Counter()
    for each in named:
        units[each.line_id] += each.quantity
    at = {each.line_id: f"{each.at}/line_id" for each in named}
    together, faults = with_components(order, units, lambda line_id: at[line_id])
    if faults:
        raise Conflict("a bundle comes back as it was sold", kind="not-returnable", errors=faults)
    return named + [part for line_id in together if line_id not in units for part in _with_their_bundle(order, line_id, named)]


def _with_their_bundle(order: Order, line_id: str, named: list[Wanted]) -> list[Wanted]:
    """A component that comes back because its bundle does: with each row of the bundle as many as are in it."""
    part, _ = order.line(line_id)
    whole, _ = order.line(part.bundle_of or "")
    return [Wanted(line_id, each.quantity * ratio(whole, part), each.row, each.at) for each in named if each.line_id == whole.id]


def _taken(order: Order, wanted: list[Wanted], settings: Settings) -> tuple[list[ReturnLine], list[Fault], bool, bool]:
    """The rows of the return, the lowest units for the row that is named first; what the rules have against it, whether they approve it by
    themselves, and whether they give a label."""
    lines: list[ReturnLine] = []
    against: list[Fault] = []
    faults: list[Fault] = []
    taken: dict[str, Units] = {}
    automatic, label = True, False
    for each in wanted:
        line, _ = order.line(each.line_id)
        units = minus(returnable(order, line, settings), taken.get(line.id, []))
        if each.quantity > count(units):
            faults.append(Fault(f"{each.quantity} asked, {count(units)} can be returned", f"{each.at}/quantity"))
            continue
        row = each.row
        chosen, found, at_once, gives_label = _by_rule(order, line, units, each.quantity, row.resolution, each.at)
        against, automatic, label = against + found, automatic and at_once, label or gives_label
        taken[line.id] = union(taken.get(line.id, []), chosen)
        lines.append(ReturnLine(line_id=line.id, units=chosen, reason=row.reason, resolution=row.resolution, quantity=each.quantity))
    if faults:
        raise Conflict("more than can be returned", kind="not-returnable", errors=faults)
    return lines, against, automatic, label


def _by_rule(
    order: Order, line: PlacedLine, units: list[list[int]], quantity: int, resolution: str, pointer: str
) -> tuple[list[list[int]], list[Fault], bool, bool]:
    """The units that come back, what the line's rule has against it, whether it approves it by itself, whether a label goes with it."""
    if not line.return_rule and not (line.product or {}).get("final_sale"):
        return lowest(units, quantity), [], False, False
    from oms.returns import rules  # noqa: PLC0415 few shops have any, and every cold start would pay for it

    chosen, rule = rules.choose(order, line, units, quantity), rules.rule_of(line)
    return chosen, rules.against(order, line, chosen, resolution, pointer), rule.approval == "automatic", rule.label


def _hand_over(order: Order, ret: Return, request: ReturnRequest, wanted: list[Wanted], settings: Settings) -> None:
    """The goods are here: approved and received in the same breath, each row as it was found."""
    from oms.returns.receiving import receive  # noqa: PLC0415 most returns are announced first

    approve(order, ret)
    rows = [
        ReceivedLine(
            line_id=each.line_id, quantity=each.quantity, condition=each.row.condition or "resellable", disposition=each.row.disposition
        )
        for each in wanted
    ]
    receive(order, ret, ReceiveRequest(lines=rows, location_id=request.location_id), settings)
