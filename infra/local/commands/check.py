"""Check that stock adds up: rows against orders, reservations, movements and the waiting queue. Changes nothing without --repair."""

from __future__ import annotations

import argparse
import json
from typing import Any

from infra.local.client import Api
from infra.local.console import Console
from infra.local.settings import Local
from infra.local.stack import Stack

_AT_ONCE = 50  # findings in one call of the API
_NAMES = ("id", "sku", "location_id", "owner")


def arguments(parser: argparse.ArgumentParser) -> None:
    """--location --sku --repair --reason --json."""
    parser.add_argument("--location", metavar="ID", help="one location (default: all)")
    parser.add_argument("--sku", metavar="SKU", help="one SKU (default: all)")
    parser.add_argument("--repair", action="store_true", help="repair what is found; every repair is recorded")
    parser.add_argument("--reason", default="oms check --repair", help="why, for the record")
    parser.add_argument("--json", action="store_true", help="the findings as JSON")


def run(parsed: argparse.Namespace) -> int:
    """0 if everything adds up, or does after the repair; 1 if not."""
    console = Console()
    api = Stack.running(Local.here()).api()
    found, looked_at = _check(api, parsed)
    outcomes = _repair(api, found, parsed.reason) if parsed.repair and found else {}
    if parsed.json:
        print(json.dumps({"data": [{**each, "repair": outcomes.get(each["id"])} for each in found], "checked": looked_at}, indent=2))
    else:
        console.say(f"  {looked_at['places']:,} SKUs at their places and {looked_at['orders']:,} orders and reservations checked")
        for each in found:
            where = each["location_id"] or "its queue"
            console.say(f"  {each['sku']} at {where}: {each['detail']} (expected {each['expected']}; first cause: {each['first_cause']})")
            if each["id"] in outcomes:
                console.say(f"    {outcomes[each['id']]['status']}: {outcomes[each['id']]['detail']}")
        if looked_at["moving"]:
            console.say(f"  {looked_at['moving']} suspicions moved while they were looked at; check again")
        console.say("  Everything adds up." if not found else f"  {len(found)} findings.")
    return 0 if all(outcomes.get(each["id"], {}).get("status") == "repaired" for each in found) else 1


def _check(api: Api, parsed: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """All findings, page by page, each once, and what was gone over."""
    query = {name: text for name, text in (("location_id", parsed.location), ("sku", parsed.sku)) if text}
    found: dict[str, dict[str, Any]] = {}
    looked_at = {"places": 0, "orders": 0, "moving": 0}
    while True:
        page = api.get("/v1/inventory/check", **query)
        found |= {each["id"]: each for each in page["data"]}
        looked_at = {name: count + page["checked"][name] for name, count in looked_at.items()}
        if not page["next_cursor"]:
            return list(found.values()), looked_at
        query["cursor"] = page["next_cursor"]


def _repair(api: Api, found: list[dict[str, Any]], reason: str) -> dict[str, dict[str, Any]]:
    """What became of each finding."""
    outcomes: dict[str, dict[str, Any]] = {}
    for start in range(0, len(found), _AT_ONCE):
        named = [{name: each[name] for name in _NAMES if each[name]} for each in found[start : start + _AT_ONCE]]
        answer = api.post("/v1/inventory/repairs", {"findings": named, "reason": reason})
        for outcome in answer["data"]:
            if outcomes.get(outcome["id"], {}).get("status") != "repaired":
                outcomes[outcome["id"]] = outcome
    return outcomes
