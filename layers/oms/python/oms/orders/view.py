"""Records as the API shows them (contract: "The order, as every call returns it")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from oms.clock import later
from oms.fulfillment.records import FulfillmentOrder, Shipment
from oms.money.shares import Share
from oms.money.units import Units, count
from oms.orders import quantities, statuses
from oms.orders.order import Order
from oms.orders.records import PROCESSING_HOURS, TRANSIT_DAYS, Personal, PlacedGroup, PlacedLine, PlacedTax, Promise
from oms.orders.totals import totals_of
from oms.payments.funds import open_amount
from oms.payments.ledger import expires_at, fold, payment_status
from oms.payments.records import Change, CreditMemo, Exchange, Invoice, Payment
from oms.payments.shown import shown
from oms.returns.records import Return, ReturnFee
from oms.service.changes import change_view

MOST_LINES = 200
"""Lines in one body. An order with more shows its first lines, and of each kind of record those whose lines fit in."""
R = TypeVar("R", FulfillmentOrder, Shipment, Invoice, CreditMemo, Return)


def order_view(
    order: Order, personal: Personal, executions: Sequence[dict[str, Any]] = (), tracking_page_url: str | None = None
) -> dict[str, Any]:
    """The whole order: as placed, where it stands on every axis, its money, and all that belongs to it. The tracking link is a permission:
    only who reads orders is given it."""
    placed, summary = order.placed, order.summary
    sums, total = statuses.buckets(order), statuses.totals(order)
    invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
    credited = sum(memo.total_amount for memo in order.credit_memos.values())
    held = sums.captured - sums.refunded - sums.charged_back
    return {
        "id": order.id,
        "version": summary.version,
        "channel": placed.channel,
        "order_number": placed.order_number,
        "business_model": placed.business_model,
        "currency": placed.currency,
        "tax_mode": placed.tax_mode,
        "tax_rounding": placed.tax_rounding,
        "on_problem": placed.on_problem,
        "placed_at": placed.placed_at,
        "placed_by": placed.placed_by,
        "updated_at": summary.updated_at or None,
        "customer": {"id": placed.customer_id, "account_id": placed.account_id, **personal.customer},
        "billing_address": personal.billing_address,
        "po_number": placed.po_number,
        "reservation_id": placed.reservation_id,
        "metadata": placed.metadata,
        "status": summary.status,
        "payment_status": statuses.payment_status(order),
        "money_owed": statuses.money_owed(order) if summary.status not in ("received", "declined") else "none",
        "fulfillment_status": statuses.fulfillment_status(order),
        "delivery_status": statuses.delivery_status(order),
        "return_status": statuses.return_status(order),
        "attention": statuses.attention(order),
        "totals": total.model_dump(),
        "placed_totals": totals_of(placed.lines, placed.delivery_groups, placed.fees).model_dump(),
        "payment": {
            **sums.model_dump(exclude={"pending_void", "failed"}),
            "invoiced": invoiced,
            "credited": credited,
            "balance_due": max(0, total.grand_total - held - statuses.to_come(order)),
        },
        "lines": line_views(order, most=MOST_LINES),
        "delivery_groups": [_group(group, personal) for group in order.groups],
        "adjustments": placed.adjustments,
        "fees": [{"code": fee.code, **_value(fee.frozen.all_units(), fee.taxes)} for fee in placed.fees],
        "payments": [payment_view(payment, order.now) for payment in order.payments.values()],
        "fulfillment_orders": [fulfillment_order_view(order, fo, personal) for fo in _shown(order, order.fulfillment_orders.values())],
        "shipments": [shipment_view(shipment) for shipment in _shown(order, order.shipments.values())],
        "invoices": [document_view(order, invoice) for invoice in _shown(order, order.invoices.values())],
        "credit_memos": [document_view(order, memo) for memo in _shown(order, order.credit_memos.values())],
        "changes": [change_view(change) for change in order.changes.values()],
        "returns": [return_view(order, ret) for ret in _shown(order, order.returns.values())],
        **({"more": _left_out(order)} if len(placed.lines) > MOST_LINES else {}),
        "exchanges": [_exchange(change, about) for change in order.changes.values() if (about := change.exchange)],
        "related_orders": _related(order),
        "holds": [hold.model_dump(exclude_none=True) for hold in summary.holds],
        "exceptions": [exception_view(order, key) for key in order.exceptions],
        "notes": [note.model_dump() for note in summary.notes],
        "attempts": [attempt.model_dump(exclude={"visit"}) for attempt in summary.attempts],
        "tracking_page_url": tracking_page_url,
        "executions": list(executions),
    }


def _exchange(change: Change, about: Exchange) -> dict[str, Any]:
    """`balance`: what the new goods cost more than the old ones bring; negative is paid back."""
    return {
        "id": change.id,
        "status": change.status,
        "return_id": about.return_id,
        "cancellation_id": about.cancellation_id,
        "new_order_id": about.new_order_id,
        "new_order_number": about.new_order_number,
        "advance": about.advance,
        "balance": about.price - about.expected,
    }


def _related(order: Order) -> list[dict[str, Any]]:
    """The order that it was exchanged from, and those that came of its own exchanges."""
    origin = order.placed.exchange_of
    from_ = [{"id": origin.order_id, "order_number": origin.order_number, "relation": "exchange_of"}] if origin else []
    made = [about for change in order.changes.values() if (about := change.exchange)]
    return from_ + [{"id": about.new_order_id, "order_number": about.new_order_number, "relation": "exchange"} for about in made]


def line_views(order: Order, start: int = 0, most: int | None = None) -> list[dict[str, Any]]:
    """The lines from number `start` on, at most so many: status, quantities and amounts of each."""
    return [_line(order, line) for line in order.every_line[start : None if most is None else start + most]]


def fitting(records: Sequence[R], start: int = 0) -> list[R]:
    """As many records, from number `start` on, as have 200 lines together; one in any case."""
    shown: list[R] = []
    lines = 0
    for record in records[start:]:
        lines += len(record.lines)
        if shown and lines > MOST_LINES:
            break
        shown.append(record)
    return shown


def parts_view(order: Order, kind: str, start: int) -> tuple[list[dict[str, Any]], int | None]:
    """A page of an order's records of a kind (as in the path), and where the next one starts. KeyError for a kind that there is not."""
    document_of = partial(document_view, order)
    records: dict[str, tuple[Sequence[Any], Callable[[Any], dict[str, Any]]]] = {
        "fulfillment-orders": (
            list(order.fulfillment_orders.values()),
            lambda fo: fulfillment_order_view(order, fo, order.personal or Personal()),
        ),
        "shipments": (list(order.shipments.values()), shipment_view),
        "invoices": (list(order.invoices.values()), document_of),
        "credit-memos": (list(order.credit_memos.values()), document_of),
    }
    found, show = records[kind]
    page = fitting(found, start)
    end = start + len(page)
    return [show(each) for each in page], end if end < len(found) else None


