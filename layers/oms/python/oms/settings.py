"""What a merchant sets: locations, channels, delivery methods."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, Strict, field_validator

from oms.stored import Stored
from oms.wire import Count, Key, Name, Quantity, Text, Wire


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
    enabled: bool = True

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone != "UTC" and zone not in available_timezones():
            raise ValueError("not an IANA time zone, such as Europe/Berlin")
        return zone


class ChannelSettings(Wire):
    """`PUT /v1/channels/{id}`. A channel nobody has set sells from every enabled location (group `all`)."""

    location_group: Key = "all"


class MethodSettings(Wire):
    """`PUT /v1/methods/{id}`: who confirms delivery. A method nobody has set is confirmed by the carrier."""

    name: Text | None = None
    delivery_confirmation: Literal["carrier", "none"] = "carrier"
    assume_delivered_after_days: Annotated[int, Strict(), Field(ge=1, le=90)] = 7


class Location(Stored):
    """A location as the rules use it."""

    id: str
    type: str = "warehouse"
    groups: list[str] = []
    priority: int = 100
    processing_hours: int = 24
    enabled: bool = True


class Settings(Stored):
    """All settings that steps read, in one picture."""

    locations: dict[str, Location] = {}
    channels: dict[str, ChannelSettings] = {}
    methods: dict[str, MethodSettings] = {}

    def sells_from(self, channel: str) -> dict[str, Location]:
        """The enabled locations that a channel sells from."""
        group = self.channels.get(channel, ChannelSettings()).location_group
        enabled = [location for location in self.locations.values() if location.enabled]
        return {location.id: location for location in enabled if group == "all" or group in location.groups}

    def method(self, method_id: str) -> MethodSettings:
        """A delivery method's rules."""
        return self.methods.get(method_id, MethodSettings())


KINDS: dict[str, type[Wire]] = {"locations": LocationSettings, "channels": ChannelSettings, "methods": MethodSettings}


def picture(rows: dict[str, dict[str, dict[str, Any]]]) -> Settings:
    """Settings from stored rows, {kind: {id: values}}; values that a newer version wrote are left alone."""
    return Settings(
        locations={
            key: Location(id=key, **{name: row[name] for name in Location.model_fields if name in row})
            for key, row in rows.get("locations", {}).items()
        },
        channels={key: ChannelSettings.model_validate(row) for key, row in rows.get("channels", {}).items()},
        methods={key: MethodSettings.model_validate(row) for key, row in rows.get("methods", {}).items()},
    )
