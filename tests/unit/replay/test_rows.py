"""Reading a sales file: what is taken as it is, and what is refused with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from infra.local.replay.rows import COLUMNS, Row, parse, read
from infra.local.trouble import Trouble

HEAD = ",".join(COLUMNS)
GOOD = "536365,85123A,WHITE HANGING HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom"


def rows_of(*lines: str, head: str = HEAD) -> list[Row]:
    return list(parse([head, *lines], "sales.csv"))


def test_a_row_is_read_exactly() -> None:
    assert rows_of(GOOD) == [
        Row(
            invoice="536365",
            code="85123A",
            description="WHITE HANGING HEART",
            quantity=6,
            at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
            price=Decimal("2.55"),
            customer="17850",
            country="United Kingdom",
            currency="GBP",
        )
    ]


def test_an_amount_is_a_decimal_and_never_a_float() -> None:
    assert rows_of(GOOD)[0].amount == Decimal("15.30")


@pytest.mark.parametrize("missing", ["", "0", "0.0", "nan", "NaN"])
def test_a_missing_customer_has_many_spellings(missing: str) -> None:
    assert not rows_of(GOOD.replace("17850.0", missing))[0].customer


def test_quantities_may_be_written_as_decimals_of_a_whole_number() -> None:
    assert rows_of(GOOD.replace(",6,", ",6.0,"))[0].quantity == 6


def test_the_other_common_way_to_write_the_time_is_read_too() -> None:
    assert rows_of(GOOD.replace("2010-12-01 08:26:00", "12/1/2010 8:26"))[0].at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)


def test_the_file_may_name_another_currency() -> None:
    assert rows_of(f"{GOOD},EUR", head=f"{HEAD},Currency")[0].currency == "EUR"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",6,", ",six,", "Quantity is 'six'"),
        (",6,", ",1.5,", "must be a whole number"),
        ("2.55", "much", "UnitPrice is 'much'"),
        ("2.55", "NaN", "UnitPrice is 'NaN'"),
        ("2.55", "Infinity", "UnitPrice is 'Infinity'"),
        ("2010-12-01 08:26:00", "yesterday", "InvoiceDate is 'yesterday'"),
        ("85123A", "", "must not be empty"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(Trouble, match=r"sales\.csv, line 3: ") as caught:
        rows_of(GOOD, GOOD.replace(old, new))
    assert said in str(caught.value)


def test_wrong_columns_are_named() -> None:
    with pytest.raises(Trouble, match="lacks the columns UnitPrice, Country"):
        rows_of(head=HEAD.replace("UnitPrice", "Price").replace("Country", "Land"))


def test_an_empty_file_has_no_columns() -> None:
    with pytest.raises(Trouble, match="its first line is: nothing"):
        list(parse([]))


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match=r"Cannot read .*none\.csv \(No such file"):
        read(tmp_path / "none.csv")


def test_a_file_of_bytes_is_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "image.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(Trouble, match="no CSV file in UTF-8"):
        read(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(f"{HEAD}\n{GOOD}\n", encoding="utf-8-sig")
    assert len(read(path)) == 1
