"""Giving numbers to documents: the counter and the documents move together, or not at all.

pk                          sk         what
numbers#<channel>           invoice    how many numbers the series has given; credit-memo likewise
invoice-number#c#n          claim      whose number it is; credit-memo-number#c#n likewise
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oms.payments.numbers import Series, claim_key
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.table import Cancelled, Lost, Write, get, write

_DOCUMENTS: dict[Series, str] = {"invoice": "doc#invoice#", "credit-memo": "doc#memo#"}


@dataclass(frozen=True)
class Numbered:
    """A document and the number that it is to have."""

    order_id: str
    document_id: str
    number: str
    seller: dict[str, Any] | None


def given(channel: str, series: Series) -> int:
    """How many numbers a series has given."""
    row = get(environment().orders_table, f"numbers#{channel}", series)
    return int(row["given"]) if row else 0


def give(channel: str, series: Series, before: int, documents: Sequence[Numbered]) -> None:
    """Number these documents with the numbers after the `before` that were given. Lost if somebody gave one meanwhile, or numbered one of
    them: nothing has happened then."""
    table = environment().orders_table
    condition = "given = :before" if before else "attribute_not_exists(pk)"
    values = {":after": before + len(documents), **({":before": before} if before else {})}
    key = encode({"pk": f"numbers#{channel}", "sk": series})
    writes = [Write(table, key, condition, encode(values), "SET given = :after")]
    for each in documents:
        key = encode({"pk": each.order_id, "sk": _DOCUMENTS[series] + each.document_id})
        fields = {":number": each.number, ":one": 1, **({":seller": each.seller} if each.seller else {})}
        change = "SET #n = :number, v = v + :one" + (", seller = :seller" if each.seller else "")
        unnumbered = "attribute_exists(pk) AND attribute_not_exists(#n)"
        writes.append(Write(table, key, unnumbered, encode(fields), change, names={"#n": "number"}))
        claim = {"pk": claim_key(series, channel, each.number), "sk": "claim", "v": 1}
        claim |= {"order_id": each.order_id, "document_id": each.document_id}
        writes.append(Write(table, encode(claim), "attribute_not_exists(pk)"))
    try:
        write(writes)
    except Cancelled as error:
        raise Lost(f"numbers of {channel} were given by somebody else meanwhile") from error
