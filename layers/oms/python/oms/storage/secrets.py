"""Secrets: read from Secrets Manager when needed, kept a minute; one that is not there is empty, which opens nothing."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from oms.storage.clients import client
from oms.storage.environment import environment

_KEPT_SECONDS = 60.0
_kept: dict[str, tuple[float, str]] = {}


def webhook_secret(name: str) -> str:
    """The secret(s) of one sender, blank-separated, e.g. webhook_secret("carriers/sandbox"); empty when nothing is configured."""
    return _read(environment().webhook_secrets + name)


def gateway_keys(name: str) -> dict[str, Any]:
    """What one payment gateway knows us by, e.g. {"api_key": ...}; empty when nothing is configured, or what is there is no JSON object."""
    try:
        keys = json.loads(_read(environment().gateway_secrets + name) or "{}")
    except ValueError:
        return {}
    return keys if isinstance(keys, dict) else {}


def _read(full_name: str) -> str:
    read_at, text = _kept.get(full_name, (-_KEPT_SECONDS, ""))
    if time.monotonic() - read_at < _KEPT_SECONDS and text:
        return text
    try:
        text = client("secretsmanager").get_secret_value(SecretId=full_name).get("SecretString", "")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        text = ""
    _kept[full_name] = (time.monotonic(), text)
    return text
