"""A file of stock records loaded in memory: `python -m tests.benchmarks.bulk [records]`.

Killed in the middle and run again, with sales between its stretches; then the books must balance and every record must have counted once.
What is measured is our own work for a record, one at a time: on AWS sixteen go at once and each waits for DynamoDB.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter
from unittest.mock import patch

from moto import mock_aws

from oms import clock
from oms.flows import load_run, load_stretch
from oms.flows.capture import place
from oms.flows.idempotency import Request
from oms.flows.inventory import counted
from oms.flows.loads import request_load
from oms.inventory.loads import LoadRequest
from oms.inventory.stock import Stock
from oms.orders.placing import read_order
from oms.storage.clients import client
from oms.storage.inventory import stock_at
from oms.storage.loads import load as read_load
from oms.storage.settings import put_setting
from tests.support.shop import PLACES, Killed, Shop, a_shop
from tests.support.world import order_body

RECORDS, BUCKET = 100_000, "oms-loads"


def main() -> int:
    """Load, print, check."""
    records = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    os.environ |= {"LOADS_BUCKET": BUCKET, "AWS_DEFAULT_REGION": "us-east-1"}
    # One stretch to a run; and tables in memory take one write at a time.
    with mock_aws(), a_shop() as shop, patch.object(load_run, "SLICE_SECONDS", 0.0), patch.object(load_stretch, "_THREADS", 1):
        client("s3").create_bucket(Bucket=BUCKET)
        client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        measure(shop, records)
    return 0


def measure(shop: Shop, records: int) -> None:
    """A count of five units for every SKU at both places."""
    for location in PLACES:
        put_setting("locations", location, {"name": location, "type": "warehouse"})
    counted(Stock(sku="S0", location_id=PLACES[0]), 1_000, clock.stamp(), "first count", "test", {}, None)
    rows = (f'{{"record_id": "r{n}", "sku": "S{n // 2}", "location_id": "{PLACES[n % 2]}", "delta": 5}}' for n in range(records))
    client("s3").put_object(Bucket=BUCKET, Key="loads/all.jsonl", Body="\n".join(rows).encode())
    load, _ = request_load(LoadRequest(source=f"s3://{BUCKET}/loads/all.jsonl"), Request("test", "loads", "", ""))
    shop.kill_at = (records, "after")  # about the middle: a record is one write, a stretch a few more
    began, runs, deaths, sold = perf_counter(), 0, 0, 0
    while read_load(load.id).working:
        try:
            load_run.run({"load_id": load.id}, lambda: 900.0)
        except Killed:
            deaths += 1
        runs += 1
        body = order_body(f"W-{runs}", quantities={"S0": 1})
        place(read_order(body), Request("shop", "orders", f"k{runs}", ""), actor="shop", later_on=False)
        sold += 1
    took, done = perf_counter() - began, read_load(load.id)
    first = stock_at("S0", PLACES[0])
    assert (done.status, done.applied.records, done.applied.changed, done.applied.units_changed) == ("done", records, records, 5 * records)
    assert first
    assert (first.on_hand, first.reserved) == (1_005, sold)
    print(
        f"{records:,} records in {took:.0f} s, {records / took:,.0f} a second; {runs} runs, {deaths} of them killed; {sold} sales between"
    )


if __name__ == "__main__":
    sys.exit(main())
