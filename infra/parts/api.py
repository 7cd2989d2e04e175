"""The HTTP API: every route of routes.py, behind the user pool's tokens."""

from __future__ import annotations

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from constructs import Construct

from infra.parts.functions import Functions
from infra.parts.identity import Identity, full_scope
from infra.parts.routes import ROUTES


class Api(Construct):
    """One HTTP API with its default stage; `url` is its base without a closing slash."""

    def __init__(self, scope: Construct, construct_id: str, *, functions: Functions, identity: Identity) -> None:
        super().__init__(scope, construct_id)
        api = apigateway.HttpApi(self, "Http", api_name="oms", description="Order management")
        # It builds the issuer from the pool's id; the pool's ProviderURL does not exist on the local engine.
        signed_in = authorizers.HttpUserPoolAuthorizer("Tokens", identity.pool, user_pool_clients=identity.clients)
        # One integration per function, allowed to call it on every route: a permission for each route would say no more.
        served_by = {
            name: integrations.HttpLambdaIntegration(name, functions[name], scope_permission_to_route=False)
            for name in dict.fromkeys(route.function for route in ROUTES)
        }
        for route in ROUTES:
            api.add_routes(
                path=route.path,
                methods=[apigateway.HttpMethod[route.method]],
                integration=served_by[route.function],
                authorizer=signed_in if route.scope else None,
                authorization_scopes=[full_scope(scope) for scope in route.scope.split()] or None,
            )
        self.url = api.api_endpoint
