"""The callers beside the operator and the shop's customers: each a client of the user pool, with the scopes it needs and no others.

They are data, the context `clients` of cdk.json, because the API takes tokens of the clients that it was deployed with only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_KNOWN = {"scopes", "callback_urls"}


@dataclass(frozen=True)
class ClientSpec:
    """A client `oms-<name>`: a machine (client credentials), or with `callback_urls` the page where people sign in (a code with PKCE)."""

    name: str
    scopes: tuple[str, ...]
    callback_urls: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """The output of the stack that holds its id: SupportDeskClientId of support-desk."""
        return "".join(part.capitalize() for part in self.name.split("-")) + "ClientId"


def clients(context: object, known: Mapping[str, str]) -> tuple[ClientSpec, ...]:
    """The clients of the context: a table, or its JSON as the command line gives it. `known`: the scopes that there are.

    ValueError for a name, a scope or a field that makes no sense: nothing is deployed with a client that may do something else than meant.
    """
    table: Any = json.loads(context) if isinstance(context, str) else context or {}
    return tuple(_client(name, row, known) for name, row in table.items())


def _client(name: str, row: dict[str, Any], known: Mapping[str, str]) -> ClientSpec:
    scopes = str(row.get("scopes", "")).split()
    if not _NAME.fullmatch(name) or name in ("operator", "customers"):
        raise ValueError(f"clients: '{name}' cannot be a name: small letters, digits and dashes; operator and customers are taken")
    if strange := sorted({*row} - _KNOWN):
        raise ValueError(f"clients.{name}: unknown: {', '.join(strange)}; there are scopes, callback_urls")
    if not scopes or {*scopes} - {*known}:
        raise ValueError(f"clients.{name}.scopes: '{' '.join(scopes)}'; name some of: {' '.join(known)}")
    return ClientSpec(name, tuple(scopes), tuple(row.get("callback_urls", ())))
