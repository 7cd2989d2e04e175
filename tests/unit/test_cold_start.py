"""What a function reads at its cold start: what its usual request needs, and nothing heavy beside it.

Names of modules, not seconds: these are the same on every machine. `make bench` measures the time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from oms.api.kinds import ROUTES
from oms.flows.news import ACTIONS, SWEEPS, function

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
HEAVY = {
    "boto3": ("boto3", "s3transfer"),
    "X-Ray's SDK": ("aws_xray_sdk",),
    "HTTP": ("oms.api.http", "aws_lambda_powertools.event_handler"),
    "orders": ("oms.orders.order", "oms.storage.orders"),
    "settings": ("oms.settings",),
    "placing orders": ("oms.orders.placing", "oms.orders.capture"),
    "large orders": ("oms.orders.large", "oms.flows.large"),
    "routing rules": ("oms.routing.rules",),
    "the search for routes": ("oms.routing.search", "oms.routing.model"),
    "simulation": ("oms.routing.simulate", "oms.routing.preview"),
    "work at locations": ("oms.fulfillment.work",),
    "re-routing": ("oms.fulfillment.reroute",),
    "waiting for stock": ("oms.flows.backorders",),
    "checkout reservations": ("oms.inventory.reservations",),
    "loads of stock": ("oms.inventory.loads", "oms.flows.loads", "oms.flows.load_run"),
    "the conservation check": ("oms.inventory.conservation",),
    "gateways": ("oms.payments.gateway",),
    "Stripe": ("oms.payments.stripe_gateway", "oms.payments.stripe_news"),
    "credit accounts": ("oms.payments.credit",),
    "gift cards": ("oms.flows.gift_cards",),
    "documents": ("oms.payments.documents",),
    "documents as pages": ("oms.payments.documents_html",),
    "the journal": ("oms.payments.journal",),
    "return rules": ("oms.returns.rules",),
    "announcing returns": ("oms.returns.requests", "oms.returns.announcing"),
    "what a return costs": ("oms.returns.charging", "oms.returns.reclaiming"),
    "settling returns": ("oms.returns.settling",),
    "return labels": ("oms.returns.labels", "oms.carriers.labels"),
    "exchanges": ("oms.service.exchanges", "oms.service.exchange_order", "oms.flows.exchanges"),
    "cancellations": ("oms.service.cancellations",),
    "edits": ("oms.service.edits",),
    "adjustments": ("oms.service.adjustments",),
    "claims": ("oms.service.claims",),
    "sending again": ("oms.service.reshipments", "oms.fulfillment.replacements"),
    "goodwill": ("oms.service.goodwill",),
    "agents' limits": ("oms.service.limits", "oms.service.approvals"),
    "process exceptions": ("oms.service.exceptions",),
    "what customers see": ("oms.service.tracking",),
    "customers at a glance": ("oms.service.customers",),
}
"""What weighs, by what it is for."""
NEEDED: dict[str, set[str]] = {
    "allocate": {"orders", "settings", "the search for routes"},
    "bookkeeper": {"orders", "settings", "the journal"},
    "capture": {"HTTP", "orders", "settings", "placing orders", "the search for routes", "checkout reservations", "gateways"},
    "capture_payment": {"orders", "settings", "gateways"},
    "carrier_webhook": {"HTTP", "orders"},
    "check_api": {"HTTP", "orders", "settings", "checkout reservations", "the conservation check"},
    "credit_api": {"HTTP", "credit accounts", "gateways"},
    "finance_api": {"HTTP", "orders", "settings", "documents", "the journal"},
    "fulfillment_api": {"HTTP", "orders", "settings", "work at locations"},
    "inventory_api": {"HTTP", "orders", "settings", "the search for routes", "checkout reservations"},
    "payment_page": {"HTTP", "orders", "settings", "gateways"},
    "payment_webhook": {"HTTP", "orders"},
    "query_api": {"HTTP", "orders", "settings", "what customers see"},
    "raise_exception": {"orders", "work at locations", "process exceptions"},
    "reconcile": {
        "orders",
        "settings",
        "work at locations",
        "checkout reservations",
        "the conservation check",
        "gateways",
    },
    "relay": {"orders"},
    "return_order": {"orders", "settings", "gateways", "settling returns"},
    "service_api": {"HTTP", "orders", "settings"},
    "settings_api": {"HTTP", "settings"},
    "settle": {"orders", "settings", "gateways"},
    "ship": {"orders", "work at locations"},
    "stockkeeper": {"orders"},
    "track_api": {"HTTP", "orders", "settings", "what customers see"},
}
"""What of it each function's usual request is about."""


