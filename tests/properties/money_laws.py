"""The laws of money, written a second time and another way: from single units and from the bank's own book (design section 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from oms.ids import invoice_of_change, memo_of_change
from oms.money.rounding import percent
from oms.money.shares import Share
from oms.money.units import lowest
from oms.orders import quantities
from oms.orders.order import Order
from oms.orders.records import Entry
from oms.orders.statuses import buckets, open_authorization
from oms.payments import laws, ledger
from oms.payments.funds import open_amount, receivable, unapplied
from oms.payments.journal import journal_lines
from oms.payments.records import Payment, PaymentEvent
from oms.returns.records import Return
from oms.service.fees import frozen_fee, goods_amount
from tests.support.bank import Bank

BANK_KINDS = ("authorization", "capture", "refund", "void", "chargeback", "refund_reversal")


def check(order: Order, entries: Sequence[Entry], bank: Bank) -> None:
    """What holds after every move."""
    for line_id, state in order.summary.lines.items():
        assert quantities.broken_laws(state) == []
        units_are_in_one_place(order, line_id)
        replacements_are_units_that_have_left(order, line_id)
    facts_are_numbered(order, entries)
    documents_are_worth_their_units(order)
    fees_of_returns_are_what_was_named(order)
    money_is_accounted_for(order)
    ceilings_hold(order)
    bank_moved_nothing_twice(order, bank)
    assert laws.broken(order) == [], "reconcile would raise an alarm"


def units_are_in_one_place(order: Order, line_id: str) -> None:
    """Every unit is gone, cancelled, asked back or free, and no number is in two of them; counters say as much."""
    state = order.summary.lines[line_id]
    sets = {
        "gone": [units for parcel in order.sold for units in parcel.lines.get(line_id, [])],
        "cancelled": quantities.cancelled_units(state),
        "asked": [run for change in order.changes.values() for line in change.lines if line.line_id == line_id for run in line.held],
    }
    numbers = [number for runs in sets.values() for first, last in runs for number in range(first, last + 1)]
    assert len(numbers) == len(set(numbers)), sets
    assert all(1 <= number <= state.ordered for number in numbers), sets
    sizes = {name: sum(last - first + 1 for first, last in runs) for name, runs in sets.items()}
    assert sizes == {"gone": state.shipped, "cancelled": state.cancelled, "asked": state.cancel_requested}
    asked = sum(fo.lines[line_id].cancel_requested for fo in order.fulfillment_orders.values() if line_id in fo.lines)
    assert asked == state.cancel_requested


def replacements_are_units_that_have_left(order: Order, line_id: str) -> None:
    """A unit is sent again only after it has left; no number waits, or is on work, twice for one cause; counters say as much."""
    state = order.summary.lines[line_id]
    gone = {number for parcel in order.sold for number in _numbers(parcel.lines.get(line_id, []))}
    open_: dict[str, list[int]] = {cause: _numbers(runs) for cause, runs in state.to_replace.items()}
    for fo in order.fulfillment_orders.values():
        row = fo.lines.get(line_id)
        if row:
            assert len(_numbers(row.units)) == (row.open if fo.replaces else 0)
            open_[fo.replaces or ""] = open_.get(fo.replaces or "", []) + _numbers(row.units)
    sent = [number for parcel in order.shipments.values() if parcel.replaces for number in _numbers(parcel.brings(line_id))]
    for numbers in open_.values():
        assert len(numbers) == len(set(numbers))
        assert gone >= set(numbers)
    assert gone >= set(sent)
    assert state.reshipped == sum(map(len, open_.values())) + len(sent)
    lost = {number for parcel in order.sold for number in _numbers(parcel.written_off.get(line_id, []))}
    came = {number for parcel in order.sold if parcel.delivered_at for number in _numbers(parcel.brings(line_id))}
    assert len(lost) == state.lost
    assert len(came) == state.delivered - state.lost_delivered
    assert not any(parcel.invoice_id for parcel in order.shipments.values() if parcel.replaces)


def _numbers(runs: Sequence[Sequence[int]]) -> list[int]:
    return [number for first, last in runs for number in range(first, last + 1)]


def facts_are_numbered(order: Order, entries: Sequence[Entry]) -> None:
    """Law 4: one event per stored fact, numbers without gaps."""
    coming = 1
    for entry in entries:
        assert entry.sequence == coming
        coming += len(entry.facts)
    assert order.summary.sequence == coming - 1
    assert order.summary.version == len(entries)
    facts = [(fact.type, fact.data) for entry in entries for fact in entry.facts]
    for type_, name, records in (
        ("invoice.created", "invoice_id", order.invoices),
        ("credit_memo.created", "credit_memo_id", order.credit_memos),
        ("change.requested", "change_id", order.changes),
        ("exception.opened", "exception_id", order.exceptions),
    ):
        assert sorted(data[name] for kind, data in facts if kind == type_) == sorted(records)


def documents_are_worth_their_units(order: Order) -> None:
    """Law 2, second part: invoiced - credited = the frozen shares of what was shipped and kept, with delivery shares and fees."""
    invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
    credited = sum(memo.total_amount for memo in order.credit_memos.values())
    shares = [Share()]
    for parcel in order.shipments.values():
        if parcel.invoice_id:
            shares += [_worth(order, line_id, units, delivery=True, apart=False) for line_id, units in parcel.lines.items()]
            if parcel.id.endswith("_1"):
                shares += [fee.frozen for fee in order.placed.fees]
    for ret in order.returns.values():
        shares += [-share for share in _paid_back(order, ret)]
    shares += [Share(total=row["total_amount"]) for invoice in order.invoices.values() if invoice.return_id for row in invoice.fees]
    for change in order.changes.values():
        for layer in change.layers:
            told = invoice_of_change(change.id) in order.invoices or memo_of_change(change.id) in order.credit_memos
            if layer.apart and told:
                shares += [band.share for band in layer.bands for _ in range(band.first, band.last + 1)]
        if invoice_of_change(change.id) in order.invoices:
            shares += [fee.frozen for fee in change.fees]
    assert invoiced - credited == sum(share.total for share in shares)
    for invoice in order.invoices.values():
        assert open_amount(order, invoice) >= 0, f"{invoice.id} is overpaid"


def fees_of_returns_are_what_was_named(order: Order) -> None:
    """A return costs its fees, percent of what came, and never more than it pays back."""
    for ret in order.returns.values():
        if any(row.settling > row.settled for row in ret.lines):
            continue  # it is being settled
        goods = _paid_back(order, ret)
        mine = [row for row in ret.lines if row.resolution != "replace"]
        in_mode = sum(goods_amount(order, row.line_id, lowest(row.units, row.settled)) for row in mine)
        due = sum(
            frozen_fee(order, percent(in_mode, Decimal(fee.percent)), fee.taxes).total if fee.percent else fee.frozen.total
            for fee in ret.fees or ()
        )
        charged = sum(invoice.total_amount for invoice in order.invoices.values() if invoice.return_id == ret.id)
        assert charged == (min(due, sum(share.total for share in goods)) if any(row.settled for row in mine) else 0)


def _paid_back(order: Order, ret: Return) -> list[Share]:
    rows = [row for row in ret.lines if row.resolution != "replace"]
    return [_worth(order, row.line_id, lowest(row.units, row.settled), delivery=ret.reduce_shipping) for row in rows]


def _worth(order: Order, line_id: str, units: list[list[int]], *, delivery: bool, apart: bool = True) -> Share:
    """Unit by unit: what was frozen, and every band of a later change that it lies in."""
    line, _ = order.line(line_id)
    layers = [layer for change in order.changes.values() for layer in change.layers if layer.line_id == line_id]
    bands = [(layer.delivery, band) for layer in layers if apart or not layer.apart for band in layer.bands]
    total = Share()
    for number in (number for first, last in units for number in range(first, last + 1)):
        if number <= line.quantity:
            total += line.frozen.unit(number) + (line.delivery.unit(number) if delivery and line.delivery else Share())
        for of_delivery, band in bands:
            if band.first <= number <= band.last and (delivery or not of_delivery):
                total += band.share
    return total


def money_is_accounted_for(order: Order) -> None:
    """Law 2: captured - refunded - charged back - unapplied = invoiced - credited - receivable.

    What was moved for a document that is not on record yet (its step has not come to its end) is set beside it. Money that was charged
    back after an invoice had used it is missing: by so much the documents say more than there is.
    """
    sums = buckets(order)
    there = sums.captured - sums.refunded - sums.charged_back - sum(unapplied(order, payment) for payment in order.payments.values())
    documents = sum(each.total_amount for each in order.invoices.values()) - sum(each.total_amount for each in order.credit_memos.values())
    flight = missing = pending = 0
    for payment in order.payments.values():
        sums, used, back = ledger.fold(payment), _applied(order, payment), 0
        for event in _answered(payment):
            document = event.document or ""
            if event.kind == "capture" and event.state == "succeeded" and document.startswith("inv_"):
                used += event.amount
                flight += 0 if document in order.invoices else event.amount
            if event.kind == "refund" and event.state == "succeeded" and document.startswith("cm_"):
                flight -= 0 if document in order.credit_memos else event.amount
            if event.kind == "refund" and event.state != "failed" and not document.startswith("cm_"):
                back += event.amount
                pending += event.amount if event.state == "requested" else 0
            if event.kind == "refund_reversal" and event.state == "succeeded":
                back -= event.amount
        missing += max(0, used + back - sums.captured + sums.charged_back)
    assert there - flight - pending + missing == documents - receivable(order)
    assert not missing or buckets(order).charged_back, "only a chargeback takes money that was used"


def _answered(payment: Payment) -> list[PaymentEvent]:
    """All facts; one that came without our key, and is like something asked for that has no answer, as that answer."""
    facts = ledger.newest(payment.events)
    for asked in [fact for fact in facts if fact.state == "requested" and not fact.reference]:
        like = [fact for fact in facts if not fact.key and (fact.kind, fact.state) == (asked.kind, "succeeded")]
        for told in [fact for fact in like if (fact.of, fact.amount) == (asked.of, asked.amount)][:1]:
            facts.remove(asked)
            facts[facts.index(told)] = asked.model_copy(update={"state": "succeeded", "reference": told.reference})
    return facts


def _applied(order: Order, payment: Payment) -> int:
    return sum(row["amount"] for invoice in order.invoices.values() for row in invoice.applied if row["payment_id"] == payment.id)


def ceilings_hold(order: Order) -> None:
    """What we asked for stays within what was authorized, and within what was captured; facts from outside may go beyond. What is told
    without our key may be the answer to what we asked for, so it is not counted beside it; the bank's book says whether it was (below)."""
    for payment in order.payments.values():
        sums, asked = ledger.fold(payment), [event for event in ledger.newest(payment.events) if event.key and event.state != "failed"]
        if not sums.charged_back:
            came_back = sum(event.amount for event in _done(payment, "refund_reversal"))  # and may be paid back once more
            assert sum(event.amount for event in asked if event.kind == "refund") <= sums.captured + came_back, payment.id
        for each in ledger.authorizations(payment) if payment.gateway in ("sandbox", "credit") else ():
            drawn = [event for event in asked if event.kind in ("capture", "void", "expiry") and event.of == each.reference]
            assert sum(event.amount for event in drawn) <= each.amount, each


