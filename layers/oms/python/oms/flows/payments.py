"""Gateway news: folded into the tender that it names, or that its authorization belongs to."""

from __future__ import annotations

import time

from oms.errors import NotFound
from oms.ids import order_of
from oms.orders.order import Order
from oms.payments.news import PaymentNews
from oms.payments.outside import take_in
from oms.storage.claims import claim_of, keep_for_later
from oms.storage.orders import Cause, update
from oms.storage.table import Lost

_KEPT_SECONDS = 2 * 365 * 24 * 3600
"""Longer than a payment can be disputed."""


def note(news: PaymentNews, gateway: str, cause: str) -> bool:
    """Take the fact in. False when it is known, or about a tender that is not ours (acknowledged all the same).

    Invalid for money of another currency than the order's.
    """
    payment_id = news.payment_id or _owner(gateway, news.of)
    order_id = order_of(payment_id)
    if order_id is None:
        return False
    ours = changed = False

    def fold_in(order: Order) -> None:
        nonlocal ours, changed
        payment = order.payments.get(payment_id)
        ours = payment is not None and payment.gateway == gateway
        changed = payment is not None and ours and take_in(order, payment, news)

    try:
        update(order_id, fold_in, Cause(f"gateway:{gateway}", cause))
    except NotFound:
        return False
    if ours and news.payment_id and news.of:
        _remember(gateway, news.of, payment_id)
    return changed


def _owner(gateway: str, reference: str | None) -> str:
    """The tender that an authorization belongs to, as earlier news said: disputes and refunds by hand do not name it. Empty if unknown."""
    known = claim_of(_name(gateway, reference)) if reference else None
    return str(known["payment_id"]) if known else ""


def _remember(gateway: str, reference: str, payment_id: str) -> None:
    name = _name(gateway, reference)
    if claim_of(name) is None:
        try:
            keep_for_later(name, None, {"payment_id": payment_id}, int(time.time()) + _KEPT_SECONDS)
        except Lost:
            return  # other news of the same authorization was as fast


def _name(gateway: str, reference: str) -> str:
    return f"reference#{gateway}#{reference}"
