"""Limits of agents: up to which amount a role does something by itself, and whose requests beyond that it may approve.

An agent without a role has no limits. One with several roles may do what any of them may.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from oms.settings import Settings
from oms.wire import Amount, Currency, Key, Wire

Limited = Literal["refund", "adjust", "cancel", "goodwill"]


class Limits(Wire):
    """The most that a role gives away at once, by what for, in whole minor units; None: as much as it likes."""

    refund: Amount | None = None
    adjust: Amount | None = None
    cancel: Amount | None = None
    goodwill: Amount | None = None


class RoleSettings(Wire):
    """`PUT /v1/roles/{role}`. `clients`: ids of the clients, or subjects of the people, that have the role; whoever is in the user pool's
    group of that name has it too. `limits`: by currency. `approves`: the roles whose requests it may approve; None: anybody's.

    What is limited in some currency is forbidden in a currency that no limit is given for: nobody has thought of it.
    """

    clients: Annotated[list[Key], Field(max_length=500)] = []
    limits: Annotated[dict[Currency, Limits], Field(max_length=50)] = {}
    approves: Annotated[list[Key], Field(max_length=100)] | None = None


@dataclass(frozen=True)
class Agent:
    """Who does something: the person, or the client where there is no person, and the roles they have."""

    id: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What somebody asked for and may not do by themselves: the change as far as limits look at it."""

    by: Agent
    kind: Limited
    amount: int
    currency: str


def agent_of(client: str, subject: str, groups: Iterable[str], settings: Settings) -> Agent:
    """The agent of a token: its groups, and the roles that name its client or its subject (empty for a machine's)."""
    listed = (role for role, rule in settings.roles.items() if client in rule.clients or (subject and subject in rule.clients))
    return Agent(subject or client, tuple(dict.fromkeys((*groups, *listed))))


def exceeds(agent: Agent, kind: Limited, amount: int, currency: str, settings: Settings) -> bool:
    """Whether somebody else has to approve this amount (whole minor units, never negative)."""
    roles = _roles(agent, settings)
    return bool(roles) and not any(_reaches(role, kind, amount, currency) for role in roles)


def may_approve(agent: Agent, asked: Asked, settings: Settings) -> bool:
    """Whether the agent may approve what another asked for: never their own request, and with a role only within its limits and for the
    roles it approves."""
    if agent.id == asked.by.id:
        return False
    roles = _roles(agent, settings)
    return not roles or any(_approves(role, asked) and _reaches(role, asked.kind, asked.amount, asked.currency) for role in roles)


def _roles(agent: Agent, settings: Settings) -> list[RoleSettings]:
    return [settings.roles[role] for role in agent.roles if role in settings.roles]


def _reaches(role: RoleSettings, kind: Limited, amount: int, currency: str) -> bool:
    given = {code: most for code, limits in role.limits.items() if (most := getattr(limits, kind)) is not None}
    return not given or amount <= given.get(currency, 0)


def _approves(role: RoleSettings, asked: Asked) -> bool:
    return role.approves is None or not set(role.approves).isdisjoint(asked.by.roles)
