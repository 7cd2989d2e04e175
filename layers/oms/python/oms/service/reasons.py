"""Reasons as a catalogue: for an action that any reason names, only such reasons may be given; for the others, any text."""

from __future__ import annotations

from oms.errors import Fault
from oms.settings import Action, Settings


def check_reason(settings: Settings, action: Action, reason: str | None, pointer: str, *, self_service: bool = False) -> list[Fault]:
    """What is wrong with the reason for an action: nothing where no catalogue is in force. `self_service`: a customer gives it."""
    catalogue = {code: rule for code, rule in settings.reasons.items() if action in rule.actions}
    choices = sorted(code for code, rule in catalogue.items() if rule.self_service or not self_service)
    if not catalogue or reason in choices:
        return []
    if not choices:
        return [Fault(f"customers have no reason to choose from for this ({action}); ask the shop", pointer)]
    return [Fault(f"'{reason or ''}' is no reason for this ({action}); choose one of {', '.join(choices)}", pointer)]
