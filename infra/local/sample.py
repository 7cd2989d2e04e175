"""Sample data: three locations, their stock, and an order."""

from __future__ import annotations

from typing import Any

from oms.clock import stamp

CUSTOMER = "cus_ada"

LOCATIONS: dict[str, dict[str, Any]] = {
    "berlin": {
        "name": "Berlin warehouse",
        "type": "warehouse",
        "address": {"line1": "Beusselstr. 44", "city": "Berlin", "postal_code": "10553", "country": "DE"},
        "latitude": 52.5336,
        "longitude": 13.3286,
        "time_zone": "Europe/Berlin",
    },
    "lyon": {
        "name": "Lyon warehouse",
        "type": "warehouse",
        "address": {"line1": "34 Rue Casimir Perier", "city": "Lyon", "postal_code": "69002", "country": "FR"},
        "latitude": 45.7409,
        "longitude": 4.8176,
        "time_zone": "Europe/Paris",
    },
    "amsterdam": {
        "name": "Amsterdam store",
        "type": "store",
        "address": {"line1": "Haarlemmerstraat 80", "city": "Amsterdam", "postal_code": "1013 EV", "country": "NL"},
        "latitude": 52.3802,
        "longitude": 4.8911,
        "time_zone": "Europe/Amsterdam",
    },
}

# SKU -> what lies where
STOCK: dict[str, dict[str, int]] = {
    "MUG-BLUE": {"berlin": 500, "lyon": 200, "amsterdam": 20},
    "TEA-EARL-GREY": {"berlin": 800, "lyon": 300},
    "POT-CAST-IRON": {"lyon": 40, "amsterdam": 4},
}


def sample_order(number: str, *, customer: str = CUSTOMER) -> dict[str, Any]:
    """A valid order of two lines, 37.40 EUR with tax."""
    vat = [{"name": "VAT", "rate": "20"}]
    line = {"delivery_group": "g1", "taxes": vat}
    home = {"line1": "Kastanienallee 12", "city": "Berlin", "postal_code": "10435", "country": "DE"}
    return {
        "channel": "web",
        "order_number": number,
        "business_model": "b2c",
        "currency": "EUR",
        "tax_mode": "gross",
        "tax_rounding": "line",
        "placed_at": stamp(),
        "customer": {"id": customer, "email": "ada@example.com", "name": "Ada Lindgren"},
        "billing_address": home,
        "delivery_groups": [
            {
                "id": "g1",
                "recipient": {"name": "Ada Lindgren"},
                "address": home,
                "method": "standard",
                "type": "ship",
                "charge": {"amount": 490, "taxes": vat},
            }
        ],
        "lines": [
            {**line, "id": "1", "sku": "MUG-BLUE", "name": "Mug, blue", "quantity": 2, "unit_price": 1200},
            {**line, "id": "2", "sku": "TEA-EARL-GREY", "name": "Earl Grey", "quantity": 1, "unit_price": 850},
        ],
        "payments": [{"method": "card", "gateway": "sandbox", "token": "tok_approve", "amount": 3740}],
    }
