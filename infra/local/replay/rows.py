"""Rows of a sales file: one for each line of an invoice."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from infra.local.trouble import Trouble

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
"""What a file must have. A column `Currency` (ISO 4217) may be there too; without it amounts are GBP."""

_MISSING_CUSTOMER = ("", "0", "nan")
_MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M")


@dataclass(frozen=True)
class Row:
    """One line of an invoice; `price` is per unit in major units, `customer` is empty when the file names none."""

    invoice: str
    code: str
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str
    currency: str = "GBP"

    @property
    def amount(self) -> Decimal:
        """What the row comes to, in major units."""
        return self.price * self.quantity


def read(path: Path) -> list[Row]:
    """All rows of the file; Trouble if it is missing, is no such CSV, or holds a value that cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(parse(file, str(path)))
    except OSError as error:
        raise Trouble(f"Cannot read {path} ({error.strerror}). Give a CSV file with the columns {', '.join(COLUMNS)}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise Trouble(f"{path} is no CSV file in UTF-8 ({error}).") from error


def parse(lines: Iterable[str], name: str = "the file") -> Iterator[Row]:
    """Rows of CSV text; Trouble naming the line for what cannot be read."""
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        raise Trouble(f"{name} lacks the columns {', '.join(missing)}; its first line is: {found[:200]}")
    for fields in reader:
        try:
            yield _row({key: (value or "").strip() for key, value in fields.items() if isinstance(key, str)})
        except ValueError as error:
            raise Trouble(f"{name}, line {reader.line_num}: {error}") from error


def _row(fields: dict[str, str]) -> Row:
    if not fields["InvoiceNo"] or not fields["StockCode"]:
        raise ValueError("InvoiceNo and StockCode must not be empty")
    customer = fields["CustomerID"].removesuffix(".0")
    return Row(
        invoice=fields["InvoiceNo"],
        code=fields["StockCode"],
        description=fields["Description"],
        quantity=_whole(fields["Quantity"]),
        at=_moment(fields["InvoiceDate"]),
        price=_decimal(fields["UnitPrice"], "UnitPrice"),
        customer="" if customer.lower() in _MISSING_CUSTOMER else customer,
        country=fields["Country"],
        currency=fields.get("Currency") or "GBP",
    )


def _decimal(text: str, column: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"{column} is '{text}', which is no number")
    return number


def _whole(text: str) -> int:
    number = _decimal(text, "Quantity")
    if number != int(number):
        raise ValueError(f"Quantity is '{text}'; it must be a whole number")
    return int(number)


def _moment(text: str) -> datetime:
    for form in _MOMENTS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"InvoiceDate is '{text}'; write it as 2010-12-01 08:26:00")
