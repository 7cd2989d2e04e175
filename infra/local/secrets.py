"""The webhook secrets of the local stack: made at random once, kept readable by the user only, set in the engine's Secrets Manager."""

from __future__ import annotations

import base64
import json
import os
import secrets

from botocore.exceptions import ClientError

from infra.local.aws import Aws
from infra.local.settings import Local

PREFIX = "oms/webhooks/"
NAMES = (
    "carriers/standard",
    "carriers/sandbox",
    "payments/sandbox",
    "payments/stripe",
    "links/payment",
    "links/tracking",
    "quotes/service",
)


def read(local: Local) -> dict[str, str]:
    """Secrets by name; the missing ones are made and written."""
    path = local.home / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = {name: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode() for name in NAMES if name not in known}
    if missing:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(known | missing, file, indent=2)
    return known | missing


def apply(local: Local, aws: Aws) -> None:
    """Give the engine the values that are not in it yet (a generated secret is empty there)."""
    for name, value in read(local).items():
        try:
            current = aws.secrets.get_secret_value(SecretId=PREFIX + name).get("SecretString")
        except ClientError:
            current = None
        if current != value:
            aws.secrets.put_secret_value(SecretId=PREFIX + name, SecretString=value)
