"""What a merchant sets: locations, channels, delivery methods."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, StringConstraints, field_validator, model_validator

from oms.stored import Stored
from oms.wire import Amount, Count, Key, Metadata, Name, Quantity, Text, Wire


class Capacity(Wire):
    """How many orders a location takes per window."""

    orders: Quantity
    window: Literal["day", "hour"]


class LocationSettings(Wire):
    """`PUT /v1/locations/{id}`."""

    name: Name
    type: Literal["warehouse", "store", "supplier"]
    address: dict[str, str] = {}
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    groups: list[Key] = Field([], max_length=100)
    priority: Count = 100
    capacity: Capacity | None = None
    processing_hours: Count = 24
    time_zone: Name = "UTC"
    attributes: Metadata = {}
    enabled: bool = True

    @model_validator(mode="before")
    @classmethod
    def _address_as_of_an_order(cls, given: Any) -> Any:
        """An address may be one that an order would carry: parts that are null are none, and it may hold the coordinates."""
        address = given.get("address") if isinstance(given, dict) else None
        if not isinstance(address, dict):
            return given
        inside = {name: address[name] for name in ("latitude", "longitude") if isinstance(address.get(name), int | float)}
        parts = {name: part for name, part in address.items() if part is not None and name not in inside}
        return {**given, **{name: at for name, at in inside.items() if given.get(name) is None}, "address": parts}

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        from zoneinfo import available_timezones  # noqa: PLC0415 only who puts a location needs it, and all pay for imports

        if zone != "UTC" and zone not in available_timezones():
            raise ValueError("not an IANA time zone, such as Europe/Berlin")
        return zone


Prefix = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[^\s#]*[^\s#0-9]$")]
"""What the numbers of a series begin with. It ends with no digit: two places of a series could come to the same number otherwise."""


class LegalEntity(Wire):
    """Who sells in a channel, as documents name it."""

    name: Name
    address: Annotated[dict[Key, Text], Field(max_length=20)] = {}
    vat_id: Name | None = None


class ChannelSettings(Wire):
    """`PUT /v1/channels/{id}`. A channel nobody has set sells from every enabled location (group `all`).

    `tender_order`: methods in the order in which they pay; others follow as listed. `on_unfillable`: what happens to units that no
    location can serve, or that were refused `most_attempts` times, or that have waited for `backorder_days`. `reauthorize`: whether a card
    is authorized once more when its authorization has run out, or the customer is asked. `recall_hours`: how long a location may take to
    say whether it could stop units; after that it could not. `remorse_delay_seconds`: for how long an order waits before it is allocated,
    so that its customer may still change their mind (at most 30 days). `tracking_link_days`: how long a tracking link is good, from
    placing on. `hold_difference`: an order that asks for it (`on_problem: hold`) is held, and not refused, when its payments and its total
    differ by less than this, in minor units of its currency; 0: never. `on_break`: whether a return that breaks a promotion over several
    lines keeps its goods' own shares, or the discount that the kept goods still have is taken off the refund.
    """

    location_group: Key = "all"
    tender_order: list[Key] = Field(["gift_card", "store_credit"], max_length=20)
    on_unfillable: Literal["exception", "cancel_and_refund"] = "exception"
    on_break: Literal["keep", "reclaim"] = "keep"
    reauthorize: Literal["automatic", "ask"] = "automatic"
    recall_hours: Annotated[int, Strict(), Field(ge=1, le=30 * 24)] = 24
    most_attempts: Annotated[int, Strict(), Field(ge=1, le=50)] = 10
    backorder_days: Annotated[int, Strict(), Field(ge=1, le=90)] = 90
    remorse_delay_seconds: Annotated[int, Strict(), Field(ge=0, le=30 * 24 * 60 * 60)] = 0
    tracking_link_days: Annotated[int, Strict(), Field(ge=1, le=730)] = 90
    hold_difference: Amount = 100
    invoice_prefix: Prefix = "INV-"
    credit_memo_prefix: Prefix = "CM-"
    legal_entity: LegalEntity | None = None


class MethodSettings(Wire):
    """`PUT /v1/methods/{id}`: who confirms delivery. A method nobody has set is confirmed by the carrier."""

    name: Text | None = None
    delivery_confirmation: Literal["carrier", "none"] = "carrier"
    assume_delivered_after_days: Annotated[int, Strict(), Field(ge=1, le=90)] = 7
    transit_days_min: Annotated[int, Strict(), Field(ge=0, le=90)] = 1
    transit_days_max: Annotated[int, Strict(), Field(ge=0, le=90)] = 5

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.transit_days_max < self.transit_days_min:
            raise ValueError("transit_days_max is less than transit_days_min")
        return self


Action = Literal["cancel", "return", "adjust", "reject", "claim", "refund", "reship", "hold", "edit", "exchange"]
"""What somebody gives a reason for."""


class ReasonSettings(Wire):
    """`PUT /v1/reasons/{kind}`: a reason, by its code. `actions`: what it may be given for; as soon as any reason names an action, only
    such reasons may be given for it. `self_service`: customers may give it too.

    `effect`: what a location's reason for not doing its work says about its stock of that SKU. "zero": there is none; "recount": nothing
    is sold from there until it is counted again; "none": it says nothing.
    """

    name: Text | None = None
    effect: Literal["none", "zero", "recount"] = "none"
    actions: Annotated[list[Action], Field(max_length=10)] = []
    self_service: bool = False


class Location(Stored):
    """A location as the rules use it."""

    id: str
    type: str = "warehouse"
    address: dict[str, str] = {}
    latitude: float | None = None
    longitude: float | None = None
    groups: list[str] = []
    priority: int = 100
    capacity: Capacity | None = None
    processing_hours: int = 24
    time_zone: str = "UTC"
    attributes: dict[str, Any] = {}
    enabled: bool = True


class Settings(Stored):
    """All settings that steps read, in one picture."""

    locations: dict[str, Location] = {}
    channels: dict[str, ChannelSettings] = {}
    methods: dict[str, MethodSettings] = {}
    reasons: dict[str, ReasonSettings] = {}
    # Of oms.routing.rules, which is imported only where a merchant has set some: it weighs a tenth of boto3.
    rule_groups: dict[str, Any] = {}
    cost_tables: dict[str, Any] = {}
    postal_areas: dict[str, Any] = {}
    # Of oms.returns.rules and oms.service.limits, likewise: few shops have any.
    return_rules: dict[str, Any] = {}
    roles: dict[str, Any] = {}

    def channel(self, channel_id: str) -> ChannelSettings:
        """A channel's rules."""
        return self.channels.get(channel_id, ChannelSettings())

    def in_group(self, group: str) -> dict[str, Location]:
        """The enabled locations of a group; every one is in `all`."""
        enabled = [location for location in self.locations.values() if location.enabled]
        return {location.id: location for location in enabled if group == "all" or group in location.groups}

    def sells_from(self, channel: str) -> dict[str, Location]:
        """The enabled locations that a channel sells from."""
        return self.in_group(self.channel(channel).location_group)

    def method(self, method_id: str) -> MethodSettings:
        """A delivery method's rules."""
        return self.methods.get(method_id, MethodSettings())


