"""What a plain life weighs in DynamoDB, write by write: two lines, one place, one parcel, delivered (budget: 90 units written, 30 read).

A write that is not here makes every order dearer, for ever. Before it is added: can what it does ride in a write that is made anyway?
"""

from __future__ import annotations

from collections import Counter

from oms.storage.settings import settings
from tests.machines.engine import Engine
from tests.machines.test_lives import fo_of
from tests.support.weight import Scale, weighing
from tests.support.world import order_body

MOST_WRITTEN, MOST_READ = 90, 30
WRITES = """
capture         orders    key            put jointly     2
capture         inventory stock          update jointly  2
capture         inventory stock          update jointly  2
capture         orders    number         put jointly     2
capture         orders    doc#order      put jointly     3
capture         orders    customer       put jointly     2
capture         orders    state#summary  put jointly     3
capture         orders    state#payment  put jointly     2
capture         inventory reserved       put jointly     2
capture         orders    state#summary  put jointly     4
capture         orders    state#payment  put jointly     2
capture         orders    timeline       put jointly     2
relay           orders    state#relayed  update          1
allocate        orders    state#summary  put jointly     2
allocate        orders    state#fo       put jointly     3
allocate        orders    timeline       put jointly     2
relay           orders    state#relayed  update          1
ship            orders    state#wait     put             1
fulfillment_api orders    key            put jointly     2
fulfillment_api inventory stock          update jointly  2
fulfillment_api inventory stock          update jointly  2
fulfillment_api orders    tracking       put jointly     2
fulfillment_api orders    state#summary  put jointly     2
fulfillment_api orders    state#fo       put jointly     3
fulfillment_api orders    state#shipment put jointly     2
fulfillment_api inventory moved          put jointly     2
fulfillment_api inventory moved          put jointly     2
fulfillment_api inventory reserved       delete jointly  2
fulfillment_api orders    timeline       put jointly     2
relay           orders    state#relayed  update          1
capture_payment orders    state#payment  put             1
capture_payment orders    state#summary  put jointly     2
capture_payment orders    doc#invoice    put jointly     2
capture_payment orders    state#payment  put jointly     2
capture_payment orders    timeline       put jointly     2
relay           orders    state#relayed  update          1
ship            orders    state#wait     put             1
bookkeeper      orders    numbers        put jointly     2
bookkeeper      orders    doc#invoice    update jointly  2
bookkeeper      orders    journal        put             1
bookkeeper      orders    state#books    update          1
carrier_webhook orders    state#summary  put jointly     4
carrier_webhook orders    state#shipment put jointly     2
carrier_webhook orders    timeline       put jointly     3
relay           orders    state#relayed  update          1
""".strip().splitlines()
READS = {
    "capture": 1.5,
    "relay": 7,
    "allocate": 2.5,
    "ship": 3,
    "fulfillment_api": 1.5,
    "capture_payment": 1,
    "bookkeeper": 4,
    "carrier_webhook": 2.5,
}


def a_plain_life(engine: Engine) -> Scale:
    """Placed, shipped and delivered, each of them with an Idempotency-Key where there is one."""
    world = engine.world
    settings()  # a warm process has them
    with weighing(world) as scale:
        order_id = world.place(order_body(), headers={"idempotency-key": "place"})["id"]
        engine.settle()
        work = fo_of(world.order(order_id))
        lines = [{"line_id": "1", "quantity": 2}, {"line_id": "2", "quantity": 1}]
        parcel = {"packages": [{"tracking_number": "T1", "lines": lines}]}
        world.done("POST", f"/v1/fulfillment-orders/{work}/ship", parcel, headers={"idempotency-key": "ship"})
        engine.settle()
        world.keep_books()
        assert world.carrier("T1", "delivered").body["changed"]
        engine.settle()
    assert world.order(order_id)["status"] == "completed"
    return scale


def test_a_plain_life_writes_these_items_and_no_others(engine: Engine) -> None:
    written = a_plain_life(engine).writes
    # Relay and the machine go on beside each other: what one of them writes may come before or after what the other does.
    assert Counter(map(str, written)) == Counter(WRITES)
    assert sum(each.units for each in written) == 89 <= MOST_WRITTEN


def test_a_plain_life_reads_no_more_than_this_though_task_tokens_be_as_long_as_on_aws(engine: Engine) -> None:
    read: dict[str, float] = {}
    for each in a_plain_life(engine).reads:
        if each.function != "query_api":  # that is the test itself, which looks
            read[each.function] = read.get(each.function, 0) + each.units
    assert read == READS
    assert sum(read.values()) == 23 <= MOST_READ
