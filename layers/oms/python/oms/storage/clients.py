"""AWS clients, made once per process, each with a timeout on every call."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import boto3
from botocore.config import Config

# Requests are built from typed records; checking them against the service model again would take a tenth of each call's time.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=20,
    parameter_validation=False,
)


@cache
def client(service: str) -> Any:
    """The process's client for a service, e.g. client("dynamodb")."""
    return cast(Any, boto3).client(service, config=_CONFIG)
