"""Every file in events/ is what its name says: it goes through the code that reads its kind and has the outcome it promises.

They all tell of one order, W-1001, as it would be with the id in `ORDER`; so each can be sent after the other.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.parts.routes import ROUTES
from oms.api.http import parsed
from oms.carriers.tracking import Tracking, apply, read_standard
from oms.errors import Conflict, Invalid, OmsError
from oms.flows import books_queue, relay
from oms.flows import exceptions as exception_flow
from oms.flows import payments as payment_flow
from oms.fulfillment import work
from oms.fulfillment.records import FulfillmentOrder
from oms.fulfillment.requests import CollectRequest, RejectRequest, RerouteRequest, ShipRequest
from oms.fulfillment.reroute import DrainRequest, reroute
from oms.inventory.loads import LoadRequest
from oms.inventory.repair_requests import RepairRequest
from oms.inventory.reservation_requests import FulfillRequest, ReservationChange, ReservationRequest, TransferRequest
from oms.inventory.stock_requests import AvailabilityQuery, ShardCount, StockBatch, StockCount
from oms.machines.executions import change_execution, fulfillment_execution, order_execution, return_execution, started_by
from oms.machines.outcomes import outcome
from oms.orders import capture
from oms.orders.hold_request import HoldRequest
from oms.orders.order import Order
from oms.orders.placing import PlaceOrder, content_digest, read_order
from oms.orders.pricing import price
from oms.orders.records import Entry
from oms.payments.account_settings import AccountSettings
from oms.payments.credit import CreditAccountRequest, CreditEntryRequest
from oms.payments.funds import open_amount
from oms.payments.ledger import fold
from oms.payments.news import read_sandbox
from oms.payments.receipts import ReceivedPayment, receive_payment
from oms.payments.stripe_news import read_stripe
from oms.payments.tender_request import Tender, read_tender
from oms.returns import returns
from oms.returns.preview import foresee
from oms.returns.rules import ReturnRule
from oms.returns.states import wants_label
from oms.routing.preview import RoutingPreview
from oms.routing.rules import CostTable, RuleGroup
from oms.routing.simulation_request import SimulationRequest
from oms.service import changes, claims, exceptions, goodwill, notes, reshipments
from oms.service.exchange_order import Desk
from oms.service.exchange_request import ExchangeRequest
from oms.service.exchanges import exchange
from oms.service.limits import RoleSettings
from oms.service.records import ProcessException, Wait
from oms.settings import ChannelSettings, LocationSettings, MethodSettings, ReasonSettings
from oms.storage import codec
from oms.storage.environment import environment
from oms.wire import Wire
from tests.unit.memory import GATEWAYS, NOW, World, claim, receive

ROOT = Path(__file__).resolve().parents[2]
ORDER = "ord_agrano3cviw6pldvhyia"
FILES = sorted(str(path.relative_to(ROOT / "events").with_suffix("")) for path in (ROOT / "events").rglob("*.json"))
STATES = "arn:aws:states:us-east-1:123456789012"
MACHINES = {"order": "ord_", "fulfillment": "fo_", "return": "ret_", "change": "chg_"}

# Bodies by the model that reads them. Those that some model refuses are in REFUSED, with where and why.
BODIES: dict[str, type[Wire]] = {
    **dict.fromkeys((name for name in FILES if name.startswith("orders/")), PlaceOrder),
    **dict.fromkeys((name for name in FILES if name.startswith("fulfillment/ship")), ShipRequest),
    **dict.fromkeys((name for name in FILES if name.startswith("returns/request")), returns.ReturnRequest),
    **dict.fromkeys((name for name in FILES if name.startswith("returns/receive")), returns.ReceiveRequest),
    **dict.fromkeys((name for name in FILES if name.startswith("tenders/")), Tender),
    "credit/gift_card": CreditAccountRequest,
    "credit/store_credit": CreditAccountRequest,
    "credit/correction": CreditEntryRequest,
    "fulfillment/short": ShipRequest,
    "fulfillment/reject": RejectRequest,
    "fulfillment/reject_one_line": RejectRequest,
    "fulfillment/collect": CollectRequest,
    "fulfillment/reroute": RerouteRequest,
    "fulfillment/drain": DrainRequest,
    "returns/reject": returns.ReasonRequest,
    "returns/label": returns.LabelRequest,
    "exceptions/retry": exceptions.RetryRequest,
    "exceptions/abandon": exceptions.CloseRequest,
    "exceptions/resolve_mark_delivered": exceptions.ResolveRequest,
    "exceptions/resolve_refund": exceptions.ResolveRequest,
    "service/hold": HoldRequest,
    "service/hold_that_the_fraud_team_releases": HoldRequest,
    "service/note": notes.NoteRequest,
    **dict.fromkeys((name for name in FILES if name.startswith("service/exchange")), ExchangeRequest),
    "service/reshipment": reshipments.ReshipRequest,
    "service/claim_lost_reship": claims.ClaimRequest,
    "service/claim_damaged_refund": claims.ClaimRequest,
    "service/goodwill": goodwill.GoodwillRequest,
    "service/goodwill_as_store_credit": goodwill.GoodwillRequest,
    "settings/location": LocationSettings,
    "settings/channel": ChannelSettings,
    "settings/method": MethodSettings,
    "settings/reason": ReasonSettings,
    "settings/reason_customers_may_give": ReasonSettings,
    "settings/return_rule": ReturnRule,
    "settings/return_rule_of_final_sales": ReturnRule,
    "settings/return_rule_with_fees": ReturnRule,
    "settings/channel_that_reclaims_promotions": ChannelSettings,
    "settings/role": RoleSettings,
    "settings/channel_with_remorse_delay": ChannelSettings,
    "settings/store_with_capacity": LocationSettings,
    "settings/channel_that_cancels": ChannelSettings,
    "settings/channel_that_spends_vouchers_first": ChannelSettings,
    "settings/account": AccountSettings,
    "settings/channel_that_invoices": ChannelSettings,
    "finance/bank_transfer": ReceivedPayment,
    "finance/more_than_open": ReceivedPayment,
    "settings/rule_group": RuleGroup,
    "settings/cost_table": CostTable,
    "simulation/preview": RoutingPreview,
    "simulation/simulation": SimulationRequest,
    "inventory/count": StockCount,
    "inventory/shards": ShardCount,
    "inventory/repairs": RepairRequest,
    "inventory/batch": StockBatch,
    "inventory/load": LoadRequest,
    "inventory/load_preview": LoadRequest,
    "inventory/availability": AvailabilityQuery,
    "inventory/reservation": ReservationRequest,
    "inventory/reservation_change": ReservationChange,
    "inventory/reservation_transfer": TransferRequest,
    "inventory/reservation_fulfill": FulfillRequest,
}
WHOLE = "must be a whole number (amounts are whole minor units: 12.50 EUR is 1250)"
REFUSED: dict[str, tuple[Callable[[Any], Any], dict[str, str]]] = {
    "orders/invalid_many_faults": (
        read_order,
        {
            "/currency": "not an ISO 4217 currency code in use, such as EUR",
            "/lines/0/quantity": "Input should be greater than or equal to 1",
            "/lines/1/unit_price": WHOLE,
            "/colour": "unknown field",
            "/lines": "'1' is used 2 times",
            "/lines/1/delivery_group": "there is no delivery group 'g9'",
            "/delivery_groups/1": "no line goes to this group",
        },
    ),
    "orders/uncovered_total": (
        lambda body: shop().take(body),
        {"/payments": "the payments add up to 3739 and the grand total is 3740; they must be equal"},
    ),
    "orders/tenders_that_make_no_sense": (
        read_order,
        {
            "/payments/0/token": "it was authorized elsewhere; leave the token out",
            "/payments/0/capture/amount": "2500 is captured of an authorization of 2000",
            "/payments/1/account_id": "required: the credit account that pays",
        },
    ),
    "inventory/reservation_sku_twice": (
        lambda body: parsed(body, ReservationRequest),
        {"/lines": "name each SKU once; more than once: MUG-BLUE"},
    ),
    "carriers/malformed": (
        read_standard,
        {
            "/status": "Input should be 'pre_transit', 'in_transit', 'out_for_delivery', 'delivered', 'failure' or 'return_to_sender'",
            "/occurred_at": "Invalid isoformat string: 'yesterday'",
        },
    ),
    "payments/malformed": (
        read_sandbox,
        {"/state": "Input should be 'requested', 'succeeded' or 'failed'", "/amount": WHOLE, "/occurred_at": "required"},
    ),
}
# What becomes of an order: its status when it is placed, what Allocate answers, and its grand total.
PLACED = {
    "two_lines_gross": ("open", "allocated", 3740),
    "same_number_other_content": ("open", "allocated", 4940),
    "declined_card": ("declined", "declined", 3740),
    "capture_declined_once": ("open", "allocated", 3740),
    "respond_async": ("open", "allocated", 3740),
    "held": ("on_hold", "wait_for_release", 3740),
    "two_cards": ("open", "allocated", 3740),
    "authorized_elsewhere": ("open", "allocated", 3740),
    "captured_elsewhere_a_cent_off": ("on_hold", "wait_for_release", 3740),
    "every_field": ("on_hold", "wait_for_release", 4440),
    "on_terms": ("open", "allocated", 3740),
    "backordered": ("open", "wait_for_stock", 294490),
    "two_groups": ("open", "allocated", 8780),
    "net_with_two_taxes": ("open", "allocated", 5269),
}
# What the location's word makes of its fulfillment order: its status, its parcels, the units it gave back.
WORKED = {
    "ship_one_parcel": ("shipped", 1, 0),
    "ship_two_parcels": ("shipped", 2, 0),
    "short": ("shipped", 1, 1),
    "reject": ("rejected", 0, 3),
    "reject_one_line": ("released", 0, 1),
    "collect": ("delivered", 1, 0),
    "reroute": ("rejected", 0, 3),
}
# News of a payment of which 37.40 have been captured: whether it is news, then captured, refunded, failed, charged back.
NEWS = {
    "capture_succeeded": (False, 3740, 0, 0, 0),  # the answer to our own request has said so
    "capture_requested_late": (False, 3740, 0, 0, 0),
    "chargeback": (True, 3740, 0, 0, 3740),
    "refund_failed": (True, 3740, 0, 1200, 0),
    "of_nobody": (False, 3740, 0, 0, 0),
}
STRIPE = {
    "stripe_authorized": ("authorization", "succeeded", 3740, "pi_3QOms0Example"),
    "stripe_captured": ("capture", "succeeded", 3740, "ch_3QOms0Example"),
    "stripe_expired": ("expiry", "succeeded", 3740, "expiry:pi_3QOms0Example"),
    "stripe_refunded": ("refund", "succeeded", 1200, "re_3QOms0Example"),
    "stripe_disputed": ("chargeback", "succeeded", 3740, "dp_1QOmsExample"),
    "stripe_inquired": ("chargeback", "requested", 3740, "dp_2QOmsExample"),
}
# What the new goods of an exchange cost, and how much of it the old ones bring.
EXCHANGED = {
    "exchange": (1200, 1200),
    "exchange_dearer": (5390, 1200),
    "exchange_in_advance": (1200, 1200),
    "exchange_cheaper": (850, 2762),
}
STEPS = [name for name in FILES if name.startswith("steps/")]
PARCELS = ["in_transit", "delivered", "in_transit_late", "return_to_sender"]
FILES_OF_SIMULATIONS = ["simulation/locations", "simulation/stock"]  # tests/unit/simulation plays them
OTHERS = [
    *FILES_OF_SIMULATIONS,
    "carriers/unknown_type",
    "payments/unknown_type",
    "http/post_order",
    "stream/timeline_insert",
    "books/notices",
]


def event(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


def shop() -> World:
    """The sample stock of `make start`, as far as the events need it."""
    mugs, tea = {"berlin": 500, "lyon": 200}, {"berlin": 800, "lyon": 300}
    return World({"MUG-BLUE": mugs, "TEA-EARL-GREY": tea, "POT-CAST-IRON": {"lyon": 40, "amsterdam": 4}})


@pytest.fixture(autouse=True)
def one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every order placed here is the example order."""
    monkeypatch.setattr(capture, "new_order_id", lambda: ORDER)


