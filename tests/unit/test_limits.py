"""Limits of agents by role, and who may approve what goes beyond them."""

from __future__ import annotations

from typing import Any

import pytest

from oms.service.limits import Agent, Asked, Limited, RoleSettings, agent_of, exceeds, may_approve
from oms.settings import Settings

ROLES: dict[str, Any] = {
    "junior": {"clients": ["desk"], "limits": {"EUR": {"refund": 5000, "goodwill": 0}}},
    "lead": {"limits": {"EUR": {"refund": 20000}, "USD": {"refund": 30000}}, "approves": ["junior"]},
    "head": {"clients": ["sub-head"]},
}
SETTINGS = Settings(roles={role: RoleSettings.model_validate(rule) for role, rule in ROLES.items()})
JUNIOR, LEAD, HEAD, NOBODY = Agent("j", ("junior",)), Agent("l", ("lead",)), Agent("h", ("head",)), Agent("n")


@pytest.mark.parametrize(
    ("client", "subject", "groups", "expected"),
    [
        ("desk", "", (), Agent("desk", ("junior",))),
        ("console", "sub-head", (), Agent("sub-head", ("head",))),
        ("console", "u1", ("lead", "night"), Agent("u1", ("lead", "night"))),
        ("desk", "u1", ("junior",), Agent("u1", ("junior",))),
        ("robot", "", (), Agent("robot")),
    ],
)
def test_roles_come_from_the_token_and_from_the_settings(client: str, subject: str, groups: tuple[str, ...], expected: Agent) -> None:
    assert agent_of(client, subject, groups, SETTINGS) == expected


@pytest.mark.parametrize(
    ("agent", "kind", "amount", "currency", "expected"),
    [
        (JUNIOR, "refund", 5000, "EUR", False),
        (JUNIOR, "refund", 5001, "EUR", True),
        (JUNIOR, "goodwill", 0, "EUR", False),
        (JUNIOR, "goodwill", 1, "EUR", True),
        (JUNIOR, "cancel", 10**9, "EUR", False),
        (JUNIOR, "refund", 1, "USD", True),
        (JUNIOR, "refund", 0, "USD", False),
        (LEAD, "refund", 30000, "USD", False),
        (Agent("jl", ("junior", "lead")), "refund", 20000, "EUR", False),
        (Agent("jl", ("junior", "lead")), "refund", 20001, "EUR", True),
        (HEAD, "refund", 10**12, "EUR", False),
        (NOBODY, "refund", 10**12, "EUR", False),
        (Agent("x", ("night",)), "refund", 10**12, "EUR", False),
        (Agent("x", ("night", "junior")), "refund", 5001, "EUR", True),
    ],
)
def test_what_goes_beyond_a_limit(agent: Agent, kind: Limited, amount: int, currency: str, expected: bool) -> None:
    assert exceeds(agent, kind, amount, currency, SETTINGS) is expected


@pytest.mark.parametrize(
    ("agent", "asked", "expected"),
    [
        (JUNIOR, Asked(JUNIOR, "refund", 6000, "EUR"), False),
        (Agent("j", ("head",)), Asked(JUNIOR, "refund", 6000, "EUR"), False),
        (Agent("j2", ("junior",)), Asked(JUNIOR, "refund", 6000, "EUR"), False),
        (LEAD, Asked(JUNIOR, "refund", 20000, "EUR"), True),
        (LEAD, Asked(JUNIOR, "refund", 20001, "EUR"), False),
        (LEAD, Asked(Agent("l2", ("lead",)), "refund", 100, "EUR"), False),
        (Agent("l2", ("lead", "head")), Asked(LEAD, "refund", 20001, "EUR"), True),
        (HEAD, Asked(LEAD, "refund", 10**9, "EUR"), True),
        (NOBODY, Asked(LEAD, "refund", 10**9, "EUR"), True),
    ],
)
def test_who_may_approve(agent: Agent, asked: Asked, expected: bool) -> None:
    assert may_approve(agent, asked, SETTINGS) is expected