def bank_moved_nothing_twice(order: Order, bank: Bank) -> None:
    """Each key was taken up once; for each document no more moved than it is worth; the ledger claims nothing that did not happen."""
    keys = [entry.what.key for entry in bank.history]
    assert len(keys) == len(set(keys)), "a key was used after the bank had forgotten it"
    moved: Counter[tuple[str, str]] = Counter()
    for entry in bank.history:
        if entry.outcome.state == "succeeded":
            _, kind, document, *_ = entry.what.key.split("/")
            moved[kind, document] += entry.what.amount
    for (kind, document), amount in moved.items():
        if kind == "capture" and document in order.invoices:
            assert amount <= order.invoices[document].total_amount
        if kind == "refund" and document in order.credit_memos:
            assert amount <= order.credit_memos[document].total_amount
        if kind == "refund" and document in order.changes:
            assert amount <= order.changes[document].worth
    for payment, kind, mine in _of_bank(order):
        assert mine <= bank.total(payment.id, kind), f"{payment.id} says more was done ({kind}) than was"


def check_books(order: Order, entries: Sequence[Entry], bank: Bank) -> None:
    """When all has been told: the ledger is the bank's book, and so is the journal."""
    accounts: Counter[str] = Counter()
    for entry in entries:
        lines = journal_lines(order, entry)
        assert sum(line.amount for line in lines) == 0
        for line in lines:
            accounts[line.account] += line.amount
    for payment, kind, mine in _of_bank(order):
        assert mine == bank.total(payment.id, kind), f"{payment.id} {kind}"
    cash = sum(
        sums.captured - sums.refunded - sums.charged_back
        for payment in order.payments.values()
        if payment.gateway == "sandbox"
        for sums in [ledger.fold(payment)]
    )
    assert accounts["cash:sandbox"] == cash + _elsewhere(order)
    assert accounts["receivable"] == receivable(order)


