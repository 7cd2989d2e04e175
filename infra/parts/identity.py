"""Who may call: a Cognito user pool, the scopes of the API, one client for machines and one for the shop's registered customers."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

SCOPES = {
    "orders.read": "Read orders, stock and the event feed",
    "orders.write": "Place orders and pay them",
    "service.write": "Everything after the sale: holds, cancellations, returns, exceptions",
    "fulfillment.write": "See and work on fulfillment orders",
    "inventory.write": "Report stock",
    "settings.write": "Change locations, channels and methods",
    "finance.read": "Read invoices, credit memos and the journal",
    "finance.write": "Record payments of invoices",
    "self": "Cancel, return and exchange what one has ordered oneself",
}
SELF = "self"
"""The scope of customers. Machines do not have it: with it a token's subject stands for a customer."""


def full_scope(scope: str) -> str:
    """The name of a scope as it stands in tokens, such as `oms/orders.read`."""
    return f"oms/{scope}"


class Identity(Construct):
    """The user pool, its resource server `oms`, the client `oms-operator` with every scope but `self` (client credentials), and the client
    `oms-customers`, with which customers sign in at the user pool (authorization code with PKCE: a shop's page keeps no secret).

    The subject of a customer's token is the customer id of that customer's orders. `callback_urls`: where the shop takes its customers
    back after they have signed in.
    """

    def __init__(self, scope: Construct, construct_id: str, *, callback_urls: Sequence[str], removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(self, "Pool", user_pool_name="oms", self_sign_up_enabled=False, removal_policy=removal)
        # The token endpoint lives on a domain whose prefix is unique in the region, hence the account number.
        domain = self.pool.add_domain("Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"oms-{Stack.of(self).account}"))
        self.token_url = f"{domain.base_url()}/oauth2/token"
        scopes = {name: cognito.ResourceServerScope(scope_name=name, scope_description=text) for name, text in SCOPES.items()}
        server = self.pool.add_resource_server("Server", identifier="oms", scopes=list(scopes.values()))
        self.client = self.pool.add_client(
            "Operator",
            user_pool_client_name="oms-operator",
            generate_secret=True,
            access_token_validity=Duration.hours(1),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope) for name, scope in scopes.items() if name != SELF],
            ),
        )
        self.customers = self.pool.add_client(
            "Customers",
            user_pool_client_name="oms-customers",
            generate_secret=False,
            access_token_validity=Duration.hours(1),
            prevent_user_existence_errors=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.resource_server(server, scopes[SELF])],
                callback_urls=list(callback_urls),
            ),
        )
