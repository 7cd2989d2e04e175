"""A tender was declined: what the others had given for the order goes back, before the order is declined.

As with all money it is intended first, in a commit of its own: repeated at any time, however long after, nothing is given back twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from oms.clock import stamp
from oms.errors import OmsError, Retryable
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments.funds import Part
from oms.payments.gateway import Gateways, Unsure, gateway_for
from oms.payments.ledger import authorizations, captures, newest
from oms.payments.records import BY_HAND, DECLINE, Payment
from oms.payments.requests import ask
from oms.payments.transfers import Answer, Transfer, add_moves, record, under_way
from oms.service.opening import exception_about, put_before_somebody

_TRANSFERS = (Transfer("void", DECLINE), Transfer("refund", DECLINE))


def begin_undo(order: Order) -> None:
    """Note what is to be given back: all that is authorized, and what was captured elsewhere; but what a gateway has refused to give."""
    order.summary.undoing = True
    for payment in order.payments.values():
        parts = {
            "void": [Part(payment, each.free, each.reference) for each in authorizations(payment) if each.free],
            "refund": [Part(payment, amount, of) for of, amount in captures(payment)],
        }
        for transfer in _TRANSFERS:
            if not _is_refused(payment, transfer):
                add_moves(order, transfer, parts[transfer.kind])


def undo(order: Order, gateways: Gateways) -> list[Answer]:
    """Ask for it. Retryable when a gateway cannot be reached, Unsure when it cannot say what became of an earlier request; what the others
    say is on the order then."""
    answers: list[Answer] = []
    stopped: OmsError | None = None
    for move in [move for transfer in _TRANSFERS for move in under_way(order, transfer)]:
        payment = order.payments[move.payment_id]
        try:
            answers.append(Answer(move, ask(gateway_for(gateways, payment.gateway), payment, move.what, stamp())))
        except Retryable as error:
            stopped = error
        except Unsure as error:
            stopped = stopped or error
    if stopped:
        conclude_undo(order, answers)
        raise stopped
    return answers


def conclude_undo(order: Order, answers: Sequence[Answer]) -> None:
    """Record what the gateways said. Money that one does not give back is put before a person; an authorization lapses by itself."""
    for transfer in _TRANSFERS:
        record(order, transfer, [answer for answer in answers if answer.move.what.kind == transfer.kind])
    kept = [answer for answer in answers if answer.outcome.state == "failed" and answer.move.what.kind == "refund"]
    if kept:
        _object(order, kept)


def _is_refused(payment: Payment, transfer: Transfer) -> bool:
    """Whether the gateway itself has said no; that something was not done, people say too."""
    events = [event for event in newest(payment.events) if (event.kind, event.document) == (transfer.kind, DECLINE)]
    return any(event.state == "failed" and not (event.reference or "").startswith(BY_HAND) for event in events)


def _object(order: Order, kept: Sequence[Answer]) -> None:
    """One exception for all that is kept: who has paid it back says so once."""
    amounts = [f"{show(each.outcome.amount, order.placed.currency)} of {each.move.payment_id} ({each.outcome.reason})" for each in kept]
    put_before_somebody(
        order,
        exception_about(order, kept[0].move.what.key),
        kind="payment",
        step="Capture",
        cause=f"the order is declined, and could not be paid back: {', '.join(amounts)}",
        hint="Pay it back by hand, then resolve this with recorded.",
        actions=["resolve:recorded", "abandon"],
        subject=DECLINE,
    )
