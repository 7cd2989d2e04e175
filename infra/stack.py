"""The stack: it composes the parts and hands out what each needs; rules live in the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from constructs import Construct

from infra.parts.api import Api
from infra.parts.clients import ClientSpec
from infra.parts.events import OF_ORDERS, OF_STOCK, Events
from infra.parts.functions import Functions
from infra.parts.grants import Resources
from infra.parts.identity import Identity
from infra.parts.layers import LayerFolders, Layers
from infra.parts.machines import Machines, machine_arns
from infra.parts.secrets import GatewaySecrets, WebhookSecrets
from infra.parts.storage import LoadsBucket
from infra.parts.tables import Tables


class OmsStack(Stack):
    """Everything the product needs in one AWS account and region.

    `layers`: the folders to ship as Lambda layers; `removal`: what happens to data when the stack is deleted; `callback_urls`: where the
    shop takes customers back who have signed in; `clients`: who may call beside the operator and them;
    `tls_only`: refuse files that come in plain text; `any_stream`: grant reading streams without naming the one.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        layers: LayerFolders,
        removal: RemovalPolicy,
        callback_urls: Sequence[str],
        clients: Sequence[ClientSpec],
        tls_only: bool = True,
        any_stream: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        tables = Tables(self, "Tables", removal=removal)
        WebhookSecrets(self, "Secrets", removal=removal)
        GatewaySecrets(self, "GatewaySecrets", removal=removal)
        events = Events(self, "Events")
        loads = LoadsBucket(self, "Loads", removal=removal, tls_only=tls_only).bucket
        functions = Functions(
            self,
            "Functions",
            layers=Layers(self, "Layers", folders=layers).all,
            resources=Resources(tables, events, machine_arns(self), loads, "*" if any_stream else str(tables.inventory.table_stream_arn)),
            removal=removal,
        )
        Machines(self, "Machines", functions=functions, removal=removal)
        events.relay_from(tables.orders, functions["relay"], OF_ORDERS)
        events.relay_from(tables.orders, functions["stockkeeper"], OF_STOCK)
        events.keep_books_with(functions["bookkeeper"])
        events.sweep_with(functions["stockkeeper"])
        events.reconcile_with(functions["reconcile"])
        identity = Identity(self, "Identity", callback_urls=callback_urls, more=clients, removal=removal)
        api = Api(self, "Api", functions=functions, identity=identity)
        self._outputs(tables, events, functions, identity, api)
        CfnOutput(self, "LoadsBucket", value=loads.bucket_name)
        for each in clients:
            CfnOutput(self, each.output, value=identity.others[each.name].user_pool_client_id)

    def _outputs(self, tables: Tables, events: Events, functions: Functions, identity: Identity, api: Api) -> None:
        arns = machine_arns(self)
        outputs = {
            "ApiUrl": api.url,
            "UserPoolId": identity.pool.user_pool_id,
            "ClientId": identity.client.user_pool_client_id,
            "CustomersClientId": identity.customers.user_pool_client_id,
            "TokenUrl": identity.token_url,
            "OrdersTable": tables.orders.table_name,
            "InventoryTable": tables.inventory.table_name,
            "SettingsTable": tables.settings.table_name,
            "OrderMachineArn": arns["order"],
            "FulfillmentMachineArn": arns["fulfillment"],
            "ReturnMachineArn": arns["return"],
            "ChangeMachineArn": arns["change"],
            "EventBus": events.bus.event_bus_name,
            "ParkedQueueUrl": events.parked.queue_url,
            "ReconcileFunction": functions["reconcile"].function_name,
        }
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
