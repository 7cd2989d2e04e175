"""A document as a page to print: one file, no scripts, everything that came from outside escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from oms.money.currencies import show

_STYLE = """
body{font:14px/1.45 system-ui,sans-serif;color:#111;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 1rem}.parties{display:flex;gap:3rem;margin:0 0 1.5rem}.parties div{flex:1}
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}th,td{text-align:left;padding:.35rem .5rem;border-bottom:1px solid #ccc}
th{border-bottom:2px solid #111}.n{text-align:right;white-space:nowrap}.sum td{font-weight:600}
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}
"""
_TITLES = {"invoice": "Invoice", "credit_memo": "Credit memo"}
Fields = Mapping[str, Any]


def page(document: Fields) -> str:
    """The page of a document as `documents.invoice_view` or `credit_memo_view` shows it, with all its lines."""
    title = f"{_TITLES[document['kind']]} {document['number'] or '(number to follow)'}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<div class="parties">',
        _party("Seller", document["seller"]),
        _party("Buyer", document["buyer"]),
        "</div>",
        _facts(document),
        _lines(document),
        _taxes(document),
        _open(document),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _party(title: str, who: Fields | None) -> str:
    rows: list[str] = []
    if who:
        rows = [str(who.get("name") or ""), *(str(each) for each in (who.get("address") or {}).values())]
        rows += [f"VAT number {who['vat_id']}"] if who.get("vat_id") else []
    return f"<div><b>{title}</b><br>{'<br>'.join(escape(row) for row in rows if row)}</div>"


def _facts(document: Fields) -> str:
    facts = {
        "Date": (document["issued_at"] or "")[:10],
        "Date of supply": (document.get("supplied_at") or "")[:10],
        "Order": document["order_number"],
        "Your reference": document["po_number"],
        "For invoice": ", ".join(str(each["number"] or each["id"]) for each in document.get("invoices", [])),
    }
    return _table((), [(name, value) for name, value in facts.items() if value])


def _lines(document: Fields) -> str:
    def money(amount: int) -> str:
        return show(amount, document["currency"])

    rows = []
    for line in document["lines"]:
        taxes = ", ".join(f"{tax['name']} {tax['rate']}%" for tax in line["taxes"])
        rows.append((_name(line), str(line.get("quantity", "")), taxes, money(line["net_amount"]), money(line["total_amount"])))
    return _table(("What", "Quantity", "Taxes", "Net", "With tax"), rows, numbers=(1, 3, 4))


def _name(line: Fields) -> str:
    if line["kind"] == "delivery":
        return f"Delivery ({line['method']})"
    if line["kind"] == "fee":
        return f"Fee ({line['code']})"
    named = f"{line['sku']} {line['name'] or ''}".strip()
    return f"{named}, adjusted" if line["kind"] == "adjustment" else named


def _taxes(document: Fields) -> str:
    def money(amount: int) -> str:
        return show(amount, document["currency"])

    rows = []
    for tax in document["tax_summary"]:
        why = f": {tax['exempt_reason']}" if tax.get("exempt_reason") else ""
        rows.append((f"{tax['name']} {tax['rate']}%{why}", money(tax["base"]), money(tax["amount"])))
    sums = [("Net", money(document["net_amount"])), ("Tax", money(document["tax_amount"])), ("Total", money(document["total_amount"]))]
    return _table(("Tax", "On", "Amount"), rows, numbers=(1, 2)) + _table((), sums, numbers=(1,), style="sum")


def _open(document: Fields) -> str:
    if not document.get("open_amount"):
        return ""
    due = f", due {document['due_at'][:10]}" if document["due_at"] else ""
    return f"<p><b>Open: {escape(show(document['open_amount'], document['currency']))}</b>{escape(due)}</p>"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[Any, ...]], *, numbers: tuple[int, ...] = (), style: str = "") -> str:
    def cells(tag: str, row: tuple[Any, ...]) -> str:
        kinds = ((' class="n"' if place in numbers else "", str(each)) for place, each in enumerate(row))
        return "".join(f"<{tag}{kind}>{escape(text)}</{tag}>" for kind, text in kinds)

    head = f"<thead><tr>{cells('th', heads)}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<table class="{style}">{head}<tbody>{body}</tbody></table>'
