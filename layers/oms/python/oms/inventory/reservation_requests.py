"""What callers send about checkout reservations (contract: `POST /v1/reservations`)."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Annotated, Self

from pydantic import Field, Strict, field_validator, model_validator

from oms.wire import MAX_QUANTITY, Key, Quantity, Wire

MOST_LINES = 40
"""SKUs of one reservation: each is a stock row and a due entry, and both must fit into one transaction with the record."""
Seconds = Annotated[int, Strict(), Field(ge=1, le=24 * 3600)]


class ReservationLine(Wire):
    """Units of a SKU that are wanted."""

    sku: Key
    quantity: Quantity


class ReservationRequest(Wire):
    """`POST /v1/reservations`: all or nothing, or with `allow_partial` what is there, from the locations of a group."""

    lines: list[ReservationLine] = Field(min_length=1, max_length=MOST_LINES)
    group_id: Key = "all"
    expires_in: Seconds
    allow_partial: bool = False

    @field_validator("lines")
    @classmethod
    def _one_line_per_sku(cls, lines: list[ReservationLine]) -> list[ReservationLine]:
        _once([line.sku for line in lines])
        return lines


class ChangedLine(Wire):
    """The new quantity of a SKU; 0 removes it."""

    sku: Key
    quantity: Annotated[int, Strict(), Field(ge=0, le=MAX_QUANTITY)]


class ReservationChange(Wire):
    """`PATCH /v1/reservations/{id}`: new quantities, SKUs that are not named stay; `expires_in` counts from now."""

    lines: list[ChangedLine] = Field([], max_length=MOST_LINES)
    expires_in: Seconds | None = None
    allow_partial: bool = False

    @field_validator("lines")
    @classmethod
    def _one_line_per_sku(cls, lines: list[ChangedLine]) -> list[ChangedLine]:
        _once([line.sku for line in lines])
        return lines

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.lines and self.expires_in is None:
            raise ValueError("give lines, expires_in or both")
        return self


class MovedLine(ReservationLine):
    """Reserved units that another location is to hold."""

    from_: Key = Field(alias="from")
    to: Key

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if self.from_ == self.to:
            raise ValueError("from and to are the same location")
        return self


class TransferRequest(Wire):
    """`POST /v1/reservations/{id}/transfer`."""

    lines: list[MovedLine] = Field(min_length=1, max_length=MOST_LINES)


class TakenLine(ReservationLine):
    """Reserved units that left the shelf, from `location_id` or from wherever they are reserved."""

    location_id: Key | None = None


class FulfillRequest(Wire):
    """`POST /v1/reservations/{id}/fulfill`: these units, or all that is reserved, left the shelf. `reference` names the document."""

    lines: list[TakenLine] = Field([], max_length=MOST_LINES)
    reference: Key | None = None


def _once(skus: list[str]) -> None:
    again = sorted({sku for sku in skus if skus.count(sku) > 1})
    if again:
        raise ValueError(f"name each SKU once; more than once: {', '.join(again)}")