@pytest.fixture
def world() -> World:
    return shop()


@pytest.fixture
def released(world: World) -> tuple[Order, FulfillmentOrder]:
    return world.allocated(event("orders/two_lines_gross"))


@pytest.fixture
def parcelled(world: World, released: tuple[Order, FulfillmentOrder]) -> Order:
    """The example order, on its way in one parcel and paid for."""
    order, fo = released
    do(world, order, fo, "ship_one_parcel")
    for shipment in order.shipments.values():
        world.invoice(order, shipment)
    return order


def do(world: World, order: Order, fo: FulfillmentOrder, name: str) -> None:
    """What the location says in events/fulfillment."""
    request: Any = BODIES[f"fulfillment/{name}"].model_validate(event(f"fulfillment/{name}"))
    if isinstance(request, ShipRequest):
        numbers = [package.tracking_number for package in request.packages if package.tracking_number]
        work.ship(order, fo, request, {key: made for number in numbers for key, made in claim(number).items()})
    elif isinstance(request, RejectRequest):
        work.reject(order, fo, request)
    elif isinstance(request, RerouteRequest):
        reroute(order, fo, world.rows, world.settings, to=request.location_id, reason=request.reason)
    else:
        work.collect(order, fo, request)
    world.commit(order)


def test_every_file_is_used() -> None:
    used = {*BODIES, *REFUSED, *OTHERS, *STEPS, *(f"machines/{name}" for name in MACHINES)}
    used |= {f"carriers/{name}" for name in PARCELS} | {f"payments/{name}" for name in (*NEWS, *STRIPE)}
    assert used == set(FILES)
    played = {f"orders/{name}" for name in PLACED} | {f"fulfillment/{name}" for name in WORKED}
    assert played | {"fulfillment/ship_too_much", "fulfillment/drain"} == {
        name for name in FILES if name.startswith(("orders/", "fulfillment/"))
    } - {*REFUSED}


