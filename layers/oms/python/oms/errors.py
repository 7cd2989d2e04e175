"""The errors of the product, in three classes that callers, Retry and Catch select by name.

OmsError
 |- Refused            the request is wrong or not possible now: never retried, becomes problem details
 |   |- Invalid        422  one or more faults in the body, each with its pointer
 |   |- NotFound       404
 |   |- Conflict       409  not possible in the present state
 |   |- Stale          412  If-Match named another version
 |   `- Forbidden      403
 |- Retryable          try again: lost a race, a provider is unreachable
 |   `- InProgress     409 + Retry-After: somebody else is doing this very thing
 `- (anything else is a bug and goes to "Raise exception")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: what, and where in the body (RFC 6901 pointer)."""

    detail: str
    pointer: str = ""


@dataclass(eq=False)
class OmsError(Exception):
    """Base of all: `kind` is the stable last part of the problem's type URI. Errors are compared by identity, and so can be hashed."""

    detail: str
    kind: str = "error"
    status: int = 500
    errors: list[Fault] = field(default_factory=list)

    def __str__(self) -> str:
        return "; ".join([self.detail, *(f"{fault.pointer}: {fault.detail}" for fault in self.errors)])


@dataclass(eq=False)
class Refused(OmsError):
    """Definitive: the same call in the same state is refused again."""

    kind: str = "refused"
    status: int = 409


@dataclass(eq=False)
class Invalid(Refused):
    """The body has faults; all of them are listed."""

    kind: str = "invalid"
    status: int = 422


@dataclass(eq=False)
class NotFound(Refused):
    """There is no such record."""

    kind: str = "not-found"
    status: int = 404


@dataclass(eq=False)
class Conflict(Refused):
    """The record is in a state that does not allow this."""

    kind: str = "conflict"
    status: int = 409


@dataclass(eq=False)
class Stale(Refused):
    """If-Match named a version that is no longer the record's, or a quote names figures that it would not come to any more. `current`: what
    the caller should know of how the record stands now."""

    kind: str = "stale-version"
    status: int = 412
    current: dict[str, Any] = field(default_factory=dict)


def expect_version(what: str, version: int, if_match: str | None) -> None:
    """Stale unless If-Match is absent, "*" or names the present version of `what`."""
    if if_match and if_match.strip() != "*" and if_match.strip().removeprefix("W/").strip('"') != str(version):
        raise Stale(f"{what} is at version {version} now; read it again (If-Match was {if_match})")


@dataclass(eq=False)
class Forbidden(Refused):
    """The caller may not do this."""

    kind: str = "forbidden"
    status: int = 403


@dataclass(eq=False)
class Retryable(OmsError):
    """Nothing is wrong with the request; try again."""

    kind: str = "try-again"
    status: int = 503


@dataclass(eq=False)
class InProgress(Retryable):
    """Another call is doing this very thing at the moment."""

    kind: str = "in-progress"
    status: int = 409


def invalid(*faults: Fault) -> Invalid:
    """Invalid with its faults counted in the detail."""
    return Invalid(detail="1 fault" if len(faults) == 1 else f"{len(faults)} faults", errors=list(faults))
