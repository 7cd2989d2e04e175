"""What callers send about stock."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from pydantic import Field

from oms.inventory.shards import MOST
from oms.wire import Count, Key, Moment, Quantity, SignedAmount, Wire


class Arrival(Wire):
    """Supply that is expected."""

    expected_at: Moment
    quantity: Quantity
    reference: Key | None = None


class StockCount(Wire):
    """`PUT /v1/inventory/{sku}/{location_id}`."""

    on_hand: Count
    safety_stock: Count = 0
    effective_at: Moment | None = None
    futures: list[Arrival] = Field([], max_length=50)
    target: Count | None = None


class ShardCount(Wire):
    """`PUT /v1/inventory/{sku}/{location_id}/shards`: how many rows the sales of a hot item share."""

    shards: int = Field(ge=1, le=MOST, strict=True)


class StockRecord(Wire):
    """One record of `POST /v1/inventory/batch`: a count or a change, once per record id."""

    record_id: Key
    sku: Key
    location_id: Key
    on_hand: Count | None = None
    delta: SignedAmount | None = None
    effective_at: Moment | None = None


class LoadRecord(StockRecord):
    """One record of a file that is loaded."""

    safety_stock: Count | None = None


class StockBatch(Wire):
    """`POST /v1/inventory/batch`."""

    records: list[StockRecord] = Field(min_length=1, max_length=100)


class AvailabilityQuery(Wire):
    """`POST /v1/inventory/availability`."""

    skus: list[Key] = Field(min_length=1, max_length=100)
    location_ids: list[Key] = Field([], max_length=100)
    group_ids: list[Key] = Field([], max_length=100)