_MODELS: dict[str, type[Wire]] = {
    "locations": LocationSettings,
    "channels": ChannelSettings,
    "methods": MethodSettings,
    "reasons": ReasonSettings,
}
_RULES = {"rule-groups": "RuleGroup", "cost-tables": "CostTable", "postal-areas": "PostalArea"}
VERSIONED = ("return-rules",)
"""Kinds that are copied to orders: each put is a new version."""
KINDS = (*_MODELS, *_RULES, *VERSIONED, "roles")
"""The kinds of settings, by the names that routes and keys have for them."""
SINGLE = ("accounts",)
"""Kinds of which there may be very many: they are no part of the picture, whoever needs one reads it."""


def model_of(kind: str, *, stored: bool = False) -> type[Wire]:
    """The shape of a kind's settings; of one that has versions also as it is `stored`, with its number."""
    if kind in _MODELS:
        return _MODELS[kind]
    if kind in VERSIONED:
        from oms.returns.rules import ReturnRule, VersionedRule  # noqa: PLC0415 see Settings

        return VersionedRule if stored else ReturnRule
    if kind == "roles":
        from oms.service.limits import RoleSettings  # noqa: PLC0415 see Settings

        return RoleSettings
    if kind in SINGLE:
        from oms.payments.account_settings import AccountSettings  # noqa: PLC0415 few orders are of a business customer

        return AccountSettings
    from oms.routing import rules  # noqa: PLC0415 see Settings

    model: type[Wire] = getattr(rules, _RULES[kind])
    return model


def picture(rows: dict[str, dict[str, dict[str, Any]]]) -> Settings:
    """Settings from stored rows, {kind: {id: values}}; values that a newer version wrote are left alone."""

    def read(kind: str) -> dict[str, Any]:
        stored = rows.get(kind, {})
        model = model_of(kind, stored=True) if stored else Wire
        return {key: model(**{name: row[name] for name in model.model_fields if name in row}) for key, row in stored.items()}

    return Settings(
        locations={
            key: Location(id=key, **{name: row[name] for name in Location.model_fields if name in row})
            for key, row in rows.get("locations", {}).items()
        },
        channels=read("channels"),
        methods=read("methods"),
        reasons=read("reasons"),
        rule_groups=read("rule-groups"),
        cost_tables=read("cost-tables"),
        postal_areas=read("postal-areas"),
        return_rules=read("return-rules"),
        roles=read("roles"),
    )
