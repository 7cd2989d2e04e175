"""Who may call: a Cognito user pool, the scopes of the API, a client for the operator, for the shop's customers, for each other system."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.parts.clients import ClientSpec

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
    `more`: the other clients, each in `others` by its name.

    The subject of a customer's token is the customer id of that customer's orders. `callback_urls`: where the shop takes its customers
    back after they have signed in.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, callback_urls: Sequence[str], more: Sequence[ClientSpec], removal: RemovalPolicy
    ) -> None:
        super().__init__(scope, construct_id)
        self.pool = cognito.UserPool(self, "Pool", user_pool_name="oms", self_sign_up_enabled=False, removal_policy=removal)
        # The token endpoint lives on a domain whose prefix is unique in the region, hence the account number.
        domain = self.pool.add_domain("Domain", cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"oms-{Stack.of(self).account}"))
        self.token_url = f"{domain.base_url()}/oauth2/token"
        scopes = {name: cognito.ResourceServerScope(scope_name=name, scope_description=text) for name, text in SCOPES.items()}
        server = self.pool.add_resource_server("Server", identifier="oms", scopes=list(scopes.values()))
        own = {name: cognito.OAuthScope.resource_server(server, each) for name, each in scopes.items()}
        self.client = self._machine("Operator", "operator", [each for name, each in own.items() if name != SELF])
        self.customers = self._people("Customers", "customers", [own[SELF]], callback_urls)
        self.others = {
            each.name: self._people(each.name, each.name, [own[name] for name in each.scopes], each.callback_urls)
            if each.callback_urls
            else self._machine(each.name, each.name, [own[name] for name in each.scopes])
            for each in more
        }

    @property
    def clients(self) -> list[cognito.UserPoolClient]:
        """All clients: the API takes the tokens of no other."""
        return [self.client, self.customers, *self.others.values()]

    def _machine(self, construct_id: str, name: str, scopes: list[cognito.OAuthScope]) -> cognito.UserPoolClient:
        return self.pool.add_client(
            construct_id,
            user_pool_client_name=f"oms-{name}",
            generate_secret=True,
            access_token_validity=Duration.hours(1),
            o_auth=cognito.OAuthSettings(flows=cognito.OAuthFlows(client_credentials=True), scopes=scopes),
        )

    def _people(
        self, construct_id: str, name: str, scopes: list[cognito.OAuthScope], callback_urls: Sequence[str]
    ) -> cognito.UserPoolClient:
        return self.pool.add_client(
            construct_id,
            user_pool_client_name=f"oms-{name}",
            generate_secret=False,
            access_token_validity=Duration.hours(1),
            prevent_user_existence_errors=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, *scopes],
                callback_urls=list(callback_urls),
            ),
        )
