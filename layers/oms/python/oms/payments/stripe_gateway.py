"""Stripe, by its official SDK: PaymentIntents captured by hand, refunds, all under our keys (docs.stripe.com/api).

A tender's token is a payment method (`pm_...`), or one that is saved with a customer (`cus_.../pm_...`); only the latter can be authorized
once more without the customer. An authorization's reference is its PaymentIntent. Neither tokens nor Stripe's own messages, which may
quote them, are logged or kept: a refusal is kept by its code.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from oms.clock import later, stamp
from oms.errors import Retryable
from oms.ids import order_of
from oms.payments import ledger
from oms.payments.gateway import RAN_OUT, Instruction, Outcome, Unsure
from oms.payments.records import Payment
from oms.payments.stripe_amounts import NotPayable, from_stripe, to_stripe

CONNECT_SECONDS, READ_SECONDS = 3, 15
"""One try each, within the lease of a capture (25 seconds): repeating is the business of the step."""
_DEFAULT_HOURS = 4 * 24 + 18
"""How long an authorization is good if Stripe does not say: its shortest window for online cards."""
_EXPAND = {"expand": ["latest_charge"]}
_EXPIRED = ("charge_expired_for_capture", "capture_charge_authorization_expired")
"""Stripe's codes for a capture that comes after the authorization's time (docs.stripe.com/error-codes). `expired_card` is none of them: it
is the card that is too old."""
LAPSED = ("automatic", "expired")
"""Why Stripe says that it has canceled a PaymentIntent by itself, because nothing was captured in time."""


class StripeGateway:
    """One Stripe account. The SDK is imported here and nowhere else: it takes about as long as boto3."""

    key_hours: int | None = 24
    voids_parts = False

    def __init__(self, api_key: str, *, api_base: str | None = None, multicapture: bool = False, http_client: Any = None) -> None:
        # Not an import statement: the SDK's own types would take the type checker longer than all the rest.
        self._sdk: Any = import_module("stripe")
        logging.getLogger("stripe").setLevel(logging.WARNING)
        self._multicapture = multicapture
        self._client = self._sdk.StripeClient(
            api_key,
            http_client=http_client or self._sdk.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
            max_network_retries=0,
            base_addresses={"api": api_base} if api_base else None,
        )

    def perform(self, what: Instruction, payment: Payment) -> Outcome:
        """Do it, once per key. Retryable when Stripe cannot be reached, fails, or does not accept our API key; Unsure when the key was used
        for something else, of which nothing can be found."""
        ask = {"authorization": self._authorize, "capture": self._capture, "void": self._void, "refund": self._refund}[what.kind]
        try:
            return ask(what, payment, to_stripe(what.amount, what.currency))
        except NotPayable:
            return _failed(what, "amount_not_payable_in_this_currency")
        except self._sdk.StripeError as error:
            return self._judge(error, what, payment)

    def look_up(self, what: Instruction, payment: Payment) -> Outcome | None:
        """What became of an instruction given earlier; Retryable as above. Stripe's search is up to a minute behind."""
        find = {
            "authorization": self._find_authorization,
            "capture": self._find_capture,
            "void": self._find_void,
            "refund": self._find_refund,
        }[what.kind]
        try:
            return find(what, payment)
        except self._sdk.InvalidRequestError:
            return None  # there is no such object
        except self._sdk.StripeError as error:
            raise _unreachable(error) from None

    def _authorize(self, what: Instruction, payment: Payment, amount: int) -> Outcome:
        customer, _, method = (payment.token or payment.source or "").rpartition("/")
        params: dict[str, Any] = {
            "amount": amount,
            "currency": what.currency.lower(),
            "payment_method": method,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "metadata": _metadata(what, payment),
            **_EXPAND,
        }
        if customer:
            params["customer"] = customer
        if payment.token is None:
            params["off_session"] = True  # once more, from what was kept; the customer is not there
        if self._multicapture:
            params["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
        return _authorization(what, payment, self._do(self._client.v1.payment_intents.create, what, params=params))

    def _capture(self, what: Instruction, payment: Payment, amount: int) -> Outcome:
        params: dict[str, Any] = {"amount_to_capture": amount, **_EXPAND}
        several = _allows_several(what, payment)
        if several:
            params |= {"final_capture": what.final, "metadata": {_capture_name(what): str(amount)}}
        intent = self._do(self._client.v1.payment_intents.capture, what, what.of, params=params)
        return _captured(what, intent, several)

    def _void(self, what: Instruction, payment: Payment, amount: int) -> Outcome:
        granted = next((each for each in ledger.authorizations(payment) if each.reference == what.of), None)
        if granted and not granted.open <= what.amount <= granted.amount:
            return _failed(what, "void_of_a_part_not_supported")  # Stripe would give back the whole
        try:
            intent = self._do(self._client.v1.payment_intents.cancel, what, what.of)
        except self._sdk.InvalidRequestError as error:
            if error.code != "payment_intent_unexpected_state":
                raise
            intent = self._intent(what.of or "")
        return _voided(what, intent) or _failed(what, f"payment_intent_{intent['status']}")

    def _refund(self, what: Instruction, payment: Payment, amount: int) -> Outcome:
        paid_by = "charge" if (what.of or "").startswith("ch_") else "payment_intent"
        params = {paid_by: what.of, "amount": amount, "metadata": _metadata(what, payment)}
        return _refunded(what, self._do(self._client.v1.refunds.create, what, params=params))

    def _find_authorization(self, what: Instruction, payment: Payment) -> Outcome | None:
        known = ledger.find(payment, what.key)
        if known and known.reference:
            return _authorization(what, payment, self._intent(known.reference))
        quoted = what.key.replace("\\", "\\\\").replace("'", "\\'")
        query = {"query": f"metadata['key']:'{quoted}'", "limit": 1, "expand": ["data.latest_charge"]}
        found = self._client.v1.payment_intents.search(query).to_dict()["data"]
        return _authorization(what, payment, found[0]) if found else None

    def _find_capture(self, what: Instruction, payment: Payment) -> Outcome | None:
        """By the note that rides on one of several captures; the only capture of an authorization is known by its amount."""
        intent = self._intent(what.of or "")
        if _allows_several(what, payment):
            done = _capture_name(what) in intent["metadata"]
        else:
            done = intent["status"] == "succeeded" and intent["amount_received"] == to_stripe(what.amount, what.currency)
        return _captured(what, intent, _allows_several(what, payment)) if done else None

    def _find_void(self, what: Instruction, payment: Payment) -> Outcome | None:
        return _voided(what, self._intent(what.of or ""))

    def _find_refund(self, what: Instruction, payment: Payment) -> Outcome | None:
        known = ledger.find(payment, what.key)
        if known and known.reference:
            return _refunded(what, self._client.v1.refunds.retrieve(known.reference).to_dict())
        paid_by = "charge" if (what.of or "").startswith("ch_") else "payment_intent"
        rows = self._client.v1.refunds.list({paid_by: what.of, "limit": 100}).auto_paging_iter()
        return next((_refunded(what, row) for row in (each.to_dict() for each in rows) if row["metadata"].get("key") == what.key), None)

    def _intent(self, reference: str) -> dict[str, Any]:
        found: dict[str, Any] = self._client.v1.payment_intents.retrieve(reference, _EXPAND).to_dict()
        return found

    def _do(self, call: Callable[..., Any], what: Instruction, *of: str | None, params: dict[str, Any] | None = None) -> dict[str, Any]:
        done: dict[str, Any] = call(*of, params or {}, {"idempotency_key": what.key}).to_dict()
        return done

    def _judge(self, error: Any, what: Instruction, payment: Payment) -> Outcome:
        """What an error says of the instruction: a definitive no, or that it has to be asked again."""
        details = (error.json_body or {}).get("error", {})
        if what.kind == "capture" and _ran_out(error.code, details.get("payment_intent") or {}):
            return _failed(what, RAN_OUT)
        if isinstance(error, self._sdk.CardError):
            reason = details.get("decline_code") or error.code or "card_declined"
            return _failed(what, reason, (details.get("payment_intent") or {}).get("id"))
        if isinstance(error, self._sdk.IdempotencyError):
            found = self.look_up(what, payment)
            if found is None:
                raise Unsure(
                    f"Stripe was asked for something else under the key of the {what.kind} of {what.amount} {what.currency} ({what.key}); "
                    "look there before anything is done again",
                    kind="payment-unsure",
                ) from None
            return found
        if isinstance(error, self._sdk.InvalidRequestError):
            return _failed(what, f"{error.code or 'invalid_request'}{f' ({error.param})' if error.param else ''}")
        raise _unreachable(error) from None


def _authorization(what: Instruction, payment: Payment, intent: dict[str, Any]) -> Outcome:
    """A PaymentIntent as the answer to an authorization. One that wants its customer to do something is declined: nobody is there."""
    status, at = intent["status"], _time(intent["created"])
    states = {"requires_capture": "succeeded", "succeeded": "succeeded", "processing": "requested"}
    if status not in states:
        error = intent.get("last_payment_error") or {}
        reason = "authentication_required" if status == "requires_action" else error.get("decline_code") or error.get("code") or status
        return Outcome("failed", what.amount, at, intent["id"], reason)
    card = ((intent.get("latest_charge") or {}).get("payment_method_details") or {}).get("card") or {}
    before = card.get("capture_before")
    source = payment.token or payment.source or ""
    return Outcome(
        "requested" if states[status] == "requested" else "succeeded",
        from_stripe(intent["amount"], what.currency),
        at,
        intent["id"],
        expires_at=_time(before) if before else later(at, hours=_DEFAULT_HOURS),
        once=(card.get("multicapture") or {}).get("status") != "available",
        source=source if "/" in source else None,
    )


def _captured(what: Instruction, intent: dict[str, Any], several: bool) -> Outcome:
    """The charge is one for all captures of an authorization; what was captured up to then tells them apart."""
    charge = intent["latest_charge"]
    reference = f"{charge['id']}:{intent['amount_received']}" if several else charge["id"]
    return Outcome("requested" if intent["status"] == "processing" else "succeeded", what.amount, what.at, reference)


def _voided(what: Instruction, intent: dict[str, Any]) -> Outcome | None:
    """None if Stripe holds it still, or has captured it. What it released by itself, after the last capture or in time, is released too."""
    if intent["status"] != "canceled":
        released = from_stripe(intent["amount"] - intent["amount_received"], what.currency) if intent["status"] == "succeeded" else 0
        if released < what.amount:
            return None
    return Outcome("succeeded", what.amount, what.at, intent["id"])


def _refunded(what: Instruction, refund: dict[str, Any]) -> Outcome:
    status = refund["status"]
    at, reference = _time(refund["created"]), refund["id"]
    if status in ("failed", "canceled"):
        return Outcome("failed", what.amount, at, reference, refund.get("failure_reason") or status)
    return Outcome("succeeded" if status == "succeeded" else "requested", what.amount, at, reference)


def _failed(what: Instruction, reason: str, reference: str | None = None) -> Outcome:
    return Outcome("failed", what.amount, what.at, reference or f"refused_{_digest(what.key)}", reason)


def _ran_out(code: str | None, intent: dict[str, Any]) -> bool:
    """Whether a capture was refused because the authorization's time is over: Stripe says it, or has canceled the PaymentIntent for it."""
    canceled = code == "payment_intent_unexpected_state" and intent.get("status") == "canceled"
    return code in _EXPIRED or (canceled and intent.get("cancellation_reason") in LAPSED)


def _unreachable(error: Any) -> Retryable:
    """Without Stripe's message: it may quote what was sent."""
    if error.http_status in (401, 403):
        return Retryable(f"Stripe does not accept our API key ({error.http_status}): put a valid one into the secret oms/gateways/stripe")
    return Retryable(f"Stripe cannot be reached or fails: {type(error).__name__} {error.http_status or ''}".rstrip())


def _allows_several(what: Instruction, payment: Payment) -> bool:
    return any(each.reference == what.of and not each.once for each in ledger.authorizations(payment))


def _metadata(what: Instruction, payment: Payment) -> dict[str, str]:
    return {"order": order_of(payment.id) or "", "payment": payment.id, "key": what.key}


def _capture_name(what: Instruction) -> str:
    return f"capture_{_digest(what.key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _time(seconds: int) -> str:
    return stamp(datetime.fromtimestamp(seconds, UTC))
