"""What a customer sees of an order by its tracking link, and who may have that link sent.

It holds what the customer ordered, where it is, what it came to and what can be done about it now. It never holds what is the merchant's
own business (places of stock, exceptions, holds, notes, metadata, payments' ids) nor what could be used against the customer if the link
gets into other hands (names, streets, e-mails).
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping
from typing import Any, Self

from pydantic import model_validator

from oms.clock import later, parse, stamp
from oms.fulfillment.records import Shipment
from oms.money.units import Units, count, union
from oms.orders import statuses
from oms.orders.order import Order
from oms.orders.records import Personal, PlacedGroup
from oms.orders.view import MOST_LINES, is_exchanged, line_views
from oms.payments.gift_cards import is_gift_card
from oms.payments.records import Change, Exchange
from oms.returns.records import Return
from oms.wire import Name, Number, Wire, WrongField

_SPARE_DAYS = 7
_QUANTITIES = (
    "ordered",
    "cancelled",
    "cancel_requested",
    "backordered",
    "shipped",
    "delivered",
    "lost",
    "return_initiated",
    "returned",
    "reshipped",
    "available_to_cancel",
    "available_to_return",
)


class TrackingRequest(Wire):
    """`POST /v1/track/requests`: an order number, and one thing that only who ordered knows beside it."""

    order_number: Number
    email: Name | None = None
    postal_code: Name | None = None

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.email is None) == (self.postal_code is None):
            raise WrongField("email", "name either email or postal_code")
        return self


def expiry(placed_at: str, days: int, now: str) -> int:
    """Until when a link made now is good, in seconds since 1970: so many days from placing on. When most of that time is over, so many
    whole days from today on, so that a link that was asked for is of use; the same all day, so that reading twice gives the same link."""
    first = parse(later(placed_at, days=days))
    if first > parse(later(now, days=_SPARE_DAYS)):
        return math.floor(first.timestamp())
    today = parse(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return math.floor(parse(later(stamp(today), days=days + 1)).timestamp())


def proves(request: TrackingRequest, personal: Personal) -> bool:
    """Whether the e-mail is that of the customer or of a recipient, or the postal code one of the order's; no order without personal data
    is anybody's. Compared in constant time."""
    groups = list(personal.groups.values())
    if request.email is not None:
        people = [personal.customer, *(group.get("recipient") or {} for group in groups)]
        given, texts = _folded(request.email), [_folded(str(person.get("email") or "")) for person in people]
    else:
        places = [personal.billing_address or {}, *(group.get("address") or {} for group in groups)]
        given, texts = _plain(request.postal_code or ""), [_plain(str(place.get("postal_code") or "")) for place in places]
    matches = [hmac.compare_digest(text.encode(), given.encode()) for text in texts if text]
    return bool(given) and any(matches)


def tracking_view(order: Order, personal: Personal) -> dict[str, Any]:
    """The tracking data (features: D7). An order of more than 200 lines shows the first of them and says in `more` how many it left out."""
    placed, buckets = order.placed, statuses.buckets(order)
    rows = line_views(order, most=MOST_LINES)
    left_out = len(placed.lines) - len(rows)
    return {
        "order_number": placed.order_number,
        "placed_at": placed.placed_at,
        "currency": placed.currency,
        "tax_mode": placed.tax_mode,
        "status": order.summary.status,
        "payment_status": statuses.payment_status(order),
        "fulfillment_status": statuses.fulfillment_status(order),
        "delivery_status": statuses.delivery_status(order),
        "return_status": statuses.return_status(order),
        "lines": [_line(row) for row in rows],
        **({"more": {"lines": left_out}} if left_out else {}),
        "parcels": [_parcel(shipment) for shipment in order.shipments.values()],
        "replacements": _to_be_sent_again(order),
        "delivery_groups": [_group(group, personal, rows) for group in placed.delivery_groups],
        "returns": [return_summary(order, ret) for ret in order.returns.values()],
        "exchanges": [_exchange(change, about) for change in order.changes.values() if (about := change.exchange)],
        **({"exchange_of": placed.exchange_of.order_number} if placed.exchange_of else {}),
        "payment": {
            "totals": statuses.totals(order).model_dump(),
            "captured": buckets.captured,
            "refunded": buckets.refunded,
        },
        "actions": _actions(order, rows),
    }


