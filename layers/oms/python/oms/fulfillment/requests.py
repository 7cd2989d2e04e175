"""What locations send: packages, what is short, rejections; and which action takes which."""

from __future__ import annotations

from pydantic import Field

from oms.wire import Key, Name, Number, Quantity, Text, Wire


class PackageLine(Wire):
    """Units of one line."""

    line_id: Key
    quantity: Quantity


class Package(Wire):
    """One parcel. A reference counts once per fulfillment order."""

    reference: Number | None = None
    carrier: Name | None = None
    tracking_number: Number | None = None
    tracking_url: Text | None = None
    lines: list[PackageLine] = Field(min_length=1, max_length=200)


class ShortLine(PackageLine):
    """Units that the location cannot send after all."""

    reason: Text


class ShipRequest(Wire):
    """`POST .../ship`."""

    packages: list[Package] = Field([], max_length=50)
    short: list[ShortLine] = Field([], max_length=200)


class RejectRequest(Wire):
    """`POST .../reject`; all open lines when none are named."""

    lines: list[PackageLine] | None = Field(None, max_length=200)
    reason: Text


class RerouteRequest(Wire):
    """`POST .../reroute`: to a location, or to wherever the rules say."""

    location_id: Key | None = None
    reason: Text = ""


class CollectRequest(Wire):
    """`POST .../collect`: who fetched the goods."""

    code: Name | None = None
    collected_by: Name | None = None


REQUESTS: dict[str, type[Wire]] = {"ship": ShipRequest, "reject": RejectRequest, "reroute": RerouteRequest, "collect": CollectRequest}
