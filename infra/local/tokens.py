"""Access tokens from the engine's Cognito, by client credentials, as any machine client gets them on AWS."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterable
from urllib.parse import urlencode

from infra.local.aws import Aws
from infra.local.settings import Local
from infra.local.trouble import Trouble

RESOURCE_SERVER = "oms"


def token(local: Local, aws: Aws, pool: str, client: str, scopes: Iterable[str] = ()) -> str:
    """A bearer token for `scopes` (orders.read or oms/orders.read; none: all of the client's). Valid for an hour."""
    described = aws.cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
    wanted = [scope if "/" in scope else f"{RESOURCE_SERVER}/{scope}" for scope in scopes]
    unknown = sorted(set(wanted) - set(described.get("AllowedOAuthScopes", [])))
    if unknown:
        allowed = ", ".join(scope.partition("/")[2] for scope in described.get("AllowedOAuthScopes", []))
        raise Trouble(f"No such scope: {', '.join(unknown)}. There are: {allowed}")
    form = {"grant_type": "client_credentials"} | ({"scope": " ".join(wanted)} if wanted else {})
    basic = base64.b64encode(f"{client}:{described['ClientSecret']}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=30)
    try:
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/oauth2/token", urlencode(form), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise Trouble(f"The user pool gave no token (HTTP {response.status}): {body[:300].decode(errors='replace')}")
    access_token: str = json.loads(body)["access_token"]
    return access_token
