"""Stock over the real storage (DynamoDB in this process), in any interleaving of what shops, warehouses and clocks do: nothing is promised
twice (law 1 of design section 7), and the conservation check finds nothing. What breaks the law by hand is found."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import moto.core  # noqa: F401  before oms makes its session, which moto else does not see
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oms import clock
from oms.flows import check as flow
from oms.flows import load_stretch
from oms.settings import LocationSettings
from oms.storage.clients import client
from oms.storage.codec import decode, encode
from oms.storage.settings import put_setting
from tests.support.world import ENVIRONMENT, JSON, TABLES, World, a_world, order_body

PLACES = ("berlin", "lyon")
SKUS = ("A", "B")
UNITS = st.integers(1, 6)
DEMAND = st.dictionaries(st.sampled_from(SKUS), UNITS, min_size=1)
PLACE, SKU = st.sampled_from(PLACES), st.sampled_from(SKUS)
BUCKET = ENVIRONMENT["LOADS_BUCKET"]
_THOROUGH = os.environ.get("OMS_PROPERTIES") == "thorough"


@pytest.fixture(scope="module", autouse=True)
def shop() -> Any:
    """One world for all examples: to make one costs more than to play in it."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        Life.world = stack.enter_context(a_world(patch))
        patch.setattr(flow, "PAUSE", 0.0)
        patch.setattr(load_stretch, "_THREADS", 2)
        client("s3").create_bucket(Bucket=BUCKET)
        client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield


