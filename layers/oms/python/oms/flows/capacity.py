"""What locations with limited capacity still take. Nothing is read where no location has a limit."""

from __future__ import annotations

from collections.abc import Mapping

from oms.fulfillment.capacity import window
from oms.routing.serving import StockRows
from oms.settings import Location, Settings
from oms.storage.capacity import taken_between, taken_in


def capacity_left(settings: Settings, stock: StockRows, now: str) -> dict[str, int]:
    """Orders that each limited location still takes in its present window; of those that keep any of these SKUs."""
    keep = {row.location_id for rows in stock.values() for row in rows}
    limited = {place.id: place.capacity for place in settings.locations.values() if place.capacity and place.id in keep}
    taken = taken_in({place: window(settings.locations[place], now).start for place in limited})
    return {place: capacity.orders - taken.get(place, 0) for place, capacity in limited.items()}


def capacity_ahead(location: Location, first: str, last: str) -> Mapping[str, int]:
    """Orders taken per later window of a location."""
    return taken_between(location.id, first, last)
