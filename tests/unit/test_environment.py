"""The functions' environment: what the code reads is exactly what the CDK app passes."""

from __future__ import annotations

import pytest

from infra.parts.catalogue import FUNCTIONS, LIBRARIES
from infra.parts.synth import template
from oms.storage import environment as module
from oms.storage.environment import Environment, environment

READ = {name.upper() for name in Environment.model_fields}


def passed() -> dict[str, set[str]]:
    """Each function's variables by its name, those of libraries left out."""
    functions = [part["Properties"] for part in template()["Resources"].values() if part["Type"] == "AWS::Lambda::Function"]
    variables = {made["FunctionName"]: made["Environment"]["Variables"] for made in functions}
    return {name: set(keys) - {"POWERTOOLS_SERVICE_NAME", *LIBRARIES} for name, keys in variables.items()}


def test_every_name_that_is_passed_is_read_and_every_name_that_is_read_is_passed() -> None:
    assert set().union(*passed().values()) == READ


def test_every_function_is_in_the_catalogue() -> None:
    assert set(passed()) == {f"oms-{name.replace('_', '-')}" for name in FUNCTIONS}


def test_what_a_function_is_not_told_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in READ:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORDERS_TABLE", "orders")
    monkeypatch.setenv("RETURN_MACHINE_ARN", "arn:return")
    module.environment.cache_clear()
    try:
        assert environment().model_dump(exclude_defaults=True) == {"orders_table": "orders", "return_machine_arn": "arn:return"}
        assert environment().machine_arn("return") == "arn:return"
    finally:
        module.environment.cache_clear()
