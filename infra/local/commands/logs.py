"""Show what the functions log."""

from __future__ import annotations

import argparse
import json
import time
from datetime import UTC, datetime

from infra.local.settings import Local
from infra.local.stack import Stack
from infra.local.trouble import Trouble

_FRAME = ("INIT_START", "START RequestId", "END RequestId", "REPORT RequestId")


def arguments(parser: argparse.ArgumentParser) -> None:
    """[function] --follow."""
    parser.add_argument("function", nargs="?", default="", help="for example capture, capture_payment or relay (default: all)")
    parser.add_argument("--follow", "-f", action="store_true", help="stay and show new lines as they come")
    parser.add_argument("--minutes", type=int, default=60, help="how far back (default: 60)")


def run(parsed: argparse.Namespace) -> int:
    """Print them oldest first."""
    stack = Stack.running(Local.here())
    name = parsed.function.removeprefix("oms-").replace("_", "-")
    groups = [group["logGroupName"] for group in stack.aws.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/oms-")["logGroups"]]
    chosen = [group for group in groups if not name or group == f"/aws/lambda/oms-{name}"]
    if name and not chosen:
        known = ", ".join(group.removeprefix("/aws/lambda/oms-") for group in groups) or "none yet"
        raise Trouble(f"There are no logs of a function '{name}'. There are logs of: {known}")
    since, seen = int((time.time() - parsed.minutes * 60) * 1000), set[tuple[str, int, str]]()
    while True:
        lines = []
        for group in chosen:
            for page in stack.aws.logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since):
                for event in page["events"]:
                    line = (group, event["timestamp"], event["message"].rstrip())
                    if line not in seen and not line[2].startswith(_FRAME):
                        seen.add(line)
                        lines.append(line)
        for group, moment, message in sorted(lines, key=lambda line: line[1]):
            at = datetime.fromtimestamp(moment / 1000, UTC)
            print(f"{at:%H:%M:%S}.{moment % 1000:03d}Z {group.removeprefix('/aws/lambda/oms-'):<16} {_readable(message)}", flush=True)
        if not parsed.follow:
            return 0
        since = max([since, *(line[1] - 5000 for line in lines)])
        seen = {line for line in seen if line[1] >= since}
        time.sleep(1)


def _readable(message: str) -> str:
    """A structured line as level, text and the rest; anything else as it is."""
    try:
        entry = json.loads(message)
    except ValueError:
        return message
    if not isinstance(entry, dict) or "message" not in entry:
        return message
    plain = {"timestamp", "service", "level", "message", "location", "function_name", "function_arn", "function_memory_size", "cold_start"}
    rest = " ".join(f"{key}={value}" for key, value in entry.items() if key not in plain and value is not None)
    return f"{entry.get('level', '')} {entry['message']} {rest}".strip()
