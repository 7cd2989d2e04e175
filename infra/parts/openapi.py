"""The description of the API, made at synth from the table of routes and the code's own models; query_api serves the file."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from infra.parts.routes import ROUTES, Route
from oms.carriers.tracking import Tracking
from oms.fulfillment.requests import CollectRequest, RejectRequest, RerouteRequest, ShipRequest
from oms.fulfillment.reroute import DrainRequest
from oms.inventory.load_outcomes import Tally
from oms.inventory.loads import LoadRequest
from oms.inventory.repair_requests import RepairRequest
from oms.inventory.reservation_requests import FulfillRequest, ReservationChange, ReservationRequest, TransferRequest
from oms.inventory.stock_requests import AvailabilityQuery, ShardCount, StockBatch, StockCount
from oms.money.currencies import EXPONENTS
from oms.orders.hold_request import HoldRequest
from oms.orders.placing import PlaceOrder
from oms.orders.records import Hold, Note
from oms.orders.totals import Totals
from oms.payments.account_settings import AccountSettings
from oms.payments.credit import CreditAccountRequest, CreditEntryRequest
from oms.payments.journal import JournalEntry
from oms.payments.news import SandboxNews
from oms.payments.receipts import ReceivedPayment
from oms.payments.records import CreditMemo, Invoice, PaymentEvent
from oms.payments.tender_request import Tender
from oms.returns.returns import LabelRequest, ReasonRequest, ReceiveRequest, ReturnRequest
from oms.returns.rules import ReturnRule
from oms.routing.preview import RoutingPreview
from oms.routing.rules import CostTable, PostalArea, RuleGroup
from oms.routing.simulation_request import SimulationRequest
from oms.service.adjustments import AdjustRequest
from oms.service.cancellations import CancelRequest, CancelResponse
from oms.service.claims import ClaimRequest
from oms.service.edits import EditRequest
from oms.service.exceptions import CloseRequest, ResolveRequest
from oms.service.exchange_request import ExchangeRequest
from oms.service.goodwill import GoodwillRequest
from oms.service.limits import RoleSettings
from oms.service.notes import NoteRequest
from oms.service.reshipments import ReshipRequest
from oms.service.tracking import TrackingRequest
from oms.settings import KINDS, SINGLE, ChannelSettings, LocationSettings, MethodSettings, ReasonSettings
from oms.wire import NoBody

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
_REF = "#/components/schemas/{model}"

# Routes with several actions are described action by action.
ACTIONS: dict[str, dict[str, type[BaseModel]]] = {
    "POST /v1/fulfillment-orders/{id}/{action}": {
        **dict.fromkeys(("accept", "pick", "pack", "ready", "hold", "release", "deliver"), NoBody),
        "reject": RejectRequest,
        "reroute": RerouteRequest,
        "ship": ShipRequest,
        "collect": CollectRequest,
        "cancel-response": CancelResponse,
    },
    "POST /v1/approvals/{id}/{action}": dict.fromkeys(("approve", "reject"), ReasonRequest),
    "POST /v1/inventory/loads/{id}/{action}": dict.fromkeys(("approve", "cancel", "revert"), NoBody),
    "POST /v1/returns/{id}/{action}": {
        **dict.fromkeys(("approve", "reject", "cancel", "close"), ReasonRequest),
        "receive": ReceiveRequest,
        "labels": LabelRequest,
        "notes": NoteRequest,
    },
    "POST /v1/exceptions/{id}/{action}": {
        "retry": CloseRequest,
        "resolve": ResolveRequest,
        "abandon": CloseRequest,
        "notes": NoteRequest,
    },
}
BODIES: dict[str, type[BaseModel]] = {
    "POST /v1/orders": PlaceOrder,
    "POST /v1/orders/{id}/payments": Tender,
    "POST /v1/orders/{id}/holds": HoldRequest,
    "POST /v1/orders/{id}/notes": NoteRequest,
    "POST /v1/orders/{id}/cancellations": CancelRequest,
    "POST /v1/orders/{id}/adjustments": AdjustRequest,
    "POST /v1/orders/{id}/edits": EditRequest,
    "POST /v1/orders/{id}/reshipments": ReshipRequest,
    "POST /v1/orders/{id}/refunds": GoodwillRequest,
    "POST /v1/shipments/{id}/claims": ClaimRequest,
    "POST /v1/orders/{id}/returns": ReturnRequest,
    "POST /v1/orders/{id}/exchanges": ExchangeRequest,
    "POST /v1/track/{token}/cancellations": CancelRequest,
    "POST /v1/track/{token}/returns": ReturnRequest,
    "POST /v1/track/{token}/exchanges": ExchangeRequest,
    "POST /v1/track/requests": TrackingRequest,
    "PUT /v1/inventory/{sku}/{location_id}": StockCount,
    "PUT /v1/inventory/{sku}/{location_id}/shards": ShardCount,
    "POST /v1/inventory/batch": StockBatch,
    "POST /v1/inventory/loads": LoadRequest,
    "POST /v1/inventory/availability": AvailabilityQuery,
    "POST /v1/inventory/repairs": RepairRequest,
    "POST /v1/reservations": ReservationRequest,
    "PATCH /v1/reservations/{id}": ReservationChange,
    "POST /v1/reservations/{id}/transfer": TransferRequest,
    "POST /v1/reservations/{id}/fulfill": FulfillRequest,
    "POST /v1/locations/{id}/drain": DrainRequest,
    "PUT /v1/locations/{id}": LocationSettings,
    "PUT /v1/channels/{id}": ChannelSettings,
    "PUT /v1/methods/{id}": MethodSettings,
    "PUT /v1/reasons/{id}": ReasonSettings,
    "PUT /v1/return-rules/{id}": ReturnRule,
    "PUT /v1/roles/{id}": RoleSettings,
    "PUT /v1/accounts/{id}": AccountSettings,
    "PUT /v1/credit-accounts/{id}": CreditAccountRequest,
    "POST /v1/credit-accounts/{id}/entries": CreditEntryRequest,
    "PUT /v1/routing/rule-groups/{id}": RuleGroup,
    "PUT /v1/routing/cost-tables/{id}": CostTable,
    "PUT /v1/routing/postal-areas/{id}": PostalArea,
    "POST /v1/routing/preview": RoutingPreview,
    "POST /v1/routing/simulations": SimulationRequest,
    "POST /v1/invoices/{id}/payments": ReceivedPayment,
    "POST /v1/webhooks/carriers/{carrier}": Tracking,
    "POST /v1/webhooks/payments/{gateway}": SandboxNews,
}
_CHANGES = ("cancellations", "adjustments", "edits", "exchanges", "reshipments", "refunds")
ANSWERS: dict[str, tuple[str, ...] | str] = {
    **{f"/v1/orders/{{id}}/{name}": ("Changed", "Quote") for name in _CHANGES},
    "/v1/shipments/{id}/claims": ("Changed", "Quote"),
    "/v1/approvals": "Changed",
    "/v1/orders/{id}/returns": ("Return", "Quote", "Changed"),
    "/v1/orders": "Order",
    "/v1/returns/{id}/{action}": ("Return", "Changed"),
    "/v1/returns": "Return",
    "/v1/fulfillment-orders": "FulfillmentOrder",
    "/v1/exceptions": "ProcessException",
    "/v1/invoices": "InvoiceDocument",
    "/v1/credit-memos": "CreditMemoDocument",
    "/v1/journal": "JournalEntry",
    **{f"/v1/track/{{token}}/{name}": ("TrackedChange", "Quote") for name in ("cancellations", "exchanges")},
    "/v1/track/{token}/returns": ("ReturnSummary", "Quote"),
    "/v1/track/{token}": "Tracked",
    "/v1/customers": "Customer360",
    "/v1/reservations": "Reservation",
    "/v1/inventory/loads": "Load",
}
"""By how the path begins, the first that fits; several: a preview answers otherwise, and so does what waits for approval."""
_QUERY = {
    "GET /v1/orders": ("customer_id", "channel", "order_number", "status", "tracking_number", "from", "to", "limit", "cursor"),
    "GET /v1/orders/{id}/timeline": ("limit", "cursor"),
    "GET /v1/customers/{id}": ("limit", "cursor"),
    "GET /v1/credit-accounts/{id}": ("limit", "cursor"),
    "GET /v1/inventory/{sku}/{location_id}/movements": ("limit", "cursor"),
    "GET /v1/inventory/check": ("location_id", "sku", "cursor"),
    "GET /v1/orders/{id}/lines": ("limit", "cursor"),
    "GET /v1/orders/{id}/fulfillment-orders": ("cursor",),
    "GET /v1/orders/{id}/shipments": ("cursor",),
    "GET /v1/orders/{id}/invoices": ("cursor",),
    "GET /v1/orders/{id}/credit-memos": ("cursor",),
    "GET /v1/backorders": ("sku", "limit", "cursor"),
    "GET /v1/inventory/changes": ("limit", "cursor"),
    "GET /v1/fulfillment-orders": ("location_id", "status", "limit", "cursor"),
    "GET /v1/returns": ("status", "tracking_number", "limit", "cursor"),
    **dict.fromkeys(("GET /v1/invoices", "GET /v1/credit-memos"), ("order_id", "number", "channel", "limit", "cursor")),
    **dict.fromkeys(("GET /v1/invoices/{id}", "GET /v1/credit-memos/{id}"), ("cursor",)),
    "GET /v1/journal": ("date", "format", "limit", "cursor"),
    "GET /v1/exceptions": ("status", "kind", "step", "limit", "cursor"),
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        for path, body in _operations(route):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, body)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Order management", "version": "1", "description": "Amounts are whole minor units of the order's currency."},
        "paths": paths,
        "components": {
            "schemas": {**_request_schemas(), **_answer_schemas()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operations(route: Route) -> list[tuple[str, type[BaseModel] | None]]:
    name = f"{route.method} {route.path}"
    if name in ACTIONS:
        return [(route.path.replace("{action}", action), body) for action, body in ACTIONS[name].items()]
    return [(route.path, BODIES.get(name))]


def _operation(route: Route, path: str, body: type[BaseModel] | None) -> dict[str, Any]:
    kinds = next((schemas for prefix, schemas in ANSWERS.items() if route.path.startswith(prefix)), ())
    shown = {"application/json": {"schema": _any_of((kinds,) if isinstance(kinds, str) else kinds)}}
    good = {"description": "As asked", "content": {"text/html": {"schema": {"type": "string"}}} if path.endswith("/html") else shown}
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '').replace('-', '_')}",
        "summary": _summary(route),
        "parameters": [_parameter(name, "path") for name in _names(path)]
        + [_parameter(name, "query") for name in _QUERY.get(f"{route.method} {route.path}", ())],
        "responses": {"2XX": good, "4XX": _problem()},
    }
    if route.method != "GET":
        operation["parameters"].append(_parameter("Idempotency-Key", "header"))
    if body:
        operation["requestBody"] = {"content": {"application/json": {"schema": {"$ref": _REF.format(model=body.__name__)}}}}
    if route.scope:
        operation["security"] = [{"token": [f"oms/{scope}"]} for scope in route.scope.split()]  # one of them is enough
    return operation


def _any_of(kinds: tuple[str, ...]) -> dict[str, Any]:
    schemas = [{"$ref": _REF.format(model=kind)} for kind in kinds]
    return {"anyOf": schemas} if len(schemas) > 1 else schemas[0] if schemas else {}


def _problem() -> dict[str, Any]:
    return {"description": "What is wrong", "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}}


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}


def _summary(route: Route) -> str:
    """The docstring of the handler's function for this route: what the code says of itself."""
    for pattern, text in _docstrings(route.function):
        method, path = pattern
        if method == route.method.lower() and _shape(path) == _shape(route.path):
            return text
    return ""