@pytest.mark.parametrize("name", [name for name in BODIES if name != "orders/invalid_many_faults"])
def test_a_body_is_read_without_loss(name: str) -> None:
    assert BODIES[name].model_validate(event(name)).model_dump(exclude_unset=True, by_alias=True) == event(name)


@pytest.mark.parametrize("name", REFUSED)
def test_a_faulty_body_is_refused_with_all_its_faults(name: str) -> None:
    read, faults = REFUSED[name]
    with pytest.raises(Invalid) as refused:
        read(event(name))
    assert {fault.pointer: fault.detail for fault in refused.value.errors} == faults


@pytest.mark.parametrize("name", PLACED)
def test_what_becomes_of_an_order(name: str, world: World) -> None:
    status, next_, total = PLACED[name]
    body = event(f"orders/{name}")
    order = world.place(body)
    assert (order.summary.status, price(read_order(body)).totals.grand_total) == (status, total)
    assert world.allocate(order) == next_


def test_the_same_number_with_other_content_is_another_order() -> None:
    first, other = (read_order(event(f"orders/{name}")) for name in ("two_lines_gross", "same_number_other_content"))
    assert (first.channel, first.order_number) == (other.channel, other.order_number)
    assert content_digest(first) != content_digest(other)


def test_two_groups_become_work_of_two_locations(world: World) -> None:
    order, _ = world.allocated(event("orders/two_groups"))
    places = [(fo.delivery_group, fo.location_id) for fo in order.fulfillment_orders.values()]
    assert places == [("g1", "berlin"), ("g2", "amsterdam")]


