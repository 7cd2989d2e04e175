"""Who may call: a Cognito user pool, the scopes of the API, and one client for machines."""

from __future__ import annotations

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
}


def full_scope(scope: str) -> str:
    """The name of a scope as it stands in tokens, such as `oms/orders.read`."""
    return f"oms/{scope}"


class Identity(Construct):
    """The user pool, its resource server `oms`, and the client `oms-operator` with every scope (client credentials)."""

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(self, "Pool", user_pool_name="oms", self_sign_up_enabled=False, removal_policy=removal)
        # The token endpoint lives on a domain whose prefix is unique in the region, hence the account number.
        domain = self.pool.add_domain("Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"oms-{Stack.of(self).account}"))
        self.token_url = f"{domain.base_url()}/oauth2/token"
        scopes = [cognito.ResourceServerScope(scope_name=name, scope_description=text) for name, text in SCOPES.items()]
        server = self.pool.add_resource_server("Server", identifier="oms", scopes=scopes)
        self.client = self.pool.add_client(
            "Operator",
            user_pool_client_name="oms-operator",
            generate_secret=True,
            access_token_validity=Duration.hours(1),
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(client_credentials=True),
                scopes=[cognito.OAuthScope.resource_server(server, scope) for scope in scopes],
            ),
        )
