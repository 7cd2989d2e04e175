"""Credit accounts as they are stored, each a collection of its own in the orders table.

pk            sk               what
credit_<id>   account          the account: balance, held, and what it is; a customer's is listed (credit#<customer>)
credit_<id>   entry#<key>      one effect or refusal per cause; of a hold also what is open of it
credit_<id>   log#00000007     the same effect by its number, to list them newest first

An effect is one transaction: the account under the version that was read, its entry under the condition that its key is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oms.orders.records import Record
from oms.payments.credit import Book, CreditAccount, CreditEntry
from oms.storage.codec import encode
from oms.storage.environment import environment
from oms.storage.lists import listed
from oms.storage.table import Cancelled, Lost, Write, get, query, write

_LAST = 10**8 - 1


def read_account(account_id: str) -> CreditAccount | None:
    """One account, strongly consistent, or None."""
    row = get(environment().orders_table, _pk(account_id), "account")
    return CreditAccount.model_validate(row) if row else None


def read_entry(account_id: str, key: str) -> CreditEntry | None:
    """The entry of a cause, or None."""
    row = get(environment().orders_table, _pk(account_id), f"entry#{key}")
    return CreditEntry.model_validate(row) if row else None


def read_book(account_id: str, of: str | None = None) -> Book:
    """An account with the entry that an effect belongs to."""
    return Book(account_id, read_account(account_id), read_entry(account_id, of) if of else None)


def entries(account_id: str, before: int, limit: int) -> list[CreditEntry]:
    """At most so many entries with a lower number than `before` (0: from the newest), newest first."""
    values = {":pk": _pk(account_id), ":from": "log#", ":to": _log((before or _LAST + 1) - 1)}
    rows = query(environment().orders_table, "pk = :pk AND sk BETWEEN :from AND :to", values, ScanIndexForward=False, Limit=limit)
    return [CreditEntry.model_validate(row) for row in rows][:limit]


def accounts_of(customer_id: str, limit: int = 50) -> list[CreditAccount]:
    """The accounts that only this customer may spend, by id; the first fifty."""
    rows = listed(f"credit#{customer_id}", newest_first=False, limit=limit)
    found = [read_account(row["pk"].removeprefix("credit_")) for row in rows]
    return [account for account in found if account and account.customer_id == customer_id]


def keep(book: Book, also: Sequence[Write] = ()) -> None:
    """Write the book's entry and what it did, in one transaction with `also`.

    Lost: another effect came first, or an entry of this key is there already.
    """
    entry, writes = book.entry, list(also)
    if entry is None or entry.state == "done":
        writes += [_put(book.account_id, "account", book.account)] if book.account else []
        writes += [_put(book.account_id, f"entry#{book.hold.key}", book.hold)] if book.hold and entry else []
    if entry:
        writes.append(_put(book.account_id, f"entry#{entry.key}", entry))
    if entry and entry.state == "done":
        writes.append(_put(book.account_id, _log(entry.number), entry))
    try:
        write(writes)
    except Cancelled as error:
        raise Lost("the credit account changed meanwhile") from error


def _put(account_id: str, sk: str, record: Record) -> Write:
    fields: dict[str, Any] = record.model_dump(exclude={"v"}, exclude_defaults=True)
    owner = record.customer_id if isinstance(record, CreditAccount) else None
    index = {"list": f"credit#{owner}", "at": account_id} if owner else {}
    item = encode({"pk": _pk(account_id), "sk": sk, "v": record.v + 1, **fields, **index})
    if record.v == 0:
        return Write(environment().orders_table, item, "attribute_not_exists(pk)")
    return Write(environment().orders_table, item, "v = :v", encode({":v": record.v}))


def _pk(account_id: str) -> str:
    return f"credit_{account_id}"


def _log(number: int) -> str:
    return f"log#{number:08d}"
