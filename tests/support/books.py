"""A world in memory that keeps books: every commit goes into the journal at once, as the bookkeeper would put it."""

from __future__ import annotations

from typing import Any

from oms.fulfillment.records import Shipment
from oms.orders.order import Order
from oms.orders.records import Entry
from oms.payments.funds import ensure_funds, ensure_refunds
from oms.payments.gateway import Outcome
from oms.payments.invoices import invoice_for
from oms.payments.journal import journal_lines
from oms.payments.offsets import offsets
from oms.payments.positions import Position, moved, position
from oms.payments.records import CreditMemo, Invoice, Payment, PaymentEvent
from oms.payments.requests import conclude
from oms.payments.transfers import Transfer, add_moves, settled
from tests.unit.memory import World


class BooksWorld(World):
    """`accounts`: what all entries of its order come to, by account; `entries`: the lines of each commit."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.before: Position = {}
        self.entries: list[dict[str, int]] = []
        self.accounts: dict[str, int] = {}

    def commit(self, order: Order) -> list[str]:
        """As it is, and what it means for the books."""
        after = position(order)
        if order.facts:
            sequence = order.summary.sequence + 1
            change = moved(self.before, after)
            entry = Entry(sequence=sequence, at=order.now, actor="test", cause="test", facts=list(order.facts), moved=change)
            lines = {line.account: line.amount for line in journal_lines(order, entry)}
            self.entries += [lines] if lines else []
            for account, amount in lines.items():
                self.accounts[account] = self.accounts.get(account, 0) + amount
            self.before = after
        assert not moved(self.before, after), "money moved without a fact"
        return super().commit(order)

    def invoice(self, order: Order, shipment: Shipment) -> Invoice:
        """Paid by what was captured before, by what is authorized, by terms; what nobody gives is owed."""
        invoice = invoice_for(order, shipment)
        funds = ensure_funds(order, invoice.total_amount)
        self.moves(order, Transfer("capture", invoice.id), funds.captures)
        invoice.captures = settled(order, Transfer("capture", invoice.id))
        invoice.applied = [{"payment_id": part.payment.id, "amount": part.amount} for part in funds.applied]
        invoice.receivables = [{"payment_id": part.payment.id, "amount": part.amount, "due_at": order.now} for part in funds.receivables]
        if funds.missing:
            invoice.receivables.append({"payment_id": None, "amount": funds.missing, "due_at": order.now})
        order.invoices[invoice.id], shipment.invoice_id = invoice, invoice.id
        order.record("invoice.created", invoice_id=invoice.id)
        self.commit(order)
        return invoice

    def pay_back(self, order: Order, memo: CreditMemo) -> CreditMemo:
        """Taken off what is owed first, the rest paid back."""
        owed = offsets(order, memo.total_amount)
        parts = ensure_refunds(order, memo.total_amount - sum(row["amount"] for row in owed))
        self.moves(order, Transfer("refund", memo.id), parts)
        return memo.model_copy(update={"offsets": owed, "refunds": settled(order, Transfer("refund", memo.id))})

    def moves(self, order: Order, transfer: Transfer, parts: Any) -> None:
        """Instructions that succeed, each in a commit of its own, as when one follows the other."""
        for number, each in enumerate(add_moves(order, transfer, parts)):
            what, payment = each.what, order.payments[each.payment_id]
            done = Outcome("succeeded", what.amount, what.at, f"{transfer.document}-{transfer.kind}-{payment.id}-{number}-{what.key}")
            conclude(payment, what, done)
            order.record(f"payment.{transfer.kind}", payment_id=payment.id, amount=what.amount)
            self.commit(order)

    def tell(self, order: Order, payment: Payment, kind: str, amount: int, reference: str, **more: Any) -> None:
        """What a gateway says by itself: a capture up front, a chargeback, a refund that came back."""
        event = PaymentEvent(kind=kind, state="succeeded", amount=amount, at=order.now, reference=reference, **more)
        payment.events.append(event)
        order.record(f"payment.{kind}", payment_id=payment.id, amount=amount)
        self.commit(order)
