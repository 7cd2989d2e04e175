"""Another tender for an order that owes something: taken down here, authorized by Settle. No gateway is called."""

from __future__ import annotations

from oms.errors import Refused
from oms.flows.accounts import account_of
from oms.flows.gateways import GATEWAYS
from oms.flows.idempotency import Request
from oms.orders.order import Order
from oms.payments.accounts import claim_credit
from oms.payments.cover import due
from oms.payments.records import TERMS
from oms.payments.tender_request import Tender
from oms.payments.tenders import add_tender
from oms.service.changes import open_change
from oms.storage.orders import Cause, Taken, load, update


def pay_due(order_id: str, tender: Tender, asked: Request, *, actor: str) -> tuple[Order, bool]:
    """Add the tender and open the change that authorizes it. Returns the order, and whether this is a repetition.

    Conflict when nothing is due, Invalid for more than is due or a tender that makes no sense.
    """

    def add(order: Order) -> None:
        account = account_of(order.placed.account_id, order.placed.currency, on_terms=True) if tender.method == TERMS else None
        payment = add_tender(order, tender, due(order), GATEWAYS, account=account, document=order.coming_id("chg"))
        if account:
            claim_credit(order, account)
        open_change(order, "payment", payment_id=payment.id)

    cause = Cause(actor, "POST /v1/orders/{id}/payments", lambda: asked.record(order_id=order_id, due=True))
    try:
        return update(order_id, add, cause), False
    except (Taken, Refused):
        if not asked.earlier():
            raise
    return load(order_id), True