def document_view(order: Order, document: Invoice | CreditMemo) -> dict[str, Any]:
    """An invoice, with what is open of it, or a credit memo."""
    left = {"open_amount": open_amount(order, document)} if isinstance(document, Invoice) else {}
    return {**document.model_dump(exclude={"v"}), **left}


def _shown(order: Order, records: Iterable[R]) -> list[R]:
    every = list(records)
    return fitting(every) if len(order.placed.lines) > MOST_LINES else every


def _left_out(order: Order) -> dict[str, int]:
    """How many lines and records a large order has beside those in its body; each kind has a route of its own."""
    kinds = ("fulfillment_orders", "shipments", "invoices", "credit_memos", "returns")
    left = {kind: len(records) - len(fitting(list(records.values()))) for kind in kinds if (records := getattr(order, kind))}
    return {"lines": len(order.placed.lines) - MOST_LINES, **left}


def fulfillment_order_view(order: Order, fo: FulfillmentOrder, personal: Personal) -> dict[str, Any]:
    """A fulfillment order with what its location needs to know."""
    lines = {line_id: order.line(line_id)[0] for line_id in fo.lines}
    group = order.group(fo.delivery_group)
    return {
        "id": fo.id,
        "order_id": order.id,
        "order_number": order.placed.order_number,
        "location_id": fo.location_id,
        "delivery_group": {"id": group.id, "method": group.method, **personal.groups.get(group.id, {})},
        "ship_by": fo.ship_by,
        "type": fo.type,
        "status": fo.status,
        **({"replaces": fo.replaces} if fo.replaces else {}),
        "created_at": fo.created_at,
        "lines": [
            {
                "line_id": line_id,
                "sku": lines[line_id].sku,
                "name": lines[line_id].name,
                "quantity": row.quantity,
                "shipped": row.shipped,
                "rejected": row.rejected,
                "cancel_requested": row.cancel_requested,
                "unit_value": lines[line_id].frozen.unit(1).total,
                "metadata": lines[line_id].metadata,
            }
            for line_id, row in fo.lines.items()
        ],
        "shipments": [shipment.id for shipment in order.shipments_of(fo.id)],
        "metadata": order.placed.metadata,
        "explanation": order.explanations[fo.explained_by].reasons if fo.explained_by in order.explanations else fo.explanation,
    }