def test_another_card_pays_a_declined_order(world: World) -> None:
    order = world.place(event("orders/declined_card"))
    capture.retry_declined(order, read_tender(event("tenders/another_card")), world.rows, world.settings, GATEWAYS, "me")
    world.commit(order)
    capture.conclude_capture(order, capture.authorize(order, GATEWAYS))
    world.commit(order)
    assert order.summary.status == "open"


def test_a_capture_that_is_declined_once_succeeds_the_next_time(world: World) -> None:
    order = world.place(event("orders/capture_declined_once"))
    (payment,) = order.payments.values()
    captured = []
    for _ in range(2):
        world.move(order, "capture", "inv_1", 3740)
        captured.append(fold(payment).captured)
    assert captured == [0, 3740]


@pytest.mark.parametrize("name", WORKED)
def test_what_a_location_says(name: str, world: World, released: tuple[Order, FulfillmentOrder]) -> None:
    order, fo = released
    do(world, order, fo, name)
    assert (fo.status, len(order.shipments), sum(line.rejected for line in fo.lines.values())) == WORKED[name]


def test_more_than_there_is_to_ship_is_refused(world: World, released: tuple[Order, FulfillmentOrder]) -> None:
    with pytest.raises(Conflict, match="line 1: 3 asked, 2 open"):
        do(world, *released, "ship_too_much")


