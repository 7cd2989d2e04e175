"""The contract's statuses, written a second time and another way: unit by unit, and from the documents instead of the counters."""

from __future__ import annotations

from dataclasses import dataclass, field

from oms.orders.order import Order


@dataclass
class Unit:
    """One unit of one line, as the test has seen it move."""

    place: str = ""  # where it is reserved or was sent from; nothing while it waits or has no place
    allocated: bool = False
    parcel: str = ""
    delivered: bool = False
    coming_back: bool = False
    returned: bool = False


@dataclass
class Line:
    """A line's units, in no particular order, and how many wait for stock."""

    units: list[Unit] = field(default_factory=list)

    def count(self, flag: str) -> int:
        """Units for which this is so."""
        return sum(bool(getattr(unit, flag)) for unit in self.units)


def axis(lines: dict[str, Line], flag: str, all_word: str, some_word: str, none_word: str) -> str:
    """A word for all units, for some, for none."""
    flags = [bool(getattr(unit, flag)) for line in lines.values() for unit in line.units]
    return all_word if flags and all(flags) else some_word if any(flags) else none_word


def fulfillment(lines: dict[str, Line]) -> str:
    """The goods inside our walls."""
    allocated = axis(lines, "allocated", "allocated", "partially_allocated", "unfulfilled")
    return axis(lines, "parcel", "shipped", "partially_shipped", allocated)


def delivery(lines: dict[str, Line]) -> str:
    """The goods outside."""
    return axis(lines, "delivered", "delivered", "partially_delivered", axis(lines, "parcel", "in_transit", "in_transit", "none"))


def returns(lines: dict[str, Line]) -> str:
    """The goods that come back."""
    return axis(lines, "returned", "returned", "partially_returned", axis(lines, "coming_back", "requested", "requested", "none"))


def of_line(line: Line, backordered: int) -> str:
    """The status of one line."""
    total, shipped, back = len(line.units), line.count("parcel"), line.count("returned")
    if back == total:
        return "returned"
    if shipped and line.count("coming_back") == shipped:
        return "return_initiated"
    if back:
        return "partially_returned"
    for flag, word in (("delivered", "delivered"), ("parcel", "shipped"), ("allocated", "allocated")):
        if line.count(flag):
            return word if line.count(flag) == total else f"partially_{word}"
    return "backordered" if backordered else "ordered"


def payment(order: Order) -> str:
    """The payment axis, from what was invoiced and credited (every invoice is captured in full, every memo refunded in full)."""
    invoiced = sum(invoice.total_amount for invoice in order.invoices.values())
    credited = sum(memo.total_amount for memo in order.credit_memos.values())
    authorized = sum(payment.amount for payment in order.payments.values())
    if invoiced and credited == invoiced:
        return "refunded"
    if credited:
        return "partially_refunded"
    if invoiced:
        return "captured" if invoiced >= authorized else "partially_captured"
    return "authorized" if authorized else "none"


def of_order(order: Order, lines: dict[str, Line]) -> str:
    """Completed once every unit is delivered and everything is invoiced; cancelling is not a part of these lives."""
    arrived = all(unit.delivered for line in lines.values() for unit in line.units)
    paid = all(parcel.invoice_id for parcel in order.shipments.values())
    return "completed" if arrived and paid else "open"
