"""The routes of the HTTP API: method and path, the function that serves them, the scope a caller needs.

A route without a scope is open: webhooks, payment links and tracking links prove themselves by their signature, the API's description is
public. Of several scopes one is enough; the handler then looks at which.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Route:
    """`method` `path` is served by `function` to callers with one of the blank-separated scopes in `scope` (empty: to everybody)."""

    method: str
    path: str
    function: str
    scope: str


def _routes(function: str, scope: str, *lines: str) -> tuple[Route, ...]:
    parts = (line.split() for line in lines)
    return tuple(Route(method, path, function, scope) for method, path in parts)


ROUTES = (
    *_routes("capture", "orders.write", "POST /v1/orders", "POST /v1/orders/{id}/payments"),
    *_routes(
        "query_api",
        "orders.read",
        "GET /v1/orders",
        "GET /v1/orders/{id}",
        "GET /v1/orders/{id}/lines",
        "GET /v1/orders/{id}/fulfillment-orders",
        "GET /v1/orders/{id}/shipments",
        "GET /v1/orders/{id}/invoices",
        "GET /v1/orders/{id}/credit-memos",
        "GET /v1/orders/{id}/timeline",
        "GET /v1/customers/{id}",
        "GET /v1/returns",
        "GET /v1/returns/{id}",
        "GET /v1/exceptions",
        "GET /v1/exceptions/{id}",
        "POST /v1/routing/simulations",
    ),
    *_routes(
        "finance_api",
        "finance.read",
        "GET /v1/invoices",
        "GET /v1/invoices/{id}",
        "GET /v1/invoices/{id}/html",
        "GET /v1/credit-memos",
        "GET /v1/credit-memos/{id}",
        "GET /v1/credit-memos/{id}/html",
        "GET /v1/journal",
    ),
    *_routes("finance_api", "finance.write", "POST /v1/invoices/{id}/payments"),
    *_routes("payment_page", "orders.write", "POST /v1/orders/{id}/payment-links"),
    *_routes("payment_page", "", "GET /v1/pay/{token}", "POST /v1/pay/{token}"),
    *_routes("query_api", "", "GET /v1/openapi.json"),
    *_routes(
        "service_api",
        "service.write",
        "POST /v1/orders/{id}/holds",
        "DELETE /v1/orders/{id}/holds/{hold_id}",
        "POST /v1/orders/{id}/notes",
        "POST /v1/orders/{id}/adjustments",
        "POST /v1/orders/{id}/edits",
        "POST /v1/orders/{id}/reshipments",
        "POST /v1/orders/{id}/refunds",
        "POST /v1/shipments/{id}/claims",
        "POST /v1/approvals/{id}/{action}",
        "POST /v1/returns/{id}/{action}",
        "POST /v1/exceptions/{id}/{action}",
    ),
    *_routes(
        "service_api",
        "service.write self",
        "POST /v1/orders/{id}/cancellations",
        "POST /v1/orders/{id}/returns",
        "POST /v1/orders/{id}/exchanges",
    ),
    *_routes(
        "track_api",
        "",
        "POST /v1/track/requests",
        "GET /v1/track/{token}",
        "POST /v1/track/{token}/cancellations",
        "POST /v1/track/{token}/returns",
        "POST /v1/track/{token}/exchanges",
    ),
    *_routes(
        "fulfillment_api",
        "fulfillment.write",
        "GET /v1/fulfillment-orders",
        "GET /v1/fulfillment-orders/{id}",
        "POST /v1/fulfillment-orders/{id}/{action}",
        "POST /v1/locations/{id}/drain",
    ),
    *_routes(
        "inventory_api",
        "inventory.write",
        "PUT /v1/inventory/{sku}/{location_id}",
        "PUT /v1/inventory/{sku}/{location_id}/shards",
        "POST /v1/inventory/batch",
        "POST /v1/inventory/loads",
        "POST /v1/inventory/loads/{id}/{action}",
        "POST /v1/reservations",
        "PATCH /v1/reservations/{id}",
        "DELETE /v1/reservations/{id}",
        "POST /v1/reservations/{id}/transfer",
        "POST /v1/reservations/{id}/fulfill",
    ),
    *_routes(
        "inventory_api",
        "orders.read",
        "GET /v1/inventory/loads/{id}",  # before the next one, which it would match too: the more specific route wins
        "GET /v1/inventory/{sku}/{location_id}",
        "GET /v1/inventory/{sku}/{location_id}/movements",
        "POST /v1/inventory/availability",
        "GET /v1/inventory/changes",
        "GET /v1/reservations/{id}",
        "GET /v1/backorders",
        "POST /v1/routing/preview",
    ),
    *_routes("check_api", "orders.read", "GET /v1/inventory/check"),
    *_routes("check_api", "inventory.write", "POST /v1/inventory/repairs"),
    *_routes(
        "settings_api",
        "settings.write",
        *(
            f"{method} /v1/{kind}/{{id}}"
            for kind in ("locations", "channels", "methods", "reasons", "return-rules", "roles", "accounts")
            for method in ("PUT", "GET")
        ),
        *(f"{method} /v1/routing/{kind}/{{id}}" for kind in ("rule-groups", "cost-tables", "postal-areas") for method in ("PUT", "GET")),
    ),
    *_routes("credit_api", "settings.write", "PUT /v1/credit-accounts/{id}"),
    *_routes("credit_api", "finance.read", "GET /v1/credit-accounts/{id}", "GET /v1/accounts/{id}/credit"),
    *_routes("credit_api", "finance.write", "POST /v1/credit-accounts/{id}/entries"),
    *_routes("query_api", "finance.read", "GET /v1/orders/{id}/gift-cards"),
    *_routes("carrier_webhook", "", "POST /v1/webhooks/carriers/{carrier}"),
    *_routes("payment_webhook", "", "POST /v1/webhooks/payments/{gateway}"),
)
