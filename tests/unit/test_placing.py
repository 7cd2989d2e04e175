"""The body of `POST /v1/orders`: every fault at once, each where it is."""

from __future__ import annotations

from typing import Any

import pytest

from oms.errors import Invalid
from oms.orders.placing import content_digest, read_order
from oms.payments.tender_request import read_tender
from tests.support.orders import a_card, a_group, a_line, a_tax, an_order


def faults(body: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        read_order(body)
    return {fault.pointer: fault.detail for fault in caught.value.errors}


def test_the_default_order_is_good() -> None:
    assert read_order(an_order()).order_number == "W-1001"


WHOLE = "must be a whole number (amounts are whole minor units: 12.50 EUR is 1250)"


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"colour": "red"}, "/colour", "unknown field"),
        ({"currency": "EURO"}, "/currency", "ISO 4217"),
        ({"currency": "eur"}, "/currency", "ISO 4217"),
        ({"tax_mode": "both"}, "/tax_mode", "'net' or 'gross'"),
        ({"tax_mode": None}, "/tax_mode", "'net' or 'gross'"),
        ({"order_number": "W#1"}, "/order_number", "pattern"),
        ({"order_number": ""}, "/order_number", "at least 1"),
        ({"order_number": "x" * 101}, "/order_number", "at most 100"),
        ({"placed_at": "2026-11-23T08:00:00"}, "/placed_at", "no offset"),
        ({"placed_at": "yesterday"}, "/placed_at", "Invalid isoformat"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "/placed_at", "out of range"),
        ({"lines": []}, "/lines", "at least 1"),
        ({"lines": [a_line(quantity=0)]}, "/lines/0/quantity", "greater than or equal to 1"),
        ({"lines": [a_line(quantity=-2)]}, "/lines/0/quantity", "greater than or equal to 1"),
        ({"lines": [a_line(quantity=1_000_001)]}, "/lines/0/quantity", "less than or equal to 1000000"),
        ({"lines": [a_line(unit_price=10**12 + 1)]}, "/lines/0/unit_price", "less than or equal to"),
        ({"lines": [a_line(unit_price=-1)]}, "/lines/0/unit_price", "greater than or equal to 0"),
        ({"lines": [{**a_line(), "unit_price": 10.5}]}, "/lines/0/unit_price", WHOLE),
        ({"lines": [{**a_line(), "unit_price": 10.0}]}, "/lines/0/unit_price", WHOLE),
        ({"lines": [{**a_line(), "unit_price": "10"}]}, "/lines/0/unit_price", WHOLE),
        ({"lines": [{**a_line(), "quantity": True}]}, "/lines/0/quantity", WHOLE),
        ({"lines": [a_line(delivery_group="zz")]}, "/lines/0/delivery_group", "no delivery group 'zz'"),
        ({"lines": [a_line(), a_line()]}, "/lines", "'1' is used 2 times"),
        ({"lines": [a_line(bundle_of="9")]}, "/lines/0/bundle_of", "no other line '9'"),
        ({"lines": [a_line(bundle_of="1")]}, "/lines/0/bundle_of", "no other line '1'"),
        ({"lines": [a_line(taxes=[a_tax("twenty")])]}, "/lines/0/taxes/0/rate", "percent as a decimal string"),
        ({"lines": [a_line(taxes=[a_tax("-1")])]}, "/lines/0/taxes/0/rate", "percent as a decimal string"),
        ({"lines": [a_line(taxes=[a_tax("NaN")])]}, "/lines/0/taxes/0/rate", "percent as a decimal string"),
        ({"lines": [a_line(taxes=[{"name": "VAT", "rate": 20}])]}, "/lines/0/taxes/0/rate", "valid string"),
        ({"delivery_groups": [a_group(), a_group("g2")]}, "/delivery_groups/1", "no line goes to this group"),
        ({"delivery_groups": [a_group(type="pickup")]}, "/delivery_groups/0", "names its location_id"),
        ({"customer": {}}, "/customer/id", "required"),
        ({"metadata": {"a": "x" * 4001}}, "/metadata", "at most 4000 characters"),
        ({"payments": [{**a_card(1), "card_number": "4111"}]}, "/payments/0/card_number", "unknown field"),
    ],
)
def test_a_fault_is_named_where_it_is(change: dict[str, Any], pointer: str, words: str) -> None:
    found = faults(an_order(payments=[]) | change)
    assert words in found[pointer]


def test_every_fault_is_listed_not_only_the_first() -> None:
    body = an_order(a_line(quantity=-1, unit_price=-1), a_line("2", delivery_group="zz"), payments=[]) | {"x": 1, "currency": "?"}
    assert set(faults(body)) == {"/x", "/currency", "/lines/0/quantity", "/lines/0/unit_price", "/lines/1/delivery_group"}


def test_a_pointer_escapes_what_json_pointer_must_escape() -> None:
    assert set(faults(an_order() | {"a/b~c": 1})) == {"/a~1b~0c"}


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_what_is_no_object_is_refused(body: Any) -> None:
    assert list(faults(body)) == [""]


def test_times_are_kept_in_utc_so_that_they_sort_as_they_read() -> None:
    assert read_order(an_order() | {"placed_at": "2026-11-23T09:30:00+01:00"}).placed_at == "2026-11-23T08:30:00.000Z"


@pytest.mark.parametrize(
    ("wanted", "kept"), [("2026-12-24", "2026-12-24"), ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00.000Z"), ("24.12.2026", None)]
)
def test_a_group_is_wanted_on_a_day_or_at_a_time(wanted: str, kept: str | None) -> None:
    body = an_order() | {"delivery_groups": [a_group(desired_date=wanted)]}
    if kept is None:
        with pytest.raises(Invalid):
            read_order(body)
    else:
        assert read_order(body).delivery_groups[0].desired_date == kept


def test_equal_content_is_the_same_order_whatever_the_card() -> None:
    one, other = (content_digest(read_order(an_order(token=token))) for token in ("tok_approve", "tok_decline"))
    assert one == other


@pytest.mark.parametrize(
    "changed", [an_order(a_line(quantity=3)), an_order(number="W-2"), an_order(a_line(sku="B")), an_order(metadata={"a": 1})]
)
def test_other_content_is_another_order(changed: dict[str, Any]) -> None:
    assert content_digest(read_order(changed)) != content_digest(read_order(an_order()))


def test_a_tender_is_read_by_the_same_rules() -> None:
    assert read_tender(a_card(5)).amount == 5
    with pytest.raises(Invalid, match="/amount: required"):
        read_tender({"method": "card", "token": "tok_approve"})
