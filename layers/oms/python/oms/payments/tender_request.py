"""A tender as a channel sends it, and every combination of its parts that makes no sense."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, Strict, StringConstraints, ValidationError

from oms.errors import Fault, invalid
from oms.payments.records import TERMS
from oms.payments.tokens import Token
from oms.wire import MAX_AMOUNT, Amount, Key, Moment, Name, Wire, faults_of

CREDIT_METHODS = ("gift_card", "store_credit")
"""Paid from credit accounts of our own."""
MANUAL = "manual"
"""The gateway of methods known only by name: people say what happened."""
CREDIT = "credit"
EXCHANGE = "exchange"
DEFAULT_PRIORITY = 100
"""Of a store credit that has none of its own."""
_OWN = {**dict.fromkeys(CREDIT_METHODS, CREDIT), TERMS: TERMS}

AccountId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\s#/]+$")]
Some = Annotated[int, Strict(), Field(ge=1, le=MAX_AMOUNT)]


class Terms(Wire):
    """Paid so many days after the invoice; without a figure, as many as the account has."""

    net_days: Annotated[int, Strict(), Field(ge=0, le=365)] | None = None


class GivenAuthorization(Wire):
    """An authorization made elsewhere, by the gateway's own reference."""

    reference: Name
    amount: Some
    expires_at: Moment | None = None


class GivenCapture(Wire):
    """A capture made elsewhere, by the gateway's own reference."""

    reference: Name
    amount: Some


class Tender(Wire):
    """A way to pay a part of an order. `token` stands for the card at the gateway; card data itself never comes here.

    `amount` may be left out on terms only, which then take what the others leave. `authorization` and `capture` were made elsewhere and are
    taken over as they are.
    """

    id: Key | None = None
    method: Key
    gateway: Key | None = None
    token: Token | None = None
    account_id: AccountId | None = None
    amount: Amount | None = None
    terms: Terms | None = None
    authorization: GivenAuthorization | None = None
    capture: GivenCapture | None = None


def gateway_name(tender: Tender) -> str:
    """The gateway that a tender goes through: what it says, or what its method has."""
    return tender.gateway or _OWN.get(tender.method) or ("sandbox" if tender.method == "card" else MANUAL)


def tender_faults(tender: Tender, pointer: str = "") -> list[Fault]:
    """Everything about one tender that does not go together, each with its pointer."""
    faults = _method_faults(tender)
    if tender.method not in _OWN:
        faults += _elsewhere_faults(tender)
    return [Fault(fault.detail, pointer + fault.pointer) for fault in faults]


def terms_faults(tenders: Sequence[tuple[int, Tender]]) -> list[Fault]:
    """An order has one tender on terms at most; given with the place of each in the body."""
    places = [index for index, tender in tenders if tender.method == TERMS]
    return [Fault("one tender on terms is enough; add them up", f"/payments/{index}") for index in places[1:]]


def _method_faults(tender: Tender) -> list[Fault]:
    method, own = tender.method, _OWN.get(tender.method)
    faults = []
    if method == EXCHANGE:
        faults.append(Fault("only an exchange brings such a tender (POST /v1/orders/{id}/exchanges)", "/method"))
    if own and tender.gateway not in (None, own):
        faults.append(Fault(f"{method} goes through the gateway '{own}'; leave it out", "/gateway"))
    if not own and tender.gateway in (CREDIT, TERMS, EXCHANGE):
        faults.append(Fault(f"the gateway '{tender.gateway}' does not take {method}", "/gateway"))
    if method in CREDIT_METHODS and tender.account_id is None:
        faults.append(Fault("required: the credit account that pays", "/account_id"))
    if method not in CREDIT_METHODS and tender.account_id is not None:
        faults.append(Fault("only gift_card and store_credit have a credit account", "/account_id"))
    if method != TERMS and tender.amount is None:
        faults.append(Fault("required", "/amount"))
    if method != TERMS and tender.terms is not None:
        faults.append(Fault("only a tender of the method terms has terms", "/terms"))
    if own:
        given = {"/token": tender.token, "/authorization": tender.authorization, "/capture": tender.capture}
        faults += [Fault(f"{method} has none; leave it out", name) for name, part in given.items() if part is not None]
    return faults


def _elsewhere_faults(tender: Tender) -> list[Fault]:
    """What was authorized and captured elsewhere, and the token that stands for what was not."""
    faults, by_hand = [], gateway_name(tender) == MANUAL
    done = {"authorization": tender.authorization, "capture": tender.capture}
    amounts = {name: part.amount for name, part in done.items() if part}
    if tender.token is None and not amounts and not by_hand:
        faults.append(Fault("required, unless an authorization or a capture made elsewhere is given", "/token"))
    if tender.token is not None and amounts:
        faults.append(Fault("it was authorized elsewhere; leave the token out", "/token"))
    elif tender.token is not None and by_hand:
        faults.append(Fault("a token says nothing without its gateway; name the gateway", "/token"))
    if len(amounts) == 2 and amounts["capture"] > amounts["authorization"]:
        faults.append(Fault(f"{amounts['capture']} is captured of an authorization of {amounts['authorization']}", "/capture/amount"))
    elif tender.amount is not None and amounts:
        most = max(amounts, key=lambda name: amounts[name])
        if amounts.get("capture", 0) > tender.amount:
            faults.append(Fault(f"{amounts['capture']} is captured and the tender is to pay {tender.amount}", "/capture/amount"))
        elif amounts[most] < tender.amount and not by_hand:
            faults.append(Fault(f"{amounts[most]} of the tender's {tender.amount}; nobody could take the rest", f"/{most}/amount"))
    return faults


def read_tender(body: Any) -> Tender:
    """The tender in the body of `POST /v1/orders/{id}/payments`; Invalid with every fault."""
    try:
        tender = Tender.model_validate(body)
    except ValidationError as error:
        raise invalid(*faults_of(error)) from None
    faults = tender_faults(tender)
    if faults:
        raise invalid(*faults)
    return tender
