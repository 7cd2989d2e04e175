"""The journal as files: CSV with a row per line, JSON Lines with an entry per line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from oms.payments.journal import JournalEntry

COLUMNS = ("at", "order_id", "sequence", "order_number", "channel", "document", "payment", "facts", "account", "currency", "amount")


def as_csv(entries: Iterable[JournalEntry], *, header: bool) -> str:
    """One row per line of each entry, RFC 4180; amounts in minor units, debits positive. The header belongs to the first page."""
    out = io.StringIO()
    writer = csv.writer(out)
    if header:
        writer.writerow(COLUMNS)
    for entry in entries:
        documents = " ".join(str(each["number"] or each["id"]) for each in entry.documents)
        about = (entry.at, entry.order_id, entry.sequence, _plain(entry.order_number), _plain(entry.channel), _plain(documents))
        for line in entry.lines:
            last = (" ".join(entry.payments), " ".join(entry.facts), _plain(line.account), entry.currency, line.amount)
            writer.writerow((*about, *last))
    return out.getvalue()


def as_json_lines(entries: Iterable[JournalEntry]) -> str:
    """One JSON object per entry."""
    return "".join(json.dumps(entry.model_dump()) + "\n" for entry in entries)


def _plain(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
