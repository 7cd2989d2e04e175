"""Callers of the API beside the operator: another machine with some scopes, and a customer who has signed in at the user pool."""

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


def a_machine(stack: Stack, *scopes: str) -> tuple[Api, str]:
    """A client of the user pool with these scopes: an API client with its tokens, and its id."""
    pool = stack.outputs["UserPoolId"]
    made = stack.aws.cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName=f"e2e-{uuid.uuid4().hex[:8]}",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=[f"{tokens.RESOURCE_SERVER}/{scope}" for scope in scopes],
    )
    client = str(made["UserPoolClient"]["ClientId"])
    return Api(stack.base_url, lambda: tokens.token(stack.local, stack.aws, pool, client)), client


def a_customer(stack: Stack) -> tuple[Api, str]:
    """A registered customer, signed in as a shop's page does it (authorization code with PKCE): an API client, and the token's subject."""
    name, password = f"e2e-{uuid.uuid4().hex[:8]}", f"Aa1!{secrets.token_hex(8)}"
    pool = {"UserPoolId": stack.outputs["UserPoolId"], "Username": name}
    user = stack.aws.cognito.admin_create_user(**pool, MessageAction="SUPPRESS")["User"]
    stack.aws.cognito.admin_set_user_password(**pool, Password=password, Permanent=True)
    token = _signed_in(stack, name, password)
    subject = next(each["Value"] for each in user["Attributes"] if each["Name"] == "sub")
    return Api(stack.base_url, lambda: token), str(subject)


def _signed_in(stack: Stack, name: str, password: str) -> str:
    client = stack.outputs["CustomersClientId"]
    described = stack.aws.cognito.describe_user_pool_client(UserPoolId=stack.outputs["UserPoolId"], ClientId=client)["UserPoolClient"]
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    shared = {"client_id": client, "redirect_uri": described["CallbackURLs"][0]}
    wish = {"scope": f"openid {tokens.RESOURCE_SERVER}/self", "response_type": "code"}
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