def is_exchanged(order: Order, ret: Return) -> bool:
    """Whether the goods of a return pay for others, by an exchange."""
    return any(change.exchange and change.exchange.return_id == ret.id for change in order.changes.values())


def return_view(order: Order, ret: Return) -> dict[str, Any]:
    """A return with its lines and receipts. What comes back for an exchange says so instead of how it would be paid back."""
    exchanged = is_exchanged(order, ret)
    return {
        "id": ret.id,
        "order_id": order.id,
        "order_number": order.placed.order_number,
        "status": ret.status,
        "mode": ret.mode,
        "reduce_shipping": ret.reduce_shipping,
        **({"location_id": ret.location_id} if ret.location_id else {}),
        **({"fees": [_named_fee(fee) for fee in ret.fees]} if ret.fees is not None else {}),
        "reason": ret.reason,
        **({"override": ret.override.model_dump()} if ret.override else {}),
        "requested_at": ret.requested_at,
        "actor": ret.actor,
        "cause": ret.cause,
        "lines": [
            {
                "line_id": line.line_id,
                "quantity": line.quantity,
                "received": line.received,
                "settled": line.settled,
                "reason": line.reason,
                "resolution": "exchange" if exchanged else line.resolution,
                **({"extra": True} if line.extra else {}),
            }
            for line in ret.lines
        ],
        "labels": [label.model_dump(exclude={"key"}, exclude_none=True) for label in ret.labels],
        "receipts": [receipt.model_dump(exclude_none=True) for receipt in ret.receipts],
        "notes": [note.model_dump() for note in ret.notes],
        "credit_memos": [memo.id for memo in order.credit_memos.values() if memo.return_id == ret.id],
        "invoices": [invoice.id for invoice in order.invoices.values() if invoice.return_id == ret.id],
    }


def _named_fee(fee: ReturnFee) -> dict[str, Any]:
    return {"code": fee.code, **({"percent": fee.percent} if fee.percent else {"amount": fee.frozen.price})}


def exception_view(order: Order, exception_id: str) -> dict[str, Any]:
    """A process exception with what can be done about it."""
    from oms.machines.executions import console_url  # noqa: PLC0415 few orders have an exception

    problem = order.exceptions[exception_id]
    about = {"fulfillment_order_id": problem.subject} if problem.subject.startswith("fo_") else {}
    about |= {"return_id": problem.subject} if problem.subject.startswith("ret_") else {}
    execution = {"arn": problem.execution, "console_url": console_url(problem.execution)} if problem.execution else None
    return {**problem.model_dump(exclude={"v", "subject"}, exclude_none=True), "order_id": order.id, **about, "execution": execution}


def shipment_view(shipment: Shipment) -> dict[str, Any]:
    """A parcel."""
    return {
        **shipment.model_dump(exclude={"v", "lines", "status_at", "replaces", "written_off"}),
        **({"replaces": shipment.replaces} if shipment.replaces else {}),
        "lines": _parcel_rows(shipment.lines),
        **({"written_off": _parcel_rows(shipment.written_off)} if shipment.written_off else {}),
    }


def _parcel_rows(lines: Mapping[str, Units]) -> list[dict[str, Any]]:
    return [{"line_id": line_id, "quantity": count(units), "units": units} for line_id, units in lines.items()]


