"""Return rules as data: which rule a line is sold under, what it says about a return, and what the return costs its customer.

A merchant puts rules, and each put is a new version. The rule that applies to a line is chosen when the order is placed, and copied onto
the line: a later version changes nothing for what has been sold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from oms.clock import later
from oms.errors import Fault
from oms.money.rounding import percent
from oms.money.shares import TaxMode, freeze
from oms.money.units import Units, count, lowest, minus, union
from oms.orders.records import PlacedFee, PlacedLine, PlacedTax
from oms.stored import Stored
from oms.wire import Amount, Count, Key, Name, Rate, Wire

if TYPE_CHECKING:
    from oms.orders.order import Order
    from oms.settings import Settings

Resolution = Literal["refund", "store_credit", "replace"]
RESOLUTIONS: list[Resolution] = ["refund", "store_credit", "replace"]


class FeeTax(Wire):
    """A tax on a fee, in percent."""

    name: Name
    rate: Rate


class ReturnFee(Wire):
    """What a return costs its customer: an amount for the whole return (in the order's tax mode, whole minor units of its currency), or
    percent of what the returned goods cost."""

    code: Key
    amount: Amount | None = None
    percent: Rate | None = None
    taxes: Annotated[list[FeeTax], Field(max_length=10)] = []

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.amount is None) == (self.percent is None):
            raise ValueError("a fee has an amount or a percent, one of them")
        return self


class AppliesTo(Wire):
    """What is sold under a rule; an empty list means: all."""

    channels: Annotated[list[Key], Field(max_length=500)] = []
    categories: Annotated[list[Name], Field(max_length=500)] = []
    skus: Annotated[list[Key], Field(max_length=500)] = []

    def covers(self, channel: str, category: str | None, sku: str) -> bool:
        """Whether a line of that channel, category and SKU is sold under it."""
        asked = ((self.channels, channel), (self.categories, category), (self.skus, sku))
        return all(not names or name in names for names, name in asked)


class ReturnRule(Wire):
    """`PUT /v1/return-rules/{id}`. `window_days`: how long after the delivery of its parcel a unit may be announced (None: for ever).
    `approval`: whether a return inside the rules needs nobody's approval. `label`: whether a label is bought for it once it is approved.
    `priority`: the lowest number decides, ties by id."""

    window_days: Annotated[int, Strict(), Field(ge=0, le=3650)] | None = None
    final_sale: bool = False
    fees: Annotated[list[ReturnFee], Field(max_length=10)] = []
    customer_pays_shipping: bool = False
    resolutions: Annotated[list[Resolution], Field(min_length=1, max_length=3)] = RESOLUTIONS
    approval: Literal["automatic", "manual"] = "manual"
    label: bool = False
    applies_to: AppliesTo = AppliesTo()
    priority: Count = 100


class VersionedRule(ReturnRule):
    """A rule as it is stored, with its number."""

    version: int = 0


class LineRule(Stored):
    """The rule that a line was sold under. A line without one may come back at any time, free of charge, as somebody approves."""

    id: str = ""
    version: int = 0
    window_days: int | None = None
    final_sale: bool = False
    fees: list[ReturnFee] = []
    customer_pays_shipping: bool = False
    resolutions: list[Resolution] = RESOLUTIONS
    approval: Literal["automatic", "manual"] = "manual"
    label: bool = False

    @property
    def named(self) -> str:
        """The rule, as people may look it up."""
        return f"return rule {self.id}, version {self.version}" if self.id else "by its product"

    def ends(self, delivered_at: str | None) -> str | None:
        """Until when a unit of a parcel may be announced; None: as long as it is not delivered, or for ever."""
        return None if delivered_at is None or self.window_days is None else later(delivered_at, days=self.window_days)


def rule_for(line: PlacedLine, channel: str, settings: Settings) -> dict[str, Any] | None:
    """The rule that a line is sold under now, as it is copied onto the line: only what differs from having none. None: there is none."""
    category = (line.product or {}).get("category")
    found = [(rule.priority, key) for key, rule in settings.return_rules.items() if rule.applies_to.covers(channel, category, line.sku)]
    if not found:
        return None
    _, key = min(found)
    return compact(key, settings.return_rules[key])


def compact(key: str, rule: VersionedRule) -> dict[str, Any]:
    """A rule as it is copied onto lines."""
    values = rule.model_dump(include=set(LineRule.model_fields), exclude_defaults=True)
    return LineRule(id=key, **values).model_dump(exclude_defaults=True)


def copy_rules(lines: Sequence[PlacedLine], channel: str, settings: Settings) -> None:
    """Copy onto each line the rule that it is sold under."""
    for line in lines:
        line.return_rule = rule_for(line, channel, settings)


def rule_of(line: PlacedLine) -> LineRule:
    """The rule that a line was sold under; what the product itself says of a final sale goes with it."""
    rule = LineRule.model_validate(line.return_rule or {})
    return rule.model_copy(update={"final_sale": True}) if (line.product or {}).get("final_sale") else rule


def check(
    rule: LineRule, line: PlacedLine, units: Units, delivered_at: str | None, now: str, resolution: str, pointer: str = ""
) -> list[Fault]:
    """What keeps these units, which came in one parcel, from being returned by the rules; each fault names the rule."""
    if rule.final_sale:
        return [Fault(f"{line.sku} was sold for good and cannot be returned ({rule.named})", pointer)]
    faults = []
    if resolution not in rule.resolutions:
        what = f"{resolution} is not offered for {line.sku}; offered: {', '.join(rule.resolutions)} ({rule.named})"
        faults.append(Fault(what, f"{pointer}/resolution"))
    end = rule.ends(delivered_at)
    if end is not None and end < now:
        faults.append(Fault(f"{count(units)} of {line.sku} could be returned until {end} ({rule.named})", pointer))
    return faults


def in_time(order: Order, line: PlacedLine, units: Units) -> list[list[int]]:
    """Those of the units whose time to be announced is not over."""
    rule = rule_of(line)
    ended = [there for there, delivered_at in _arrivals(order, line) if (end := rule.ends(delivered_at)) is not None and end < order.now]
    return minus(units, union(*ended))


def choose(order: Order, line: PlacedLine, free: Units, quantity: int) -> list[list[int]]:
    """The units that a return takes: the lowest whose time is not over, then the lowest of the others (design section 5)."""
    fresh = in_time(order, line, free)
    enough = min(quantity, count(fresh))
    first = lowest(fresh, enough)
    return union(first, lowest(minus(free, fresh), quantity - enough))


def against(order: Order, line: PlacedLine, units: Units, resolution: str, pointer: str) -> list[Fault]:
    """All that the line's rule has against a return of these units, parcel by parcel."""
    rule, faults = rule_of(line), []
    for there, delivered_at in _arrivals(order, line):
        inside = minus(units, minus(units, there))
        if inside:
            faults += check(rule, line, inside, delivered_at, order.now, resolution, pointer)
    return list(dict.fromkeys(faults))


def _arrivals(order: Order, line: PlacedLine) -> Iterator[tuple[Units, str | None]]:
    """Which units of a line came in one parcel, and when: of what was sent again it counts when the replacement came."""
    later: Units = []
    for parcel in sorted(order.shipments.values(), key=lambda parcel: not parcel.replaces):
        units = minus(parcel.brings(line.id), later) if parcel.delivered_at or not parcel.replaces else []
        if units:
            yield units, parcel.delivered_at
        later = union(later, units) if parcel.replaces else later


def fees_for(parts: Sequence[tuple[LineRule, int]], mode: TaxMode) -> list[PlacedFee]:
    """What a return costs its customer. `parts`: the rule of each line with what its returned goods cost, after discounts, in the order's
    tax mode. Percents are of the goods of their rule; of a fixed amount, the highest of each code is taken once for the whole return."""
    goods: dict[tuple[str, int], int] = {}
    rules: dict[tuple[str, int], LineRule] = {}
    for rule, amount in parts:
        key = (rule.id, rule.version)
        rules[key], goods[key] = rule, goods.get(key, 0) + amount
    fixed: dict[str, ReturnFee] = {}
    fees: list[PlacedFee] = []
    for key, rule in rules.items():
        for fee in rule.fees:
            if fee.percent is not None:
                fees.append(_fee(fee, percent(goods[key], Decimal(fee.percent)), mode))
            elif (fee.amount or 0) > (fixed[fee.code].amount or 0 if fee.code in fixed else -1):
                fixed[fee.code] = fee
    fees += [_fee(fee, fee.amount or 0, mode) for fee in fixed.values()]
    return [fee for fee in fees if fee.frozen.total]


def _fee(fee: ReturnFee, amount: int, mode: TaxMode) -> PlacedFee:
    rates = tuple(Decimal(tax.rate) for tax in fee.taxes)
    frozen = freeze(quantity=1, mode=mode, rounding="line", price=amount, rates=rates)
    return PlacedFee(code=fee.code, taxes=[PlacedTax(name=tax.name, rate=tax.rate) for tax in fee.taxes], frozen=frozen)
