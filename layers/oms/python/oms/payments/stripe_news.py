"""Stripe's webhooks as news of tenders (docs.stripe.com/api/events). Types that say nothing of a tender's money are ignored.

`charge.refunded` is among the ignored: it tells the sum only, and each refund has news of its own. Stripe must be told to send
payment_intent.amount_capturable_updated, .succeeded, .payment_failed and .canceled, charge.captured, refund.created, .updated and .failed,
charge.dispute.created, .updated and .closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from oms.clock import stamp
from oms.errors import Fault, invalid
from oms.payments.news import PaymentNews
from oms.payments.stripe_amounts import from_stripe
from oms.payments.stripe_gateway import LAPSED
from oms.wire import faults_of

Row = Mapping[str, Any]
_REFUNDS = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}


def read_stripe(body: Any) -> list[PaymentNews]:
    """The news in an event. Invalid for what is no event of Stripe's shape."""
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise invalid(Fault("send an event of Stripe"))
    read = READERS.get(body["type"])
    if read is None:
        return []
    try:
        rows = read(body["data"]["object"])
        at = stamp(datetime.fromtimestamp(body["created"], UTC))
        return [PaymentNews.model_validate({"occurred_at": at, **row}) for row in rows]
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise invalid(Fault(f"not as Stripe documents {body['type']}: {type(error).__name__}", "/data/object")) from None


def _authorized(intent: Row) -> list[dict[str, Any]]:
    """Also sent after each of several captures, with what was captured up to then."""
    row = {**_tender(intent), "kind": "authorization", "state": "succeeded", "amount": _amount(intent, "amount"), "reference": intent["id"]}
    return [row, *(_captured_of(intent) if intent.get("amount_received") else [])]


def _captured_of(intent: Row) -> list[dict[str, Any]]:
    charge = intent.get("latest_charge")
    reference = charge["id"] if isinstance(charge, dict) else charge or intent["id"]
    return [_capture(intent, reference, "amount_received")]


def _charge_captured(charge: Row) -> list[dict[str, Any]]:
    return [{**_capture(charge, charge["id"], "amount_captured"), "of": charge.get("payment_intent")}]


def _declined(intent: Row) -> list[dict[str, Any]]:
    error = intent.get("last_payment_error") or {}
    reason = error.get("decline_code") or error.get("code") or "payment_failed"
    row = {"kind": "authorization", "state": "failed", "amount": _amount(intent, "amount"), "reference": intent["id"], "reason": reason}
    return [{**_tender(intent), **row}]


def _canceled(intent: Row) -> list[dict[str, Any]]:
    """What was still held is released: by us or a person, or because its time was over."""
    rest = from_stripe(intent["amount"] - (intent.get("amount_received") or 0), _currency(intent))
    reason = intent.get("cancellation_reason") or "canceled"
    lapsed = reason in LAPSED
    row = {
        "kind": "expiry" if lapsed else "void",
        "state": "succeeded",
        "amount": rest,
        "reference": f"expiry:{intent['id']}" if lapsed else intent["id"],
        "reason": reason,
    }
    return [{**_tender(intent), **row}]


def _refund(refund: Row) -> list[dict[str, Any]]:
    row = {
        "payment_id": _metadata(refund).get("payment"),
        "key": _metadata(refund).get("key"),
        "of": refund.get("payment_intent") or refund.get("charge"),
        "currency": _currency(refund),
        "kind": "refund",
        "state": _REFUNDS.get(refund["status"], "requested"),
        "amount": _amount(refund, "amount"),
        "reference": refund["id"],
        "reason": refund.get("failure_reason"),
    }
    return [row]


def _disputed(dispute: Row) -> list[dict[str, Any]]:
    """A dispute takes the money at once, and gives it back if it is won. An inquiry (`warning_...`) has taken nothing yet."""
    status = str(dispute["status"])
    inquiry = status.startswith("warning_")
    state = "failed" if status in ("won", "warning_closed", "prevented") else "requested" if inquiry else "succeeded"
    row = {
        "payment_id": _metadata(dispute).get("payment"),
        "of": dispute.get("payment_intent") or dispute.get("charge"),
        "currency": _currency(dispute),
        "kind": "chargeback",
        "state": state,
        "amount": _amount(dispute, "amount"),
        "reference": dispute["id"],
        "reason": dispute.get("reason"),
    }
    return [row]


def _capture(what: Row, reference: str, amount: str) -> dict[str, Any]:
    captured = {"kind": "capture", "state": "succeeded", "amount": _amount(what, amount), "reference": reference, "total": True}
    return {**_tender(what), **captured}


def _tender(what: Row) -> dict[str, Any]:
    return {"payment_id": _metadata(what).get("payment"), "of": what["id"], "currency": _currency(what)}


def _metadata(what: Row) -> Row:
    return what.get("metadata") or {}


def _currency(what: Row) -> str:
    return str(what["currency"]).upper()


def _amount(what: Row, name: str) -> int:
    return from_stripe(what[name], _currency(what))


READERS: dict[str, Callable[[Row], list[dict[str, Any]]]] = {
    "payment_intent.amount_capturable_updated": _authorized,
    "payment_intent.succeeded": _captured_of,
    "payment_intent.payment_failed": _declined,
    "payment_intent.canceled": _canceled,
    "charge.captured": _charge_captured,
    "charge.refund.updated": _refund,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.dispute.closed": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.funds_reinstated": _disputed,
}