class Life(RuleBasedStateMachine):
    """What can happen to stock. Refusals (4xx) are fine: they must change nothing that the laws see."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0
        self.orders: list[str] = []
        self.reservations: list[str] = []
        self.work: list[JSON] = []
        self.parcels: list[tuple[str, str, str]] = []
        self.loads: list[str] = []
        self.before = clock.stamp()

    @initialize(stock=st.fixed_dictionaries({sku: st.fixed_dictionaries({place: st.integers(2, 12) for place in PLACES}) for sku in SKUS}))
    def open_shop(self, stock: dict[str, dict[str, int]]) -> None:
        _clear()
        self.world.wire.stream.clear()
        for place in PLACES:
            put_setting("locations", place, LocationSettings(name=place.title(), type="warehouse").model_dump())
        for sku, at in stock.items():
            for place, units in at.items():
                self.call("PUT", f"/v1/inventory/{sku}/{place}", {"on_hand": units})
        # Every example has work at a warehouse and somebody who waits.
        self._place({"A": 2, "B": 1})
        self._allocate(self.orders[-1])
        self._place({"B": 20}, backorder=True)

    # --- shops ---

    @rule(quantities=DEMAND, backorder=st.booleans(), until=st.sampled_from(["declined", "placed", "allocated", "allocated", "shipped"]))
    def sell(self, quantities: dict[str, int], backorder: bool, until: str) -> None:
        known = len(self.orders)
        self._place(quantities, backorder=backorder, card="decline" if until == "declined" else "approve")
        if until in ("allocated", "shipped") and len(self.orders) > known:
            for fo in self._allocate(self.orders[-1]) if until == "allocated" else self._allocate(self.orders[-1])[:1]:
                if until == "shipped":
                    self._ship(fo)

    @rule(quantities=DEMAND, partial=st.booleans())
    def reserve(self, quantities: dict[str, int], partial: bool) -> None:
        lines = [{"sku": sku, "quantity": units} for sku, units in quantities.items()]
        made = self.call("POST", "/v1/reservations", {"lines": lines, "expires_in": 60, "allow_partial": partial})
        self.reservations += [made["id"]] if "id" in made else []

    @precondition(lambda self: self.reservations)
    @rule(data=st.data(), quantities=DEMAND)
    def sell_what_is_reserved(self, data: st.DataObject, quantities: dict[str, int]) -> None:
        self._place(quantities, reservation_id=data.draw(st.sampled_from(self.reservations)))

    @precondition(lambda self: self.reservations)
    @rule(data=st.data(), what=st.sampled_from(["release", "fulfill", "change"]), sku=SKU, units=st.integers(0, 6))
    def use_a_reservation(self, data: st.DataObject, what: str, sku: str, units: int) -> None:
        path = f"/v1/reservations/{data.draw(st.sampled_from(self.reservations))}"
        if what == "release":
            self.call("DELETE", path)
        elif what == "fulfill":
            self.call("POST", f"{path}/fulfill", {})
        else:
            self.call("PATCH", path, {"lines": [{"sku": sku, "quantity": units}]})

    @precondition(lambda self: self.reservations)
    @rule(data=st.data(), units=UNITS)
    def move_a_reservation_and_give_it_time(self, data: st.DataObject, units: int) -> None:
        path = f"/v1/reservations/{data.draw(st.sampled_from(self.reservations))}"
        for line in self.call("GET", path)["lines"]:
            for held in line["locations"][:1]:
                to = next(place for place in PLACES if place != held["location_id"])
                move = {"sku": line["sku"], "quantity": min(units, held["quantity"]), "from": held["location_id"], "to": to}
                self.call("POST", f"{path}/transfer", {"lines": [move]})
        self.call("PATCH", path, {"expires_in": 90})

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), units=st.integers(0, 3), stopped=st.integers(0, 3), answered=st.booleans())
    def cancel(self, data: st.DataObject, units: int, stopped: int, answered: bool) -> None:
        """All of an order (0), or some of its first line; its locations say how many of the units asked back they could stop."""
        order_id = data.draw(st.sampled_from(self.orders))
        some = [{"line_id": "1", "quantity": units, "reason": "changed_mind"}]
        what = {"lines": some} if units else {"all": True, "reason": "changed_mind"}
        made = self.call("POST", f"/v1/orders/{order_id}/cancellations", what)
        for fo in self.world.order(order_id)["fulfillment_orders"] if answered and "change" in made else ():
            lines = [{"line_id": line["line_id"], "quantity": min(stopped, line["cancel_requested"])} for line in fo["lines"]]
            if any(line["cancel_requested"] for line in fo["lines"]):
                asked = {"change_id": made["change"]["id"], "lines": [line for line in lines if line["quantity"]]}
                self.call("POST", f"/v1/fulfillment-orders/{fo['id']}/cancel-response", asked)

    @rule()
    def reservations_expire(self) -> None:
        self.world.advance(seconds=61)
        self.world.invoke("stockkeeper", {})

    # --- warehouses ---

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def allocate(self, data: st.DataObject) -> None:
        self._allocate(data.draw(st.sampled_from(self.orders)))

    @precondition(lambda self: self.work)
    @rule(data=st.data(), less=st.integers(0, 2), short=st.booleans())
    def ship(self, data: st.DataObject, less: int, short: bool) -> None:
        self._ship(data.draw(st.sampled_from(self.work)), less, short)

    @precondition(lambda self: self.work)
    @rule(data=st.data(), action=st.sampled_from(["reject", "reroute", "hold", "accept"]))
    def other_work(self, data: st.DataObject, action: str) -> None:
        fo = data.draw(st.sampled_from(self.work))
        self.call("POST", f"/v1/fulfillment-orders/{fo['id']}/{action}", {"reason": "not found"} if action == "reject" else {})

    @rule(place=PLACE)
    def drain(self, place: str) -> None:
        self.call("POST", f"/v1/locations/{place}/drain", {"reason": "flood"})

    @rule(sku=SKU, place=PLACE, on_hand=st.integers(0, 9), when=st.sampled_from(["now", "late", "before everything"]))
    def count(self, sku: str, place: str, on_hand: int, when: str) -> None:
        self.numbers += 1
        at = {"late": clock.later(clock.stamp(), seconds=-1), "before everything": self.before}.get(when)
        body = {"on_hand": on_hand, "safety_stock": self.numbers % 3, **({"effective_at": at} if at else {})}
        self.call("PUT", f"/v1/inventory/{sku}/{place}", body)

    @rule(sku=SKU, place=PLACE, delta=st.integers(-3, 9))
    def load(self, sku: str, place: str, delta: int) -> None:
        self.numbers += 1
        record = {"record_id": f"{self.before}/{self.numbers}".replace("/", "-"), "sku": sku, "location_id": place, "delta": delta}
        self.call("POST", "/v1/inventory/batch", {"records": [record]})

    @rule(place=PLACE, figures=st.fixed_dictionaries({sku: st.integers(-3, 9) for sku in SKUS}), counted=st.booleans())
    def load_a_file(self, place: str, figures: dict[str, int], counted: bool) -> None:
        """A file of counts or of changes, with a record that is wrong."""
        self.numbers += 1
        key = f"loads/{self.before}-{self.numbers}.csv"
        rows = [f"{key[6:]}-{sku},{sku},{place},{abs(units) if counted else units}" for sku, units in figures.items()]
        text = "\n".join([f"record_id,sku,location_id,{'on_hand' if counted else 'delta'}", *rows, f"x-{key[6:]},A,atlantis,1"])
        client("s3").put_object(Bucket=BUCKET, Key=key, Body=text.encode())
        self.loads.append(str(self.call("POST", "/v1/inventory/loads", {"source": f"s3://{BUCKET}/{key}"})["id"]))
        self.world.pump()

    @precondition(lambda self: self.loads)
    @rule(data=st.data())
    def revert_a_load(self, data: st.DataObject) -> None:
        self.call("POST", f"/v1/inventory/loads/{data.draw(st.sampled_from(self.loads))}/revert")
        self.world.pump()

    @rule(place=PLACE, enabled=st.sampled_from([True, True, False]))
    def switch(self, place: str, enabled: bool) -> None:
        put_setting("locations", place, LocationSettings(name=place.title(), type="warehouse", enabled=enabled).model_dump())

    @rule(sku=SKU, place=PLACE, shards=st.sampled_from([1, 2, 4]))
    def share(self, sku: str, place: str, shards: int) -> None:
        self.call("PUT", f"/v1/inventory/{sku}/{place}/shards", {"shards": shards})

    @precondition(lambda self: self.parcels)
    @rule(data=st.data(), condition=st.sampled_from(["resellable", "damaged"]))
    def give_back(self, data: st.DataObject, condition: str) -> None:
        order_id, fo_id, number = self.parcels.pop(data.draw(st.integers(0, len(self.parcels) - 1)))
        self.world.step("capture_payment", "Capture payment", order_id, fulfillment_order_id=fo_id)
        self.world.carrier(number, "delivered")
        for line in self.world.order(order_id)["lines"]:
            row = {"line_id": line["id"], "quantity": 1}
            made = self.call("POST", f"/v1/orders/{order_id}/returns", {"lines": [{**row, "reason": "too small"}]})
            if "id" in made:
                self.call("POST", f"/v1/returns/{made['id']}/approve", {})
                self.call("POST", f"/v1/returns/{made['id']}/receive", {"lines": [{**row, "condition": condition}]})
                self.world.step("return_order", "Return", order_id, return_id=made["id"])

    @rule()
    def stream(self) -> None:
        """Relay and stockkeeper get the news: arrivals are granted, short orders named, drains go on."""
        self.world.pump()

    # --- the laws ---

    @invariant()
    def law_1_holds(self) -> None:
        assert broken_laws() == []

    def teardown(self) -> None:
        self.world.pump()
        assert broken_laws() == []
        checked = self.call("GET", "/v1/inventory/check")
        assert (checked["data"], checked["checked"]["moving"]) == ([], 0)

    # --- helpers ---

    def _allocate(self, order_id: str) -> list[JSON]:
        self.world.step("allocate", "Allocate", order_id)
        known = {fo["id"] for fo in self.work}
        found = [fo for fo in self.world.order(order_id)["fulfillment_orders"] if fo["id"] not in known]
        self.work += found
        return found

    def _ship(self, fo: JSON, less: int = 0, short: bool = False) -> None:
        lines = [{"line_id": line["line_id"], "quantity": max(1, line["quantity"] - less)} for line in fo["lines"]]
        missing = [{"line_id": line["line_id"], "quantity": 1, "reason": "gone"} for line in fo["lines"] if line["quantity"] > max(1, less)]
        self.numbers += 1
        number = f"T{self.before}-{self.numbers}"
        packages = [{"reference": f"P{self.numbers}", "tracking_number": number, "lines": lines}]
        body = {"packages": packages, "short": missing if short and less else []}
        path = f"/v1/fulfillment-orders/{fo['id']}/ship"
        answer = self.world.call("POST", path, body)
        assert answer.status < 500, (path, body, answer)
        assert answer.body.get("type") != "urn:oms:problem:count-too-low" or self._counted_too_low(fo, lines), (path, body, answer)
        self.parcels += [(fo["order_id"], fo["id"], number)] if "id" in answer.body else []

    def _counted_too_low(self, fo: JSON, lines: list[JSON]) -> bool:
        skus = {line["line_id"]: line["sku"] for line in fo["lines"]}
        return any(self.world.figures(skus[row["line_id"]], fo["location_id"])[0] < row["quantity"] for row in lines)

    def _place(self, quantities: dict[str, int], *, backorder: bool = False, card: str = "approve", **more: Any) -> None:
        self.numbers += 1
        body = order_body(f"{self.before}-{self.numbers}", quantities=quantities)
        body["payments"][0]["token"] = f"tok_{card}"
        for line in body["lines"]:
            line["backorder"] = "allow" if backorder else "refuse"
        made = self.call("POST", "/v1/orders", {**body, **more})
        self.orders += [made["id"]] if made.get("status") == "open" else []

    def call(self, method: str, path: str, body: JSON | None = None) -> JSON:
        answer = self.world.call(method, path, body)
        assert answer.status < 500, (method, path, body, answer)
        content: JSON = answer.body
        return content


def broken_laws() -> list[str]:
    """Law 1, counted from the bare items; a second opinion beside the product's own check."""
    items = [decode(item) for item in client("dynamodb").scan(TableName="oms-inventory")["Items"]]
    places: dict[tuple[str, str], dict[str, int]] = {}
    promised: dict[tuple[str, str], int] = {}
    moved: dict[tuple[str, str], int] = {}
    queued: dict[str, int] = {}
    for item in items:
        kind, _, rest = item["sk"].partition("#")
        sku = item["pk"].split("#")[1] if item["pk"].startswith("sku#") else ""
        if kind == "stock":
            figures = places.setdefault((sku, rest), {})
            for name in ("on_hand", "reserved", "queued", "spare", "available", "safety_stock"):
                figures[name] = figures.get(name, 0) + item.get(name, 0)
        elif kind == "moved":
            place = rest.split("#")[0]
            moved[sku, place] = moved.get((sku, place), 0) + item["delta"]
        elif kind == "queue":
            queued[sku] = queued.get(sku, 0) + item["units"]
        elif item["pk"].startswith("reserved#"):
            for held, units in item["units"].items():
                at = (held, item["pk"].split("#")[1])
                promised[at] = promised.get(at, 0) + units
    out = []
    for at, figures in places.items():
        spare = figures["on_hand"] - figures["reserved"] - figures["safety_stock"]
        wanted = {
            "on_hand": moved.get(at, 0),
            "reserved": promised.pop(at, 0),
            "spare": spare,
            "available": spare - figures["queued"],
        }
        out += [f"{name} of {at} is {figures[name]}, not {right}" for name, right in wanted.items() if figures[name] != right]
        out += [f"{name} of {at} is {figures[name]}" for name in ("on_hand", "reserved", "queued") if figures[name] < 0]
    out += [f"{units} of {at} are promised and have no row" for at, units in promised.items() if units]
    for sku in {sku for sku, _ in places} | set(queued):
        owed = sum(figures["queued"] for (other, _), figures in places.items() if other == sku)
        out += [f"{owed} of {sku} are owed and {queued.get(sku, 0)} wait"] if owed != queued.get(sku, 0) else []
    return out


