"""Sample locations and stock, through the API as a merchant would set them up."""

from __future__ import annotations

from infra.local.sample import LOCATIONS, STOCK
from infra.local.stack import Stack


def present(stack: Stack) -> bool:
    """True if the sample data is there: it is written once, so that later counts and sales stand."""
    api = stack.api()
    try:
        return api.call("GET", f"/v1/inventory/{_LAST[0]}/{_LAST[1]}").ok
    finally:
        api.close()


def seed(stack: Stack) -> None:
    """Put three locations and their stock."""
    api = stack.api()
    try:
        for name, location in LOCATIONS.items():
            api.put(f"/v1/locations/{name}", {**location, "groups": [], "enabled": True})
        for sku, places in STOCK.items():
            for name, count in places.items():
                api.put(f"/v1/inventory/{sku}/{name}", {"on_hand": count})
    finally:
        api.close()


# the record that is written last: if it is there, all are
_LAST = (list(STOCK)[-1], list(STOCK[list(STOCK)[-1]])[-1])