@cache
def read_by(function_name: str, then: str = "", before: str = "") -> tuple[str, ...]:
    """The modules that a fresh process has after importing a function's handler, in the order in which they were done, with something
    done `before` and `then`."""
    path = os.pathsep.join([str(ROOT / "layers" / "oms" / "python"), str(ROOT / "functions" / function_name)])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "POWERTOOLS_", "COVERAGE_"))}
    environment = kept | {"PYTHONPATH": path, "AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "test"}
    program = f"import sys\n{before}\nimport handler\n{then}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(done.stdout.split())


def heavy_in(modules: tuple[str, ...]) -> set[str]:
    return {what for what, names in HEAVY.items() if not set(names).isdisjoint(modules)}


def test_all_functions_say_what_they_need() -> None:
    assert sorted(NEEDED) == FUNCTIONS


@pytest.mark.parametrize("what", [what for what, names in HEAVY.items() if names[0].startswith("oms.")])
def test_what_weighs_has_not_moved(what: str) -> None:
    for name in HEAVY[what]:
        import_module(name)  # a name that is no more would forbid nothing


@pytest.mark.parametrize("function_name", ["capture", "reconcile", "payment_page"])
def test_no_time_goes_into_looking_for_garbage_until_all_is_imported(function_name: str) -> None:
    watch = "looks.append(info['generation'])"
    read_by(
        function_name,
        before=f"import gc; usual, looks = gc.get_threshold(), []; gc.callbacks.append(lambda phase, info: {watch})",
        then="assert 2 not in looks; assert gc.get_freeze_count() > 10_000; assert gc.isenabled(); assert gc.get_threshold() == usual",
    )


@pytest.mark.parametrize("function_name", FUNCTIONS)
def test_the_sdk_is_imported_while_few_imports_wait_for_one_another(function_name: str) -> None:
    names = read_by(function_name)
    done_before = [name for name in names[: names.index("botocore.session")] if name.startswith("oms")]
    assert done_before == ["oms", "oms.api.cold_start", "oms.storage"]


@pytest.mark.parametrize("function_name", FUNCTIONS)
def test_a_cold_start_reads_what_the_usual_request_needs_and_nothing_heavy_beside_it(function_name: str) -> None:
    assert heavy_in(read_by(function_name)) == NEEDED[function_name]


BY_KIND: dict[str, set[str]] = {
    "cancellations": {"cancellations", "work at locations"},
    "returns": {"announcing returns"},
    "adjustments": {"adjustments"},
    "refunds": {"goodwill"},
}


@pytest.mark.parametrize("route", BY_KIND)
def test_a_change_of_one_kind_reads_nothing_of_the_others(route: str) -> None:
    loaded = read_by("service_api", f"from oms.api.kinds import kind_of; kind_of({route!r})")
    assert heavy_in(loaded) - NEEDED["service_api"] == BY_KIND[route]


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_has_its_kind(route: str) -> None:
    from oms.api.kinds import kind_of

    assert kind_of(route).route == route


@pytest.mark.parametrize("name", sorted({*ACTIONS.values(), *SWEEPS.values()}))
def test_each_action_on_news_is_a_function(name: str) -> None:
    assert callable(function(name))
