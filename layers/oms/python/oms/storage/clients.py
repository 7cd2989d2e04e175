"""AWS clients, made once per process, each with a timeout on every call.

They come from botocore itself: boto3 makes the same clients, but imports S3 transfers and resources, a tenth of a cold start.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import get_session

# Requests are built from typed records; checking them against the service model again would take a tenth of each call's time.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=20,
    parameter_validation=False,
)


_SESSION = get_session()


@cache
def client(service: str) -> Any:
    """The process's client for a service, e.g. client("dynamodb")."""
    return _SESSION.create_client(service, config=_CONFIG)
