"""localstripe, a stateful imitation of Stripe that is not ours, as a program on a loopback port: python -m tests.support.localstripe PORT

What it lacks of Stripe and the tests need is added here, and nothing else: the memory for Idempotency-Key (same key, same answer; other
parameters: idempotency_error), search by metadata, amount_received, a refund of more than is left refused, no capture of what is canceled,
the end of an authorization's time (POST /_run_out/<intent> makes it pass). It keeps nothing on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from localstripe import resources, server
from localstripe.errors import UserError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_answers: dict[str, tuple[bytes, int, bytes]] = {}


@web.middleware
async def _remember_keys(request: web.Request, handler: Handler) -> web.StreamResponse:
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    if key is None:
        return await handler(request)
    asked = request.path.encode() + b"?" + await request.read()
    if key in _answers:
        before, status, body = _answers[key]
        if before != asked:
            error = {"type": "idempotency_error", "message": "this key was used with other parameters"}
            return web.json_response({"error": error}, status=400)
        return web.Response(status=status, body=body, content_type="application/json", headers={"Idempotent-Replayed": "true"})
    answer = await handler(request)
    assert isinstance(answer, web.Response)
    assert isinstance(answer.body, bytes)
    if answer.status < 500:
        _answers[key] = (asked, answer.status, answer.body)
    return answer


@web.middleware
async def _search(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path != "/v1/payment_intents/search":
        return await handler(request)
    name, _, value = request.query["query"].partition(":")
    key, wanted = name.removeprefix("metadata['").removesuffix("']"), value.strip("'")
    intents = [each for each in resources.store.values() if isinstance(each, resources.PaymentIntent)]
    found = [each._export() for each in intents if each.metadata.get(key) == wanted]
    return web.json_response({"object": "search_result", "url": request.path, "has_more": False, "data": found})


@web.middleware
async def _run_out(request: web.Request, handler: Handler) -> web.StreamResponse:
    _, _, reference = request.path.partition("/_run_out/")
    if not reference:
        return await handler(request)
    intent = resources.PaymentIntent._api_retrieve(reference)
    intent._canceled, intent.cancellation_reason = True, "automatic"
    return web.json_response(intent._export())


@web.middleware
async def _nothing_of_what_is_canceled(request: web.Request, handler: Handler) -> web.StreamResponse:
    reference = request.path.removeprefix("/v1/payment_intents/").removesuffix("/capture")
    intent = resources.store.get(f"payment_intent:{reference}") if request.path.endswith("/capture") else None
    if intent is None or not intent._canceled:
        return await handler(request)
    error = {"type": "invalid_request_error", "code": "payment_intent_unexpected_state", "payment_intent": intent._export()}
    return web.json_response({"error": error}, status=400)


def _complete() -> None:
    """Figures that Stripe keeps and localstripe does not."""
    stripe: Any = resources  # functions of its classes are put in place of others
    stripe.Store.dump_to_disk = lambda _: None
    capture, refund = stripe.Charge._capture, stripe.Refund._api_create.__func__

    def captured(charge: Any, amount: Any) -> None:
        capture(charge, amount)
        charge.amount_captured = int(amount or charge.amount)

    def refunded(kind: Any, /, **data: Any) -> Any:
        intent = resources.PaymentIntent._api_retrieve(data["payment_intent"])
        left = _received(intent) - getattr(intent.latest_charge, "given_back", 0)
        if int(data["amount"]) > left:
            raise UserError(400, "Refund amount is greater than unrefunded amount on charge", {"param": "amount"})
        intent.latest_charge.given_back = getattr(intent.latest_charge, "given_back", 0) + int(data["amount"])
        return refund(kind, **data)

    stripe.Charge._capture = captured
    stripe.Refund._api_create = classmethod(refunded)
    stripe.PaymentIntent.amount_received = property(_received)


def _received(intent: Any) -> int:
    return int(getattr(intent.latest_charge, "amount_captured", 0))


if __name__ == "__main__":
    _complete()
    server.app.middlewares.insert(0, _search)
    server.app.middlewares.insert(0, _run_out)
    server.app.middlewares.insert(0, _nothing_of_what_is_canceled)
    server.app.middlewares.insert(0, _remember_keys)
    web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