def test_a_parcels_news(parcelled: Order) -> None:
    assert [_track(parcelled, name) for name in ("in_transit", "delivered", "delivered", "in_transit_late")] == [True, True, False, False]
    assert _outcome(parcelled) == {"next": "delivered"}


def test_a_parcel_that_comes_back_calls_somebody(parcelled: Order) -> None:
    assert [_track(parcelled, name) for name in ("return_to_sender", "delivered")] == [True, False]
    assert _outcome(parcelled) == "ReturnedToSender"


def test_types_that_we_do_not_know_are_ignored() -> None:
    assert read_standard(event("carriers/unknown_type")) is None
    assert read_sandbox(event("payments/unknown_type")) == []
    assert read_stripe(event("payments/unknown_type")) == []


@pytest.mark.parametrize("name", STRIPE)
def test_stripes_news(name: str) -> None:
    (news,) = read_stripe(event(f"payments/{name}"))
    assert (news.kind, news.state, news.amount, news.reference) == STRIPE[name]
    assert (news.currency, news.of) == ("EUR", "pi_3QOms0Example")


@pytest.mark.parametrize("name", NEWS)
def test_a_gateways_news(name: str, parcelled: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payment_flow, "update", lambda order_id, command, cause: command(parcelled))
    (news,) = read_sandbox(event(f"payments/{name}"))
    changed = [payment_flow.note(news, "sandbox", "msg_1") for _ in range(2)]
    (payment,) = parcelled.payments.values()
    sums = fold(payment)
    assert (changed[0], sums.captured, sums.refunded, sums.failed, sums.charged_back) == NEWS[name]
    assert not changed[1], "a repetition changes nothing"


@pytest.mark.parametrize(
    ("name", "credited", "restocked"),
    [("receive", 1200, 1), ("receive_damaged", 1200, 0), ("receive_wrong_item", 0, 0), ("receive_more_and_a_stranger", 2400, 2)],
)
def test_a_return(name: str, credited: int, restocked: int, world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    before = world.row("MUG-BLUE").on_hand
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(event("returns/request")), world.settings)
    returns.approve(order, ret)
    returns.receive(order, ret, returns.ReceiveRequest.model_validate(event(f"returns/{name}")), world.settings)
    memo = world.settle(order, ret)
    assert (memo.total_amount if memo else 0, world.row("MUG-BLUE").on_hand - before) == (credited, restocked)


