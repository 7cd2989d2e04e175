"""Credit: gift cards and store credit with their entries, and what business customers owe of their limit."""

from __future__ import annotations

from typing import Any

from oms.api.http import Answer, after_number, asked, client_of, create_api, cursor_of, json_body, page_size, parsed, reply
from oms.api.observe import observed
from oms.errors import Fault, invalid
from oms.flows import credit
from oms.payments.credit import CreditAccountRequest, CreditEntryRequest

app = create_api()
_LONGEST_ID = 128


@app.put("/v1/credit-accounts/<account_id>")
def put_account(account_id: str) -> Answer:
    """Open a gift card or store credit, or change what is no money of it; the same again changes nothing."""
    if len(account_id) > _LONGEST_ID or any(character.isspace() or character == "#" for character in account_id):
        raise invalid(Fault(f"the id of a credit account has at most {_LONGEST_ID} characters, no spaces and no #"))
    request = parsed(json_body(app), CreditAccountRequest)
    account = credit.put_account(account_id, request, f"client:{client_of(app)}")
    return reply(200, credit.account_view(account), version=account.v)


@app.get("/v1/credit-accounts/<account_id>")
def get_account(account_id: str) -> Answer:
    """A credit account with its entries, newest first."""
    account = credit.found_account(account_id)
    entries, more = credit.page_of_entries(account_id, after_number(app), page_size(app))
    content = {**credit.account_view(account), "entries": entries, "next_cursor": cursor_of({"at": str(more)}) if more else None}
    return reply(200, content, version=account.v)


@app.post("/v1/credit-accounts/<account_id>/entries")
def post_entry(account_id: str) -> Answer:
    """Correct a credit account by hand, up or down."""
    request = parsed(json_body(app), CreditEntryRequest)
    entry, replayed = credit.add_entry(account_id, request, asked(app))
    account = credit.found_account(account_id)
    return reply(201, {**credit.account_view(account), "entry": credit.entry_view(entry)}, version=account.v, replayed=replayed)


@app.get("/v1/accounts/<account_id>/credit")
def get_credit(account_id: str) -> Answer:
    """What a business customer owes and will owe on terms, per currency, and what is left of the limit."""
    from oms.flows.accounts import credit_view  # noqa: PLC0415 the others need nothing of what orders are made of

    return reply(200, credit_view(account_id))


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