def _clear() -> None:
    for table in TABLES:
        items = client("dynamodb").scan(TableName=table)["Items"]
        for start in range(0, len(items), 25):
            keys = [{"DeleteRequest": {"Key": {"pk": item["pk"], "sk": item["sk"]}}} for item in items[start : start + 25]]
            client("dynamodb").batch_write_item(RequestItems={table: keys})


TestStock = Life.TestCase
TestStock.settings = settings(max_examples=200 if _THOROUGH else 14, stateful_step_count=50 if _THOROUGH else 30)


@pytest.mark.parametrize(
    ("figures", "law"),
    [
        ({"reserved": 1}, "reserved"),
        ({"available": 2}, "available"),
        ({"queued": 1, "available": -1}, "queued"),
        ({"on_hand": 1}, "on_hand"),
    ],
)
def test_a_write_that_breaks_a_law_is_found(figures: dict[str, int], law: str) -> None:
    """The test of the tests above: both opinions see it."""
    life = Life()
    life.open_shop({sku: dict.fromkeys(PLACES, 5) for sku in SKUS})
    assert broken_laws() == []
    client("dynamodb").update_item(
        TableName="oms-inventory",
        Key=encode({"pk": "sku#A", "sk": "stock#berlin"}),
        UpdateExpression="ADD " + ", ".join(f"{name} :{name}" for name in figures),
        ExpressionAttributeValues=encode({f":{name}": units for name, units in figures.items()}),
    )
    assert broken_laws()
    assert [row["law"] for row in life.call("GET", "/v1/inventory/check")["data"]] == [law]
