"""A hot item on real parts: many buyers at the same moment, its rows rearranged while they buy."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from infra.local.client import Api
from infra.local.sample import sample_order
from infra.local.stack import Stack

STOCK, BUYERS, THREADS = 120, 200, 12


def test_two_hundred_buyers_of_a_hundred_and_twenty_units(stack: Stack, api: Api) -> None:
    sku = f"HOT-{uuid.uuid4().hex[:6]}"
    path = f"/v1/inventory/{sku}/berlin"
    api.put(path, {"on_hand": STOCK})
    api.put(f"{path}/shards", {"shards": 8})

    def buy(number: int) -> int:
        body = sample_order(f"E2E-{sku}-{number}")
        body["lines"] = [{"id": "1", "sku": sku, "quantity": 1, "unit_price": 510, "delivery_group": "g1"}]
        body["payments"][0]["amount"] = 1000
        with stack.api() as client:
            for _ in range(20):
                status = client.call("POST", "/v1/orders", body).status
                if status != 503:
                    return status
        raise AssertionError("refused as busy twenty times")

    with ThreadPoolExecutor(THREADS + 1) as pool:
        changing = pool.submit(lambda: [rearranged(stack, path, count) for count in (3, 8)])
        answers = list(pool.map(buy, range(BUYERS)))
        changing.result()
    assert sorted(answers) == [201] * STOCK + [409] * (BUYERS - STOCK)
    figures = api.get(path)
    assert (figures["on_hand"], figures["reserved"], figures["available_to_fulfill"]) == (STOCK, STOCK, 0)


def rearranged(stack: Stack, path: str, count: int) -> int:
    with stack.api() as client:
        assert client.call("PUT", f"{path}/shards", {"shards": count}).status == 200
        return count