def check_end(order: Order, bank: Bank) -> None:
    """Law 5, and that every order comes to an end unless its money was taken away from outside."""
    disturbed = any(kind in ("chargeback", "refund_reversal") for (_, kind), amount in bank.outside.items() if amount)
    ended = order.summary.status in ("completed", "cancelled", "declined")
    assert ended or disturbed, (order.summary.status, [each.cause for each in order.exceptions.values() if each.status == "open"])
    if ended:
        assert order.held() == {}
        assert not any(event.state == "requested" for payment in order.payments.values() for event in ledger.newest(payment.events))
        assert open_authorization(order) == 0
        assert not any(problem.status == "open" for problem in order.exceptions.values())


def _of_bank(order: Order) -> list[tuple[Payment, str, int]]:
    """What the ledger says was done by the bank, without what people did by hand."""
    cards = [payment for payment in order.payments.values() if payment.gateway == "sandbox"]
    return [(payment, kind, sum(e.amount for e in _done(payment, kind))) for payment in cards for kind in BANK_KINDS]


def _elsewhere(order: Order) -> int:
    """What was refunded of cards and went into store credit."""
    events = [event for payment in order.payments.values() if payment.gateway == "sandbox" for event in ledger.newest(payment.events)]
    return sum(event.amount for event in events if event.kind == "refund" and event.state == "succeeded" and event.into)


def _done(payment: Payment, kind: str) -> list[PaymentEvent]:
    newest = ledger.newest(payment.events)
    return [
        e for e in newest if e.kind == kind and e.state == "succeeded" and not e.into and not (e.reference or "").startswith("by-hand:")
    ]
