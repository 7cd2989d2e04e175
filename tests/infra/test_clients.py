"""The clients that a merchant declares for their own systems."""

from __future__ import annotations

import json

import pytest

from infra.parts.clients import ClientSpec, clients

KNOWN = {"orders.read": "", "orders.write": ""}


def test_a_machine_and_a_page_where_people_sign_in() -> None:
    table = {"shop": {"scopes": "orders.write orders.read"}, "help-desk": {"scopes": "orders.read", "callback_urls": ["https://a/"]}}
    shop, desk = clients(table, KNOWN)
    assert shop == ClientSpec("shop", ("orders.write", "orders.read"))
    assert (desk.callback_urls, desk.output) == (("https://a/",), "HelpDeskClientId")
    assert clients(json.dumps(table), KNOWN) == (shop, desk), "as `cdk deploy -c clients=...` gives it"


def test_none_are_needed() -> None:
    assert clients(None, KNOWN) == ()


@pytest.mark.parametrize(
    "table",
    [
        {"Shop": {"scopes": "orders.read"}},
        {"operator": {"scopes": "orders.read"}},
        {"customers": {"scopes": "orders.read"}},
        {"shop": {"scopes": "orders.raed"}},
        {"shop": {"scopes": ""}},
        {"shop": {}},
        {"shop": {"scopes": "orders.read", "callback": ["https://a/"]}},
    ],
)
def test_what_makes_no_sense_is_not_deployed(table: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="clients"):
        clients(table, KNOWN)