@cache
def _docstrings(function: str) -> list[tuple[tuple[str, str], str]]:
    found = []
    for node in ast.walk(ast.parse((FUNCTIONS / function / "handler.py").read_text())):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
                    path = ast.literal_eval(decorator.args[0])
                    found.append(((decorator.func.attr, path), ast.get_docstring(node) or ""))
    return found


def _shape(path: str) -> tuple[str, ...]:
    """A path by its fixed parts: {id} and <order_id> are the same, and so is <kind> with the kinds it stands for."""
    parts = ["*" if part[:1] in "{<" else part for part in path.strip("/").split("/")]
    kinds = (*KINDS, *SINGLE)
    return tuple("*" if part in kinds else part for part in parts)


def _request_schemas() -> dict[str, Any]:
    models = {*BODIES.values(), *(body for actions in ACTIONS.values() for body in actions.values())}
    kinds: list[type[BaseModel]] = [
        *sorted(models, key=lambda model: model.__name__),
        Totals,
        Invoice,
        CreditMemo,
        JournalEntry,
        PaymentEvent,
        Hold,
        Note,
    ]
    _, schemas = models_json_schema([(model, "validation") for model in kinds], ref_template=_REF)
    definitions: dict[str, Any] = schemas["$defs"]
    return definitions


def _answer_schemas() -> dict[str, Any]:
    """Answers that are views of several records; their fields are those of oms.orders.view."""
    text, number = {"type": "string"}, {"type": "integer"}
    listed = {"type": "array", "items": {"type": "object"}}

    def ref(name: str, many: bool = False) -> dict[str, Any]:
        schema = {"$ref": _REF.format(model=name)}
        return {"type": "array", "items": schema} if many else schema

    texts = ("id", "channel", "order_number", "tax_mode", "placed_at", "status", "payment_status", "money_owed", "fulfillment_status")
    order = {
        **dict.fromkeys((*texts, "delivery_status", "return_status"), text),
        "version": number,
        "currency": {"type": "string", "enum": sorted(EXPONENTS)},
        "attention": {"type": "array", "items": text},
        "totals": ref("Totals"),
        "placed_totals": ref("Totals"),
        "payment": {"type": "object", "additionalProperties": number},
        **dict.fromkeys(("lines", "delivery_groups", "payments", "shipments", "attempts", "executions"), listed),
        "fulfillment_orders": ref("FulfillmentOrder", many=True),
        "invoices": ref("Invoice", many=True),
        "credit_memos": ref("CreditMemo", many=True),
        "returns": ref("Return", many=True),
        "holds": ref("Hold", many=True),
        "exceptions": ref("ProcessException", many=True),
        "notes": ref("Note", many=True),
        "changes": ref("Change", many=True),
        **dict.fromkeys(("exchanges", "related_orders"), listed),
        "tracking_page_url": {"type": ["string", "null"]},
    }
    change = {**dict.fromkeys(("id", "kind", "status", "actor", "cause", "reason", "requested_at", "closed_at"), text), "lines": listed}
    amounts = (
        "product_amount",
        "adjustment_amount",
        "delivery_amount",
        "fee_amount",
        "tax_amount",
        "grand_total",
        "refund_due",
        "amount_due",
    )
    quote = {
        **dict.fromkeys(("quote_id", "expires_at"), text),
        "balances": {"type": "object", "properties": {**dict.fromkeys(amounts, number), "refunds": listed, "fees": listed}},
        "lines": listed,
        "new_order": {"type": "object"},
    }
    changed = {"change": ref("Change"), "changes": ref("Change", many=True)}
    work = {**dict.fromkeys(("id", "order_id", "order_number", "location_id", "ship_by", "type", "status"), text), "lines": listed}
    coming = {
        **dict.fromkeys(("id", "order_id", "status", "mode", "requested_at", "actor", "cause"), text),
        **dict.fromkeys(("lines", "receipts", "labels"), listed),
        "notes": ref("Note", many=True),
        "change": ref("Change"),
        "order": ref("Order"),
    }
    problem = {**dict.fromkeys(("id", "kind", "step", "cause", "hint", "status", "order_id", "opened_at"), text)}
    held = {**dict.fromkeys(("id", "status", "group_id", "created_at", "expires_at", "order_id"), text), "version": number, "lines": listed}
    file = {
        **dict.fromkeys(("id", "status", "phase", "source", "requested_at", "ended_at", "reason", "report"), text),
        "preview": {"type": "boolean"},
        **dict.fromkeys(("max_change_percent", "change_percent"), number),
        **{name: number for name in Tally.model_fields if name != "refusals"},
        "refusals": listed,
    }
    named = ("id", "kind", "number", "order_id", "order_number", "channel", "po_number", "currency", "tax_mode", "issued_at", "change_id")
    party = {"type": ["object", "null"]}
    document = {
        **dict.fromkeys(named, text),
        **dict.fromkeys(("seller", "buyer"), party),
        **dict.fromkeys(("net_amount", "tax_amount", "total_amount"), number),
        **dict.fromkeys(("tax_summary", "lines"), listed),
        "next_cursor": {"type": ["string", "null"]},
    }
    invoice = {
        **document,
        **dict.fromkeys(("shipment_id", "fulfillment_order_id", "supplied_at", "status", "due_at"), text),
        "open_amount": number,
        "overdue": {"type": "boolean"},
        **dict.fromkeys(("payments", "credits", "receivables"), listed),
    }
    memo = {**document, "return_id": text, **dict.fromkeys(("invoices", "refunds", "offsets"), listed)}
    axes = ("status", "payment_status", "fulfillment_status", "delivery_status", "return_status")
    tracked = {
        **dict.fromkeys(("order_number", "placed_at", "currency", "tax_mode", *axes), text),
        **dict.fromkeys(("lines", "parcels", "replacements", "delivery_groups", "exchanges"), listed),
        "exchange_of": text,
        "returns": ref("ReturnSummary", many=True),
        "payment": {"type": "object", "properties": {"totals": ref("Totals"), "captured": number, "refunded": number}},
        "actions": {"type": "object", "properties": dict.fromkeys(("cancel", "return", "exchange"), listed)},
    }
    customer = {"id": text, **dict.fromkeys(("orders", "returns", "credit_accounts", "notes", "exceptions", "contacts"), listed)}
    details = {"type": text, "title": text, "status": number, "detail": text, "errors": listed}
    views = {
        "Order": order,
        "Change": change,
        "Changed": {**changed, "order": ref("Order")},
        "TrackedChange": {**changed, "order": ref("Tracked")},
        "Quote": quote,
        "FulfillmentOrder": work,
        "Return": coming,
        "Reservation": held,
        "Load": file,
        "ProcessException": problem,
        "InvoiceDocument": invoice,
        "CreditMemoDocument": memo,
        "ReturnSummary": {**dict.fromkeys(("id", "status", "requested_at"), text), "lines": listed, "labels": listed},
        "Tracked": tracked,
        "Customer360": {**customer, "next_cursor": {"type": ["string", "null"]}},
        "Problem": details,
    }
    return {name: {"type": "object", "properties": properties} for name, properties in views.items()}
