"""People who call the API: customers and agents who have signed in at the user pool, as a page does it (a code with PKCE)."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import uuid
from urllib.parse import parse_qs, urlencode, urlsplit

from infra.local import tokens
from infra.local.client import Api
from infra.local.stack import Stack


def a_customer(stack: Stack) -> tuple[Api, str]:
    """A registered customer: an API client with the token, and its subject, which is the customer id of their orders."""
    return _person(stack, "customers", "self")


def an_agent(stack: Stack, group: str = "") -> tuple[Api, str]:
    """Somebody at the support desk, in a group of the user pool if one is named: an API client with the token, and its subject."""
    return _person(stack, "support-desk", "service.write", group)


def _person(stack: Stack, client: str, scope: str, group: str = "") -> tuple[Api, str]:
    name, password = f"e2e-{uuid.uuid4().hex[:8]}", f"Aa1!{secrets.token_hex(8)}"
    pool, cognito = stack.outputs["UserPoolId"], stack.aws.cognito
    user = cognito.admin_create_user(UserPoolId=pool, Username=name, MessageAction="SUPPRESS")["User"]
    cognito.admin_set_user_password(UserPoolId=pool, Username=name, Password=password, Permanent=True)
    if group:
        cognito.create_group(UserPoolId=pool, GroupName=group)
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName=group)
    token = _signed_in(stack, client, scope, name, password)
    subject = next(each["Value"] for each in user["Attributes"] if each["Name"] == "sub")
    return Api(stack.base_url, lambda: token), str(subject)


def _signed_in(stack: Stack, client: str, scope: str, name: str, password: str) -> str:
    client_id = stack.client_id(client)
    described = stack.aws.cognito.describe_user_pool_client(UserPoolId=stack.outputs["UserPoolId"], ClientId=client_id)["UserPoolClient"]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    shared = {"client_id": client_id, "redirect_uri": described["CallbackURLs"][0]}
    wish = {"scope": f"openid {tokens.RESOURCE_SERVER}/{scope}", "response_type": "code"}
    proof = {"code_challenge": challenge, "code_challenge_method": "S256"}
    redirect, _ = _post(stack, "/login", {**shared, **wish, **proof, "username": name, "password": password})
    code = parse_qs(urlsplit(redirect).query)["code"][0]
    _, body = _post(stack, "/oauth2/token", {**shared, "grant_type": "authorization_code", "code": code, "code_verifier": verifier})
    return str(json.loads(body)["access_token"])


def _post(stack: Stack, path: str, form: dict[str, str]) -> tuple[str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.local.port, timeout=30)
    try:
        connection.request("POST", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        response = connection.getresponse()
        return response.getheader("Location") or "", response.read()
    finally:
        connection.close()
