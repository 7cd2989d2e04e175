"""What callers say about returns."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from oms.service.asking import Asked
from oms.service.fee_requests import FeeRequest
from oms.wire import Key, Quantity, Text, Wire, WrongField

Condition = Literal["resellable", "damaged", "wrong_item"]
Resolution = Literal["refund", "store_credit", "replace"]
RESOLUTIONS: tuple[Resolution, ...] = ("refund", "store_credit", "replace")
Disposition = Literal["restock", "quarantine", "discard"]
USUAL: dict[str, Disposition] = {"resellable": "restock", "damaged": "quarantine", "wrong_item": "quarantine"}
"""What is done with goods in some condition, unless somebody decides otherwise."""


class ReturnLineRequest(Wire):
    """Units of one line to be sent back. `condition`, `disposition`: of goods that are handed over at once."""

    line_id: Key
    quantity: Quantity
    reason: Text = ""
    resolution: Resolution = "refund"
    condition: Literal["resellable", "damaged"] | None = None
    disposition: Disposition | None = None


class OverrideRequest(Wire):
    """Why a return is taken though the rules are against it."""

    reason: Text = Field(min_length=1)


class ReturnRequest(Asked):
    """`POST /v1/orders/{id}/returns`. `immediate`: the goods are here already. `fees`: instead of those of the rules; an empty list waives
    them. `override`: an agent takes it though the rules are against it. `waive_reclaim`: a promotion that it breaks stands. `label`: buy
    one for the way back as soon as it is approved."""

    lines: list[ReturnLineRequest] = Field(min_length=1, max_length=200)
    mode: Literal["rma", "immediate"] = "rma"
    reduce_shipping: bool = False
    fees: list[FeeRequest] | None = Field(None, max_length=10)
    location_id: Key | None = None
    override: OverrideRequest | None = None
    waive_reclaim: bool = False
    label: bool = False

    @model_validator(mode="after")
    def _goods_are_seen_when_they_are_here(self) -> Self:
        if self.mode == "rma" and any(line.condition or line.disposition for line in self.lines):
            raise WrongField("mode", "condition and disposition are for goods that are here: mode 'immediate', or receive")
        if self.mode == "immediate" and self.label:
            raise WrongField("label", "goods that are here need no label")
        return self


class ReceivedLine(Wire):
    """What was in the box: units of a line, or a SKU (which may be of no line of the order)."""

    line_id: Key | None = None
    sku: Key | None = None
    quantity: Quantity
    condition: Condition = "resellable"
    disposition: Disposition | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if (self.line_id is None) == (self.sku is None):
            raise ValueError("name a line_id or a sku")
        if self.condition == "wrong_item" and self.line_id and self.disposition == "restock":
            raise ValueError("name the sku of a wrong item to put it on the shelf")
        return self


class ReceiveRequest(Wire):
    """`POST /v1/returns/{id}/receive`."""

    lines: list[ReceivedLine] = Field(min_length=1, max_length=200)
    location_id: Key | None = None


class LabelRequest(Wire):
    """`POST /v1/returns/{id}/labels`: a label for the way back. `another`: beside those there are, for one more parcel."""

    carrier: Key = "sandbox"
    another: bool = False


class ReturnApproval(Asked):
    """What waits when a return is approved beyond an agent's limit."""

    return_id: Key


class ReasonRequest(Wire):
    """Approve, reject, cancel, close: why."""

    reason: Text | None = None