def payment_view(payment: Payment, now: str) -> dict[str, Any]:
    """A tender: amounts and the events they are folded from, never its token."""
    sums = fold(payment)
    return {
        "id": payment.id,
        "method": payment.method,
        "gateway": payment.gateway,
        "account_id": shown(payment),
        "net_days": payment.net_days if payment.method == "terms" else None,
        "status": payment_status(payment, now),
        "amount": payment.amount,
        "authorized": sums.authorized,
        "captured": sums.captured,
        "refunded": sums.refunded,
        "voided": sums.voided,
        "expires_at": expires_at(payment),
        "events": [event.model_dump(exclude={"key", "asked_at"}, exclude_none=True) for event in payment.events],
    }


def _line(order: Order, line: PlacedLine) -> dict[str, Any]:
    state = order.summary.lines[line.id]
    share = statuses.line_share(order, line.id)
    fos = [fo for fo in order.fulfillment_orders.values() if fo.delivery_group == line.delivery_group]
    confirmed = not any(fo.assume_delivered_after_days for fo in fos)
    counters = state.model_dump(exclude=quantities.NO_COUNTERS)
    return {
        "id": line.id,
        "sku": line.sku,
        "name": line.name,
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "delivery_group": line.delivery_group,
        "status": quantities.line_status(state),
        "quantities": {
            **counters,
            "reserved": quantities.reserved(state),
            "available_to_cancel": quantities.available_to_cancel(state),
            "available_to_return": _may_come_back(order, line, confirmed),
            "available_to_reship": quantities.available_to_reship(state),
        },
        **({"promise": promised.model_dump()} if (promised := promise_of(order, line.id)) else {}),
        "amounts": {"unit_price": line.unit_price, "line_amount": share.price, **_value(share, line.taxes)},
        "adjustments": line.adjustments,
        "backorder": line.backorder,
        "bundle_of": line.bundle_of,
        "bundle_policy": line.bundle_policy,
        "po_line": line.po_line,
        "product": line.product,
        **({"return_rule": line.return_rule} if line.return_rule else {}),
        "metadata": line.metadata,
    }


def _may_come_back(order: Order, line: PlacedLine, confirmed: bool) -> int:
    """Units that a return could take now: the counters say it, unless single units are out of reach."""
    state = order.summary.lines[line.id]
    free = quantities.available_to_return(state, confirmed)
    if not free or not (state.reshipped or order.returns or any(change.claim for change in order.changes.values())):
        return free
    from oms.returns.states import takeable  # noqa: PLC0415 most orders do without, and every cold start would pay for it

    return count(takeable(order, line, needs_delivery=confirmed))


def promise_of(order: Order, line_id: str) -> Promise | None:
    """When the customer was promised a line: what waits by its supply, what a location works on by its ship-by time."""
    state = order.summary.lines[line_id]
    work = [
        fo
        for fo in order.fulfillment_orders.values()
        if (row := fo.lines.get(line_id)) and row.quantity > row.rejected + row.cancelled and not fo.replaces
    ]
    if state.promise and (state.backordered or not work):
        return state.promise
    if work:
        earliest = max(later(fo.ship_by, days=fo.transit_days_min) for fo in work)
        latest = max(later(fo.ship_by, days=fo.transit_days_max) for fo in work)
        return Promise(earliest=earliest, latest=latest, source="stock", changed_at=max(fo.created_at for fo in work))
    if not state.pins:
        return None
    since = order.placed.placed_at
    earliest, latest = (later(since, hours=PROCESSING_HOURS, days=days) for days in TRANSIT_DAYS)
    return Promise(earliest=earliest, latest=latest, source="stock", changed_at=since)


def _value(share: Share, taxes: list[PlacedTax]) -> dict[str, Any]:
    return {
        "adjustment_amount": share.adjustment,
        "order_adjustment_amount": share.order_adjustment,
        "net_amount": share.net,
        "tax_amount": share.tax,
        "total_amount": share.total,
        "taxes": [
            {"name": tax.name, "rate": tax.rate, "amount": amount, **({"exempt_reason": tax.exempt_reason} if tax.exempt_reason else {})}
            for tax, amount in zip(taxes, share.taxes, strict=False)
        ],
    }


def _group(group: PlacedGroup, personal: Personal) -> dict[str, Any]:
    fields = group.model_dump(exclude={"taxes", "frozen", "charge", "destination"})
    charge = {**(group.charge or {}), **_value(group.frozen.all_units(), group.taxes)} if group.frozen else None
    return {**fields, **personal.groups.get(group.id, {}), "charge": charge}
