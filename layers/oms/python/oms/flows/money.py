"""Moving money: note the intents, ask the gateways with their keys, record document and outcomes in one commit.

Killed at any point and run again, a step finds the instructions by their document and asks with the same keys, so money moves once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oms.clock import stamp
from oms.errors import Conflict, OmsError, Retryable
from oms.flows.gateways import GATEWAYS
from oms.flows.patience import pause
from oms.money.currencies import show
from oms.orders.order import Order
from oms.payments.funds import Part
from oms.payments.gateway import PaymentDeclined, StillPending, Unsure, gateway_for
from oms.payments.ledger import find
from oms.payments.payouts import gateway_of
from oms.payments.requests import ask
from oms.payments.transfers import Answer, Move, Transfer, add_moves, record, under_way
from oms.storage.orders import Cause, StockShort, commit, update
from oms.storage.table import Lost

Plan = Callable[[Order], Sequence[Part]]
"""What is still to be asked for, given what the order says now; nothing: the document can be booked."""


def move(order: Order, transfer: Transfer, plan: Plan, book: Callable[[Order], None], cause: Cause, *, final: bool = False) -> Order:
    """Move what the document needs, then `book` it, in the commit that records the last answers.

    What `plan` raises where nobody has the money; PaymentDeclined after a definitive no and StillPending while a gateway has not decided;
    what a gateway raises for one instruction. The answers to all others are recorded first: whoever then says what became of that one,
    says nothing about them.
    """
    booked = False
    while not booked:
        moves = under_way(order, transfer) or add_moves(order, transfer, plan(order), final=final)
        if moves:
            commit(order, cause)
        answers, stopped = _ask_all(order, moves)
        if stopped and not answers:
            raise stopped

        def conclude(fresh: Order, answers: Sequence[Answer] = answers, stopped: OmsError | None = stopped) -> None:
            nonlocal booked
            record(fresh, transfer, answers)
            booked = not stopped and all(answer.outcome.state == "succeeded" for answer in answers) and _is_enough(fresh, plan)
            if booked:
                book(fresh)

        conclude(order)
        try:
            commit(order, cause)
        except (Lost, StockShort):
            order = update(order.id, conclude, cause)
        if stopped:
            raise stopped
        _complain(order, transfer, answers)
    return order


def _ask_all(order: Order, moves: Sequence[Move]) -> tuple[list[Answer], OmsError | None]:
    """All answers, and what kept a gateway from giving one: rather a failure that another try may cure than what only a person can say."""
    answers: list[Answer] = []
    stopped: OmsError | None = None
    for each in moves:
        try:
            answers.append(_ask(order, each))
        except Retryable as error:
            stopped = error
        except Unsure as error:
            stopped = stopped or error
    return answers, stopped


def _ask(order: Order, each: Move) -> Answer:
    payment = order.payments[each.payment_id]
    return Answer(each, ask(gateway_for(GATEWAYS, gateway_of(payment, each.what)), payment, each.what, stamp()))


def _is_enough(order: Order, plan: Plan) -> bool:
    """Whether nothing more has to be asked for. What nobody can give, or has to be waited for, is found out in the next round, when the
    answers are safe."""
    try:
        return not plan(order)
    except (Conflict, StillPending):
        return False


def _complain(order: Order, transfer: Transfer, answers: Sequence[Answer]) -> None:
    amount = show(sum(answer.move.what.amount for answer in answers), order.placed.currency)
    what = f"the {transfer.kind} of {amount} for {transfer.document}"
    declined = sorted({answer.outcome.reason or "no reason given" for answer in answers if answer.outcome.state == "failed"})
    if declined:
        raise PaymentDeclined(f"{what} was declined: {', '.join(declined)}", kind="payment-declined")
    if any(answer.outcome.state == "requested" for answer in answers):
        raise StillPending(f"{what} is with the gateway, which has not decided", seconds=_pause(order, answers))


def _pause(order: Order, answers: Sequence[Answer]) -> int:
    asked = [found.at for each in answers if (found := find(order.payments[each.move.payment_id], each.move.what.key))]
    return pause(min(asked, default=order.now), order.now)
