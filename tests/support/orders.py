"""Orders as a channel sends them, with sane defaults: every test names only what it is about.

    an_order()                                                 two units of A at 10.00 EUR, paid by a card that is approved
    an_order(a_line(sku="B", quantity=3), tax_mode="net")      other lines, other order fields
    an_order(token="tok_decline")                              the card is declined
    an_order(charge=600, charge_rate="20")                     a delivery charge with its tax

The payments always cover the grand total, unless the test says otherwise (`payments=[...]`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oms.errors import Invalid
from oms.orders.placing import read_order
from oms.orders.pricing import price
from oms.orders.totals import Totals

Body = dict[str, Any]


def a_tax(rate: str = "20", amount: int | None = None, name: str = "VAT") -> Body:
    """A tax of `rate` percent, or of a given amount."""
    return {"name": name, "rate": rate, **({} if amount is None else {"amount": amount})}


def a_line(id_: str = "1", sku: str = "A", quantity: int = 2, unit_price: int = 1000, *rates: str, **more: Any) -> Body:
    """A line; `rates` are its taxes in percent, `own` an adjustment of its own, the rest is taken as it is."""
    own = more.pop("own", 0)
    line = {"id": id_, "sku": sku, "quantity": quantity, "unit_price": unit_price, "delivery_group": "g1"}
    taxes = [a_tax(rate, name=f"tax {rate}") for rate in rates]
    return {**line, "taxes": taxes, **({"adjustments": [{"amount": own}]} if own else {}), **more}


def a_group(id_: str = "g1", charge: int | None = None, charge_rate: str | None = None, **more: Any) -> Body:
    """A delivery group to Ann in Berlin; `charge` is its delivery charge."""
    group: Body = {
        "id": id_,
        "recipient": {"name": "Ann Example", "email": "ann@example.com"},
        "address": {"line1": "Hauptstrasse 1", "city": "Berlin", "postal_code": "10115", "country": "DE"},
        "method": "standard",
    }
    if charge is not None:
        group["charge"] = {"amount": charge, "taxes": [a_tax(charge_rate)] if charge_rate else []}
    return {**group, **more}


def a_card(amount: int, token: str = "tok_approve") -> Body:
    """A card at the sandbox gateway."""
    return {"method": "card", "gateway": "sandbox", "token": token, "amount": amount}


def an_order(*lines: Body, number: str = "W-1001", token: str = "tok_approve", **more: Any) -> Body:
    """The body of `POST /v1/orders`. `charge` and `charge_rate` belong to the only group; `off` is an order adjustment."""
    charge, charge_rate, off = more.pop("charge", None), more.pop("charge_rate", None), more.pop("off", 0)
    body: Body = {
        "channel": "web",
        "order_number": number,
        "currency": "EUR",
        "tax_mode": "gross",
        "customer": {"id": "c-1", "email": "ann@example.com", "name": "Ann Example"},
        "delivery_groups": [a_group(charge=charge, charge_rate=charge_rate)],
        "lines": list(lines) or [a_line()],
        **({"adjustments": [{"amount": off}]} if off else {}),
        **more,
    }
    return body if "payments" in body else paid(body, token)


def paid(body: Body, *tokens: str) -> Body:
    """The body with one card per token that cover its grand total together (nothing to pay: no card); a faulty body gets one of 1000."""
    try:
        total = totals_of_body(body).grand_total
    except Invalid:
        total = 1000
    cards = list(zip(_halves(total, len(tokens)), tokens, strict=True))
    return {**body, "payments": [a_card(amount, token) for amount, token in cards if amount]}


def totals_of_body(body: Body) -> Totals:
    """The totals that the order will be placed with."""
    return price(read_order({**body, "payments": []})).totals


def packages(*quantities: dict[str, int], prefix: str = "T") -> Body:
    """The body of `POST .../ship`: one tracked package per {line: quantity}, numbered T1, T2 and so on."""
    rows = enumerate(quantities, start=1)
    return {"packages": [{"tracking_number": f"{prefix}{i}", "carrier": "sandbox", "lines": units(lines)} for i, lines in rows]}


def units(quantities: dict[str, int]) -> list[Body]:
    """{line: quantity} as rows of a body."""
    return [{"line_id": line_id, "quantity": quantity} for line_id, quantity in quantities.items()]


def tracking_news(number: str, status: str, at: str = "2030-01-01T00:00:00Z") -> Body:
    """The body that the `standard` and `sandbox` carriers send."""
    return {"type": "tracking.updated", "data": {"tracking_number": number, "status": status, "occurred_at": at}}


def _halves(total: int, parts: int) -> Sequence[int]:
    part = total // parts
    return [*[part] * (parts - 1), total - part * (parts - 1)]