def return_summary(order: Order, ret: Return) -> dict[str, Any]:
    """A return as the customer sees it, with the labels to print: no location, no note of the warehouse or of an agent."""
    exchanged = is_exchanged(order, ret)
    return {
        "id": ret.id,
        "status": ret.status,
        "requested_at": ret.requested_at,
        "lines": [
            {
                "line_id": line.line_id,
                "quantity": line.quantity,
                "received": line.received,
                "resolution": "exchange" if exchanged else line.resolution,
            }
            for line in ret.lines
        ],
        "labels": [
            {"carrier": label.carrier, "tracking_number": label.tracking_number, "url": label.url, "status": label.status}
            for label in ret.labels
            if label.status != "wanted"
        ],
    }


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """Of a line's view what the customer may see: its promise without what it rests on, which may name a supplier's delivery."""
    promise = row.get("promise")
    return {
        **{name: row[name] for name in ("id", "sku", "name", "quantity", "delivery_group", "status")},
        "quantities": {name: row["quantities"][name] for name in _QUANTITIES},
        "total_amount": row["amounts"]["total_amount"],
        **({"promise": {"earliest": promise["earliest"], "latest": promise["latest"]}} if promise else {}),
    }


def _parcel(shipment: Shipment) -> dict[str, Any]:
    return {
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "tracking_url": shipment.tracking_url,
        "status": shipment.status,
        "shipped_at": shipment.shipped_at,
        "delivered_at": shipment.delivered_at,
        "lines": _units(shipment.lines),
        **({"replacement": True} if shipment.replaces else {}),
        **({"lost": _units(shipment.written_off)} if shipment.written_off else {}),
    }


def _units(lines: Mapping[str, Units]) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "quantity": count(units)} for line_id, units in lines.items()]


def _to_be_sent_again(order: Order) -> list[dict[str, Any]]:
    """Units that leave once more, for nothing, and have not left yet."""
    work = [fo for fo in order.fulfillment_orders.values() if fo.replaces]
    rows = {
        line.id: count(union(*state.to_replace.values(), *(fo.lines[line.id].units for fo in work if line.id in fo.lines)))
        for line, state in order.lines()
        if state.reshipped
    }
    return [{"line_id": line_id, "quantity": quantity} for line_id, quantity in rows.items() if quantity]


def _exchange(change: Change, about: Exchange) -> dict[str, Any]:
    """What was given for what; by the number of the new order its own link can be asked for."""
    return {
        "id": change.id,
        "status": change.status,
        "requested_at": change.requested_at,
        "new_order_number": about.new_order_number,
        "balance": about.price - about.expected,
        **({"return_id": about.return_id} if about.return_id else {}),
    }


def _group(group: PlacedGroup, personal: Personal, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Where a group goes, no closer than its city, and when all of it should be there: unknown as long as one line's date is."""
    address = personal.groups.get(group.id, {}).get("address") or {}
    promises = [row.get("promise") or {} for row in rows if row["delivery_group"] == group.id and row["status"] != "cancelled"]
    latest = [promise.get("latest") for promise in promises]
    known = [text for text in latest if text]
    return {
        "id": group.id,
        "method": group.method,
        "type": group.type,
        "city": address.get("city"),
        "country": address.get("country"),
        "desired_date": group.desired_date,
        "promised": max(known) if known and len(known) == len(latest) else None,
    }


def _actions(order: Order, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Which lines may be cancelled, returned or exchanged now, and how many units of each. What has not left may be exchanged too."""
    live = order.summary.status not in ("declined", "received")
    free = {name: {row["id"]: row["quantities"][f"available_to_{name}"] if live else 0 for row in rows} for name in ("cancel", "return")}
    both = {line_id: units + free["return"][line_id] for line_id, units in free["cancel"].items()}
    free["exchange"] = {
        line_id: units for line_id, units in both.items() if not (order.placed.chunks or is_gift_card(order.line(line_id)[0]))
    }
    return {name: [{"line_id": line_id, "quantity": units} for line_id, units in lines.items() if units] for name, lines in free.items()}


def _folded(text: str) -> str:
    return text.strip().casefold()


def _plain(text: str) -> str:
    """A postal code as it is compared: 'sw1a 1aa' and 'SW1A1AA' are one."""
    return "".join(character for character in text.upper() if character.isalnum())
