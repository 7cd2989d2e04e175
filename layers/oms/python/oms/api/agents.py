"""Who serves an order: the agent behind a token, with the roles that the token or the settings give them."""

from __future__ import annotations

from oms.api.http import Api, client_of, groups_of, may, subject_of
from oms.service.limits import Agent, agent_of
from oms.settings import Settings


def agent(app: Api, settings: Settings) -> Agent:
    """The agent who calls."""
    return agent_of(client_of(app), subject_of(app), groups_of(app), settings)


def has(app: Api, right: str, settings: Settings) -> bool:
    """Whether who calls has a scope, or a role, of that name."""
    return may(app, right) or right in agent(app, settings).roles
