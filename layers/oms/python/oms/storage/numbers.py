"""Giving numbers to documents: each number is an item that is made once and never deleted, so the next is the one after the last.

pk                          sk                    what
numbers#<channel>           invoice#000000000017  whose the 17th number of the series is; credit-memo#... likewise

No counter beside them: two that give the same number meet at its item, and one of them has done nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oms.payments.numbers import Series
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, query, write

_DOCUMENTS: dict[Series, str] = {"invoice": "doc#invoice#", "credit-memo": "doc#memo#"}
_DIGITS = 12


@dataclass(frozen=True)
class Numbered:
    """A document and the number that it is to have."""

    order_id: str
    document_id: str
    number: str
    seller: dict[str, Any] | None


def given(channel: str, series: Series) -> int:
    """How many numbers a series has given."""
    values = {":pk": f"numbers#{channel}", ":series": f"{series}#"}
    condition = "pk = :pk AND begins_with(sk, :series)"
    last = next(query(environment().orders_table, condition, values, ScanIndexForward=False, Limit=1), None)
    return int(last["given"]) if last else 0


def give(channel: str, series: Series, before: int, documents: Sequence[Numbered]) -> None:
    """Number these documents with the numbers after the `before` that were given. Lost if somebody gave one meanwhile, or numbered one of
    them: nothing has happened then."""
    table = environment().orders_table
    writes = []
    for place, each in enumerate(documents, start=before + 1):
        item = {**_key(channel, series, place), "given": place, "number": each.number}
        item |= {"order_id": each.order_id, "document_id": each.document_id}
        writes.append(Write(table, encode(item), "attribute_not_exists(pk)"))
        key = encode({"pk": each.order_id, "sk": _DOCUMENTS[series] + each.document_id})
        fields = {":number": each.number, ":one": 1, **({":seller": each.seller} if each.seller else {})}
        change = "SET #n = :number, v = v + :one" + (", seller = :seller" if each.seller else "")
        unnumbered = "attribute_exists(pk) AND attribute_not_exists(#n)"
        writes.append(Write(table, key, unnumbered, encode(fields), change, names={"#n": "number"}))
    try:
        write(writes)
    except Cancelled as error:
        raise Lost(f"numbers of {channel} were given by somebody else meanwhile") from error


def whose(channel: str, series: Series, number: str) -> tuple[str, str] | None:
    """Order and document that have this number, or None. It ends with its place in the series; what comes before may have changed since."""
    found = re.search(rf"[0-9]{{1,{_DIGITS}}}$", number)
    row = get(environment().orders_table, **_key(channel, series, int(found[0]))) if found else None
    return (str(row["order_id"]), str(row["document_id"])) if row and row["number"] == number else None


def _key(channel: str, series: Series, place: int) -> dict[str, Any]:
    return {"pk": f"numbers#{channel}", "sk": f"{series}#{place:0{_DIGITS}d}"}
