"""Webhook secrets: read from Secrets Manager when needed, kept a minute; one that is not there is empty, which verifies nothing."""

from __future__ import annotations

import time

from botocore.exceptions import ClientError

from oms.storage.clients import client
from oms.storage.environment import environment

_KEPT_SECONDS = 60.0
_kept: dict[str, tuple[float, str]] = {}


def webhook_secret(name: str) -> str:
    """The secret(s) of one sender, blank-separated, e.g. webhook_secret("carriers/sandbox"); empty when nothing is configured."""
    read_at, text = _kept.get(name, (-_KEPT_SECONDS, ""))
    if time.monotonic() - read_at < _KEPT_SECONDS and text:
        return text
    try:
        text = client("secretsmanager").get_secret_value(SecretId=environment().webhook_secrets + name).get("SecretString", "")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        text = ""
    _kept[name] = (time.monotonic(), text)
    return text
