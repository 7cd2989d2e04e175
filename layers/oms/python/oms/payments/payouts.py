"""Where money that is given back goes, if not to the tender that paid: to the customer's store credit, or into an exchange.

Either is a refund of the tender that paid, like any other: it lowers what that tender may still give back. Only no gateway of its own is
asked: the refund says `into` what it went.

    store_credit    the account that the customer has in that currency; its first grant opens it
    exchange        the order that takes the return's value as a tender: the books clear one against the other
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from oms.orders.order import Order
from oms.payments.records import Into, Payment

if TYPE_CHECKING:
    from oms.payments.gateway import Instruction

STORE_CREDIT: Into = "store_credit"
EXCHANGE: Into = "exchange"


def account_for(order: Order) -> str:
    """The store credit account of an order's customer, by customer and currency: whatever grants first opens it, nothing opens another."""
    name = f"{order.placed.customer_id}/{order.placed.currency}"
    return "sc-" + hashlib.sha256(name.encode()).hexdigest()[:20]


def destination(order: Order, into: str | None) -> str | None:
    """What a refund's `into` says: the account of store credit, the exchange, or nothing."""
    return account_for(order) if into == STORE_CREDIT else into


def kind_of(into: str) -> str:
    """What that is: store credit, or an exchange."""
    return EXCHANGE if into == EXCHANGE else STORE_CREDIT


def gateway_of(payment: Payment, what: Instruction) -> str:
    """Who carries an instruction out: the tender's own gateway, unless the money goes elsewhere."""
    if what.into is None:
        return payment.gateway
    return EXCHANGE if what.into == EXCHANGE else "credit"