def test_goods_that_are_handed_over_at_once(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    request = returns.ReturnRequest.model_validate(event("returns/request_immediate"))
    ret = returns.request_return(order, request, world.settings, by="ann")
    memo = world.settle(order, ret)
    assert (ret.status, memo and memo.total_amount, fold(next(iter(order.payments.values()))).refunded) == ("settled", 1200, 1080)


def test_one_line_is_replaced_and_one_is_given_as_store_credit(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(event("returns/request_mixed")), world.settings)
    returns.approve(order, ret)
    assert (wants_label(ret), [label.carrier for label in ret.labels]) == (True, [event("returns/label")["carrier"]])
    for line in ret.lines:
        receive(order, world, ret, line.line_id, 1)
    memo = world.settle(order, ret)
    assert (ret.status, memo and (memo.into, memo.total_amount), order.summary.lines["1"].reshipped) == (
        "settled",
        ("store_credit", 850),
        1,
    )


def test_of_two_units_of_a_line_one_is_refunded_and_one_replaced(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    request = returns.ReturnRequest.model_validate(event("returns/request_refund_and_replace"))
    ret = returns.request_return(order, request, world.settings)
    returns.approve(order, ret)
    receive(order, world, ret, "1", 2)
    memo = world.settle(order, ret)
    state = order.summary.lines["1"]
    assert (ret.status, memo and memo.total_amount, state.returned, state.reshipped) == ("settled", 1200, 1, 1)


def test_a_preview_of_a_return(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    request = returns.ReturnRequest.model_validate(event("returns/request_preview"))
    _, _, figures = foresee(order, lambda copy: returns.request_return(copy, request, world.settings))
    assert (figures["refund_due"], figures["delivery_amount"], order.returns) == (1381, -181, {})


def test_a_replacement_that_nobody_has_is_resolved_as_a_refund(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(event("returns/request_mixed")), world.settings)
    problem = exceptions.open_exception(order, ret.id, "Return", "NoReplacement", "none left", "", NOW)
    request = exceptions.ResolveRequest.model_validate(event("exceptions/resolve_refund"))
    exceptions.resolve(order, problem, request.action, request.note)
    assert [line.resolution for line in ret.lines] == ["refund", "store_credit"]


def test_a_return_that_is_refused(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    with pytest.raises(Conflict) as refused:
        returns.request_return(order, returns.ReturnRequest.model_validate(event("returns/request_too_many")), world.settings)
    assert [fault.detail for fault in refused.value.errors] == ["3 asked, 2 can be returned"]
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(event("returns/request")), world.settings)
    returns.reject(order, ret, returns.ReasonRequest.model_validate(event("returns/reject")).reason)
    assert (ret.status, ret.reason) == ("rejected", "worn")


@pytest.mark.parametrize("name", EXCHANGED)
def test_an_exchange(name: str, world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    desk = Desk(
        settings=world.settings,
        gateways=GATEWAYS,
        stock=lambda skus: world.rows,
        sweep=lambda skus: False,
        left=lambda stock: None,
        has_number=lambda channel, number: False,
        account=lambda request: None,
    )
    (change,) = exchange(order, ExchangeRequest.model_validate(event(f"service/{name}")), desk, "client:crm")
    (made,) = order.born
    about = change.exchange
    assert about is not None
    assert (about.price, about.expected, made.placed.order_number) == (*EXCHANGED[name], "W-1001-E1")
    assert made.summary.status == ("open" if name in ("exchange", "exchange_cheaper") else "received")


def test_a_failed_step_becomes_an_exception_without_its_stack_trace(parcelled: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _raised(parcelled, event("steps/raise_exception"), monkeypatch)
    invoice = "inv_agrano3cviw6pldvhyia_1"
    assert problem.cause == f"PaymentDeclined: the capture of 37.40 EUR for {invoice} was declined: card_declined"
    assert (problem.kind, problem.step, problem.actions) == ("payment", "Capture payment", ["retry", "resolve:release_anyway", "abandon"])


@pytest.mark.parametrize(("name", "next_"), [("retry", "capture_payment"), ("abandon", "abandoned")])
def test_an_exceptions_way_on(name: str, next_: str, parcelled: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = _raised(parcelled, event("steps/raise_exception"), monkeypatch)
    if name == "retry":
        exceptions.retry(parcelled, problem, exceptions.RetryRequest.model_validate(event("exceptions/retry")))
    else:
        exceptions.abandon(parcelled, problem, exceptions.CloseRequest.model_validate(event("exceptions/abandon")).note)
    resumed = outcome(parcelled, Wait(id=problem.id, state="Raise exception: Capture payment", token="t", entered=NOW))
    assert resumed is not None
    assert resumed.output == {"next": next_}


def test_a_parcel_that_came_back_is_resolved_as_delivered(parcelled: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    _track(parcelled, "return_to_sender")
    failed = {"failed_step": "Deliver", "error": {"Error": "ReturnedToSender", "Cause": "the carrier returns TRK-1001 to the sender"}}
    problem = _raised(parcelled, event("steps/raise_exception") | failed, monkeypatch)
    request = exceptions.ResolveRequest.model_validate(event("exceptions/resolve_mark_delivered"))
    exceptions.resolve(parcelled, problem, request.action, request.note)
    assert _outcome(parcelled) == {"next": "delivered"}


@pytest.mark.parametrize("machine", MACHINES)
def test_the_input_of_an_execution(machine: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    ret = returns.request_return(order, returns.ReturnRequest.model_validate(event("returns/request")), world.settings)
    execution = {
        "order": lambda: order_execution(order),
        "fulfillment": lambda: fulfillment_execution(order, next(iter(order.fulfillment_orders))),
        "return": lambda: return_execution(order, ret.id),
        "change": lambda: change_execution(order, changes.open_change(order, "cancellation", worth=1200).id),
    }[machine]()
    started: dict[str, Any] = {}
    monkeypatch.setattr(relay, "client", lambda service: SimpleNamespace(start_execution=started.update))
    for name in MACHINES:
        monkeypatch.setenv(f"{name.upper()}_MACHINE_ARN", f"{STATES}:stateMachine:oms-{name}")
    environment.cache_clear()
    relay.start(order, execution)
    environment.cache_clear()
    assert json.loads(started["input"]) == event(f"machines/{machine}")
    assert started["name"].startswith(MACHINES[machine])


def test_a_stream_batch_is_the_timeline_without_gaps(world: World) -> None:
    records = event("stream/timeline_insert")["Records"]
    images = [codec.decode(record["dynamodb"]["NewImage"]) for record in records]
    entries = [Entry.model_validate(image) for image in images]
    assert {image["pk"] for image in images} == {ORDER}
    assert [record["dynamodb"]["Keys"]["sk"]["S"] for record in records] == [f"timeline#{entry.sequence:08d}" for entry in entries]
    assert [entry.sequence for entry in entries] == [1 + sum(len(e.facts) for e in entries[:n]) for n in range(len(entries))]
    order, _ = world.allocated(event("orders/two_lines_gross"))
    started = [started_by(order, fact.type, fact.data) for entry in entries for fact in entry.facts]
    assert [execution.machine for execution in started if execution] == ["order", "fulfillment"]


def test_a_batch_of_the_books_queue_is_a_notice_of_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    (record,) = event("books/notices")["Records"]
    sent = books_queue.message(books_queue.Notice(ORDER, "web", "10", (9,)))
    assert (record["body"], record["attributes"]["MessageGroupId"]) == (sent["MessageBody"], sent["MessageGroupId"])
    assert record["attributes"]["MessageDeduplicationId"] == sent["MessageDeduplicationId"]
    handler = importlib.import_module("functions.bookkeeper.handler")
    seen: list[str] = []

    def keep_books(order_ids: list[str]) -> dict[str, Exception]:
        seen.extend(order_ids)
        return dict.fromkeys(order_ids, RuntimeError("no"))

    monkeypatch.setattr(handler, "keep_books", keep_books)
    context = SimpleNamespace(aws_request_id="r", function_name="f", memory_limit_in_mb=1, invoked_function_arn="a")
    assert handler.handler(event("books/notices"), context) == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
    assert seen == [ORDER]


def test_money_received_for_an_invoice_counts_or_moves_nothing(world: World) -> None:
    order = world.delivered(event("orders/two_lines_gross"))
    (invoice,) = order.invoices.values()
    for payment in order.payments.values():
        payment.events = []
    with pytest.raises(Invalid, match=r"is more than the 37\.40 EUR that is open"):
        receive_payment(order, invoice.id, ReceivedPayment.model_validate(event("finance/more_than_open")))
    receive_payment(order, invoice.id, ReceivedPayment.model_validate(event("finance/bank_transfer")))
    assert open_amount(order, invoice) == 0


def test_a_whole_http_event_reaches_the_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = importlib.import_module("functions.capture.handler")
    seen: list[Any] = []

    def place(request: PlaceOrder, asked: Any, *, actor: str, later_on: bool) -> Any:
        seen.extend((request, asked.key, actor, later_on))
        raise OmsError("seen", kind="seen", status=418)

    monkeypatch.setattr(handler, "place", place)
    context = SimpleNamespace(aws_request_id="r", function_name="f", memory_limit_in_mb=1, invoked_function_arn="a")
    assert handler.handler(event("http/post_order"), context)["statusCode"] == 418
    assert seen == [read_order(event("orders/two_lines_gross")), "7a1c0f0e-1001", "client:storefront", False]


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_steps_payload_is_what_the_machine_sends(name: str) -> None:
    from infra.parts.synth import definition

    sent = event(name)
    machine = next(key for key, prefix in MACHINES.items() if sent["execution"].startswith(prefix))
    payload = definition(machine)["States"][sent["step"]]["Parameters"]["Payload"]
    assert {key.removesuffix(".$") for key in payload} == set(sent)
    assert {key: sent[key] for key in payload if not key.endswith(".$")}.items() <= payload.items()
    assert _ids(sent["input"]) == _ids(event(f"machines/{machine}"))


@pytest.mark.slow
def test_relay_is_sent_every_record_of_the_batch() -> None:
    from infra.parts.events import OF_ORDERS

    wanted: Any = OF_ORDERS
    for record in event("stream/timeline_insert")["Records"]:
        assert record["eventName"] in wanted["eventName"]
        assert record["dynamodb"]["Keys"]["sk"]["S"].startswith(wanted["dynamodb"]["Keys"]["sk"]["S"][0]["prefix"])


def test_the_readme_names_routes_and_files_that_exist() -> None:
    text = (ROOT / "README.md").read_text().replace("\\\n", "")
    named = set(re.findall(r"events/([a-z_]+/[a-z_]+)\.json", text))
    assert {"orders/two_lines_gross", "carriers/delivered"} <= named <= set(FILES)
    calls = re.findall(r"curl -s (?:-X (\w+) )?\"\$API(/v1/[^\"?]*)[^\"]*\"(.*)", text)
    assert len(calls) == text.count('"$API/v1/')
    for method, path, rest in calls:
        used = method or ("POST" if " -d " in rest or " --data" in rest else "GET")
        assert any(route.method == used and _serves(route.path, path) for route in ROUTES), f"{used} {path}"


def _serves(route: str, path: str) -> bool:
    return bool(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), re.sub(r"\$(\w+|\{[^}]*\})", "x", path)))


def _track(order: Order, name: str) -> bool:
    news = read_standard(event(f"carriers/{name}"))
    assert isinstance(news, Tracking)
    parcel = next(parcel for parcel in order.shipments.values() if parcel.tracking_number == news.tracking_number)
    return apply(order, parcel, news)


def _outcome(order: Order) -> Any:
    """What the Deliver state of the example order is resumed with."""
    fo = next(iter(order.fulfillment_orders))
    resumed = outcome(order, Wait(id=fo, state="Deliver", token="t", entered=NOW))
    return resumed and (resumed.error or resumed.output)


def _raised(order: Order, sent: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> ProcessException:
    monkeypatch.setattr(exception_flow, "update", lambda order_id, command, cause: command(order))
    monkeypatch.setattr(exception_flow, "wait_for", lambda *waits: None)
    return order.exceptions[exception_flow.raise_exception(sent)]


def _ids(given: dict[str, Any]) -> dict[str, Any]:
    """An execution's input as it was started, without what its states have added."""
    return {key: value for key, value in given.items() if key not in ("outcome", "error")}
