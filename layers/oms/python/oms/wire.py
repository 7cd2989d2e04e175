"""Base of everything that callers send: frozen, closed to unknown fields, every field bounded."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from oms.clock import parse, stamp
from oms.errors import Fault
from oms.money.currencies import EXPONENTS

MAX_AMOUNT = 10**12
MAX_QUANTITY = 1_000_000
_DATE = len("2026-11-23")


class Wire(BaseModel):
    """A body, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class NoBody(Wire):
    """Actions that need no words."""

    note: Text | None = None


def _rate(text: str) -> str:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal("NaN")
    if not (rate.is_finite() and 0 <= rate <= 1000):
        raise ValueError('a rate is percent as a decimal string from "0" to "1000", such as "20" or "7.5"')
    return text


def _currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("not an ISO 4217 currency code in use, such as EUR")
    return code


def _moment(text: str) -> str:
    return stamp(parse(text))  # in UTC, so that times sort and compare as they read


def _date_or_moment(text: str) -> str:
    return parse(f"{text}T00:00:00Z").date().isoformat() if len(text) == _DATE else _moment(text)


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if len(repr(value)) > 4000:
        raise ValueError("at most 4000 characters of metadata")
    if not _storable(value, depth=10):
        raise ValueError("names that are not empty, numbers of at most 30 digits, at most 10 levels")
    return value


def _storable(value: Any, depth: int) -> bool:
    """Whether DynamoDB takes it: it limits numbers, names and depth more than JSON does."""
    if isinstance(value, dict):
        return depth > 0 and all(name and _storable(item, depth - 1) for name, item in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_storable(item, depth - 1) for item in value)
    if isinstance(value, float):
        return value == 0 or 1e-30 < abs(value) < 1e30
    return not isinstance(value, int) or abs(value) < 10**30


Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\s#/]+$")]
Number = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f#]*$", strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=500)]
Quantity = Annotated[int, Strict(), Field(ge=1, le=MAX_QUANTITY)]
Count = Annotated[int, Strict(), Field(ge=0, le=10**9)]
Amount = Annotated[int, Strict(), Field(ge=0, le=MAX_AMOUNT)]
SignedAmount = Annotated[int, Strict(), Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
Rate = Annotated[str, AfterValidator(_rate)]
Currency = Annotated[str, AfterValidator(_currency)]
Moment = Annotated[str, AfterValidator(_moment)]
DateOrMoment = Annotated[str, AfterValidator(_date_or_moment)]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]


def pointer(path: tuple[str | int, ...]) -> str:
    """RFC 6901 pointer of a place in a body."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


class WrongField(ValueError):
    """What is wrong with one of a model's fields because of the others: `field` is the one to mend."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.where: tuple[str | int, ...] = (field,)


def faults_of(error: ValidationError) -> list[Fault]:
    """Every fault that pydantic found, in words a caller can act on."""
    words = {
        **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "must be an object"),
        "list_type": "must be a list",
        "extra_forbidden": "unknown field",
        "missing": "required",
        "int_type": "must be a whole number (amounts are whole minor units: 12.50 EUR is 1250)",
        "int_from_float": "must be a whole number (amounts are whole minor units: 12.50 EUR is 1250)",
    }
    return [
        Fault(words.get(item["type"], item["msg"].removeprefix("Value error, ")), pointer((*item["loc"], *_where(item))))
        for item in error.errors(include_url=False, include_input=False)
    ]


def _where(item: ErrorDetails) -> tuple[str | int, ...]:
    error = item.get("ctx", {}).get("error")
    return error.where if isinstance(error, WrongField) else ()
