"""Reconcile: on a schedule, find what was left undone and do it."""

from __future__ import annotations

import time
from typing import Any

from oms.api.observe import logger, observed
from oms.flows.reconcile import ENDED_WITHIN, reconcile

_QUIET_SECONDS = 300


def _metric(*names: str) -> dict[str, Any]:
    """Makes CloudWatch take these fields of the log line as metrics (its embedded metric format)."""
    metrics = [{"Name": name, "Unit": "Count"} for name in names]
    return {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [{"Namespace": "oms", "Dimensions": [[]], "Metrics": metrics}]}


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A schedule, or an operator with {"older_than_seconds": n, "ended_within_seconds": n}: after an outage, how far back to look."""
    older_than = int(event.get("older_than_seconds", _QUIET_SECONDS))
    ended_within = int(event.get("ended_within_seconds", ENDED_WITHIN))
    report = reconcile(older_than, lambda: context.get_remaining_time_in_millis() / 1000, ended_within).as_dict()
    logger.info("reconciled", extra={**report, "_aws": _metric("drift", "unbalanced")})
    return report
