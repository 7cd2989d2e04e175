"""The template: who may do what, what each function is told, which routes ask for which scope, and that local and AWS are one."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest

from infra.parts.catalogue import FUNCTIONS, LIBRARIES
from infra.parts.synth import template, text

TABLES = {"ORDERS_TABLE", "INVENTORY_TABLE", "SETTINGS_TABLE"}
ARNS = {"ORDER_MACHINE_ARN", "FULFILLMENT_MACHINE_ARN", "RETURN_MACHINE_ARN", "CHANGE_MACHINE_ARN"}
ENVIRONMENT = {
    "capture": TABLES | {"GATEWAY_SECRETS"},
    "allocate": TABLES,
    "ship": {"ORDERS_TABLE", "INVENTORY_TABLE"},
    "capture_payment": {"ORDERS_TABLE", "SETTINGS_TABLE", "GATEWAY_SECRETS"},
    "settle": TABLES | {"GATEWAY_SECRETS"},
    "return_order": TABLES | {"GATEWAY_SECRETS"},
    "raise_exception": {"ORDERS_TABLE"},
    "service_api": TABLES | {"WEBHOOK_SECRETS"},
    "track_api": TABLES | {"WEBHOOK_SECRETS"},
    "query_api": TABLES | ARNS | {"WEBHOOK_SECRETS"},
    "fulfillment_api": {"ORDERS_TABLE", "INVENTORY_TABLE", "SETTINGS_TABLE"},
    "inventory_api": TABLES | {"LOADS_BUCKET", "INVENTORY_STREAM"},
    "check_api": TABLES,
    "finance_api": {"ORDERS_TABLE"},
    "credit_api": {"ORDERS_TABLE", "SETTINGS_TABLE"},
    "settings_api": {"ORDERS_TABLE", "SETTINGS_TABLE"},
    "carrier_webhook": {"ORDERS_TABLE", "WEBHOOK_SECRETS"},
    "payment_page": {"ORDERS_TABLE", "SETTINGS_TABLE", "WEBHOOK_SECRETS"},
    "payment_webhook": {"ORDERS_TABLE", "WEBHOOK_SECRETS"},
    "relay": {"ORDERS_TABLE", "EVENT_BUS", "PARKED_QUEUE_URL", "BOOKS_QUEUE_URL"} | ARNS,
    "bookkeeper": {"ORDERS_TABLE", "SETTINGS_TABLE"},
    "stockkeeper": TABLES | {"EVENT_BUS", "PARKED_QUEUE_URL", "LOADS_BUCKET"},
    "reconcile": TABLES | {"EVENT_BUS", "PARKED_QUEUE_URL", "BOOKS_QUEUE_URL"} | ARNS,
}
OPEN = {
    "GET /v1/openapi.json": "query_api",
    "POST /v1/webhooks/carriers/{carrier}": "carrier_webhook",
    "POST /v1/webhooks/payments/{gateway}": "payment_webhook",
    "GET /v1/pay/{token}": "payment_page",
    "POST /v1/pay/{token}": "payment_page",
    "GET /v1/track/{token}": "track_api",
    "POST /v1/track/{token}/cancellations": "track_api",
    "POST /v1/track/{token}/returns": "track_api",
    "POST /v1/track/{token}/exchanges": "track_api",
    "POST /v1/track/requests": "track_api",
}
STREAM_ACTIONS = {"dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"}
OUTPUTS = (
    "ApiUrl UserPoolId ClientId CustomersClientId OrdersTable InventoryTable SettingsTable "
    "OrderMachineArn FulfillmentMachineArn ReturnMachineArn ChangeMachineArn EventBus ParkedQueueUrl ReconcileFunction"
)


def of_type(kind: str) -> dict[str, Any]:
    return {name: resource for name, resource in template()["Resources"].items() if resource["Type"] == kind}


@cache
def functions() -> dict[str, Any]:
    """The functions of the template by the name of their folder."""
    found = of_type("AWS::Lambda::Function").values()
    return {resource["Properties"]["FunctionName"].removeprefix("oms-").replace("-", "_"): resource["Properties"] for resource in found}


def role_of(function: str) -> str:
    name: str = functions()[function]["Role"]["Fn::GetAtt"][0]
    return name


def statements(function: str) -> list[dict[str, Any]]:
    role = {"Ref": role_of(function)}
    policies = [policy["Properties"] for policy in of_type("AWS::IAM::Policy").values() if role in policy["Properties"]["Roles"]]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def several(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(value: object) -> str:
    """The ARN of a grant, with a table, bus or queue by its name."""
    resources = template()["Resources"]
    arn = text(value, resources)
    for key, resource in resources.items():
        for name in ("TableName", "QueueName"):
            if name in resource.get("Properties", {}):
                arn = arn.replace(key, resource["Properties"][name])
    return arn


def rights(function: str, resource: str) -> set[str]:
    """The actions that the function may do on the resources whose ARN has `resource` in it."""
    return {
        action
        for statement in statements(function)
        if any(resource in named(target) for target in several(statement["Resource"]))
        for action in several(statement["Action"])
    }


class TestFunctions:
    def test_there_is_one_for_each_folder_of_the_catalogue(self) -> None:
        assert set(functions()) == set(FUNCTIONS) == set(ENVIRONMENT)

    @pytest.mark.parametrize("name", ENVIRONMENT)
    def test_is_told_exactly_what_it_needs(self, name: str) -> None:
        always = {"POWERTOOLS_SERVICE_NAME", *LIBRARIES}
        variables = functions()[name]["Environment"]["Variables"]
        assert set(variables) == ENVIRONMENT[name] | always
        assert variables["POWERTOOLS_SERVICE_NAME"] == name

    @pytest.mark.parametrize("name", ENVIRONMENT)
    def test_all_are_made_alike(self, name: str) -> None:
        made = functions()[name]
        assert (made["Runtime"], made["Architectures"], made["Handler"]) == ("python3.13", ["arm64"], "handler.handler")
        assert made["TracingConfig"] == {"Mode": "Active"}
        assert len(made["Layers"]) == 2
        log = template()["Resources"][made["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert log["LogGroupName"] == f"/aws/lambda/{made['FunctionName']}"
        assert log["RetentionInDays"] == 30
        assert f"{made['FunctionName']}-errors" in {a["Properties"]["AlarmName"] for a in of_type("AWS::CloudWatch::Alarm").values()}

    def test_an_http_answer_comes_before_the_gateway_gives_up(self) -> None:
        served = {function for _, function, _, _ in routes()}
        assert all(functions()[name]["Timeout"] <= 30 for name in served)


class TestGrants:
    def test_every_function_has_a_role_of_its_own_that_starts_empty(self) -> None:
        roles = [role_of(name) for name in functions()]
        assert len(set(roles)) == len(functions())
        for role in roles:
            assert "ManagedPolicyArns" not in template()["Resources"][role]["Properties"]

    @pytest.mark.parametrize("name", ENVIRONMENT)
    def test_no_action_is_a_pattern_and_everywhere_is_only_what_knows_no_place(self, name: str) -> None:
        placeless = {"xray:PutTraceSegments", "xray:PutTelemetryRecords", "states:SendTaskSuccess", "states:SendTaskFailure"}
        for statement in statements(name):
            actions = set(several(statement["Action"]))
            assert not [action for action in actions if "*" in action]
            if "*" in several(statement["Resource"]):
                assert actions <= placeless | ({"dynamodb:ListStreams"} if name in ("relay", "stockkeeper") else set())

    @pytest.mark.parametrize("name", ENVIRONMENT)
    def test_nobody_scans_or_touches_what_it_is_not_told_about(self, name: str) -> None:
        assert not [s for s in statements(name) if {"dynamodb:Scan", "dynamodb:BatchWriteItem"} & set(several(s["Action"]))]
        for table in ("orders", "inventory", "settings"):
            assert bool(rights(name, f"oms-{table}")) == (f"{table.upper()}_TABLE" in ENVIRONMENT[name])

    def test_relay_cannot_touch_stock_and_writes_only_its_mark(self) -> None:
        assert not rights("relay", "oms-inventory")
        assert not rights("relay", "oms-settings")
        table = {action for action in rights("relay", "oms-orders.Arn") if action.startswith("dynamodb:")}
        assert table == {"dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"}

    @pytest.mark.parametrize("name", ["capture_payment", "settle"])
    def test_who_moves_money_of_an_order_only_reads_settings(self, name: str) -> None:
        assert rights(name, "oms-settings") == {"dynamodb:GetItem", "dynamodb:Query"}

    def test_who_captures_knows_no_stock(self) -> None:
        assert not rights("capture_payment", "oms-inventory")  # settle does: it cancels the new order of an exchange that came to nothing

    def test_only_settings_api_writes_settings(self) -> None:
        writing = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
        assert [name for name in functions() if writing & rights(name, "oms-settings")] == ["settings_api"]

    def test_only_capture_deletes_from_orders(self) -> None:
        assert [name for name in functions() if "dynamodb:DeleteItem" in rights(name, "oms-orders.Arn")] == ["capture", "reconcile"]

    @pytest.mark.parametrize(
        ("name", "actions", "keys"),
        [
            ("settings_api", ["GetItem", "PutItem"], ["key#*"]),
            ("inventory_api", ["GetItem", "PutItem", "Query", "UpdateItem"], ["key#*", "sku_*", "res_*", "load_*"]),
            ("credit_api", ["GetItem", "PutItem", "Query", "UpdateItem"], ["key#*", "credit_*", "account_*"]),
            (
                "track_api",
                ["GetItem", "PutItem", "Query", "UpdateItem"],
                ["ord_*", "key#*", "limit#*", "credit_*", "account_*", "number#*"],
            ),
        ],
    )
    def test_of_the_orders_table_they_reach_nothing_else(self, name: str, actions: list[str], keys: list[str]) -> None:
        found = [s for s in statements(name) if "oms-orders" in named(several(s["Resource"])[0])]
        [statement] = [s for s in found if "/index/" not in named(several(s["Resource"])[0])]
        assert statement["Action"] == [f"dynamodb:{action}" for action in actions]
        assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}

    @pytest.mark.parametrize(
        ("names", "secrets"),
        [
            ({"carrier_webhook"}, "carriers/*"),
            ({"payment_webhook"}, "payments/*"),
            ({"payment_page"}, "links/payment-*"),
            ({"track_api", "query_api"}, "links/tracking-*"),
            ({"service_api", "track_api"}, "quotes/service-*"),
        ],
    )
    def test_who_checks_signatures_or_signs_reads_the_secrets_for_that_alone(self, names: set[str], secrets: str) -> None:
        readers = {other for other in functions() if rights(other, f":secret:oms/webhooks/{secrets.rstrip('-*')}")}
        assert readers == names
        for name in names:
            assert rights(name, f":secret:oms/webhooks/{secrets}") == {"secretsmanager:GetSecretValue"}

    def test_only_who_calls_gateways_reads_our_keys_there(self) -> None:
        readers = {name for name in functions() if rights(name, ":secret:oms/gateways/*")}
        assert readers == {"capture", "capture_payment", "return_order", "settle"}
        assert all(rights(name, ":secret:oms/gateways/*") == {"secretsmanager:GetSecretValue"} for name in readers)

    def test_who_starts_reads_and_resumes_executions(self) -> None:
        who = {
            action: {name for name in functions() for s in statements(name) if action in several(s["Action"])}
            for action in ("states:StartExecution", "states:DescribeExecution", "states:SendTaskSuccess")
        }
        assert who["states:StartExecution"] == {"relay", "reconcile"}
        assert who["states:DescribeExecution"] == {"query_api", "reconcile"}
        assert who["states:SendTaskSuccess"] == {"allocate", "ship", "return_order", "raise_exception", "relay", "reconcile"}

    def test_lists_are_read_by_those_who_list(self) -> None:
        assert {name for name in functions() if rights(name, "/index/lists")} == {
            "query_api",
            "track_api",
            "fulfillment_api",
            "check_api",
            "stockkeeper",
            "reconcile",
        }
        assert {name for name in functions() if rights(name, "/index/places")} == {"check_api", "reconcile"}

    def test_a_machine_calls_only_the_functions_of_its_steps(self) -> None:
        called = {}
        for machine in of_type("AWS::StepFunctions::StateMachine").values():
            role = {"Ref": machine["Properties"]["RoleArn"]["Fn::GetAtt"][0]}
            [policy] = [p["Properties"] for p in of_type("AWS::IAM::Policy").values() if role in p["Properties"]["Roles"]]
            called[machine["Properties"]["StateMachineName"]] = {
                named(target).rpartition(":function:")[2].removesuffix(":*")
                for statement in policy["PolicyDocument"]["Statement"]
                if several(statement["Action"]) == ["lambda:InvokeFunction"]
                for target in several(statement["Resource"])
            }
        assert called == {
            "oms-order": {"oms-capture", "oms-allocate", "oms-raise-exception"},
            "oms-fulfillment": {"oms-ship", "oms-capture-payment", "oms-raise-exception"},
            "oms-return": {"oms-return-order", "oms-raise-exception"},
            "oms-change": {"oms-settle", "oms-raise-exception"},
        }


def routes() -> list[tuple[str, str, str, list[str]]]:
    """Route key, function, kind of authorization and scopes of every route of the template."""
    resources, found = template()["Resources"], []
    names = {key: resource["Properties"].get("FunctionName") for key, resource in of_type("AWS::Lambda::Function").items()}
    for route in of_type("AWS::ApiGatewayV2::Route").values():
        made = route["Properties"]
        integration = resources[made["Target"]["Fn::Join"][1][1]["Ref"]]["Properties"]
        function = names[integration["IntegrationUri"]["Fn::GetAtt"][0]].removeprefix("oms-").replace("-", "_")
        found.append((made["RouteKey"], function, made.get("AuthorizationType", "NONE"), made.get("AuthorizationScopes", [])))
    return found


class TestRoutes:
    def test_all_but_webhooks_links_and_the_description_need_a_token_with_a_scope(self) -> None:
        assert {key: function for key, function, kind, _ in routes() if kind == "NONE"} == OPEN
        for key, _, kind, scopes in routes():
            if key not in OPEN:
                assert kind == "JWT", key
                assert scopes, key
                assert all(scope.startswith("oms/") for scope in scopes), key

    def test_customers_come_to_what_one_does_for_oneself_and_to_nothing_else(self) -> None:
        shared = {key: scopes for key, *_, scopes in routes() if "oms/self" in scopes}
        both = ["oms/service.write", "oms/self"]
        assert shared == {f"POST /v1/orders/{{id}}/{what}": both for what in ("cancellations", "returns", "exchanges")}
        assert all(len(scopes) <= 1 for key, *_, scopes in routes() if key not in shared)

    def test_every_scope_asked_for_exists(self) -> None:
        [server] = of_type("AWS::Cognito::UserPoolResourceServer").values()
        known = {f"oms/{scope['ScopeName']}" for scope in server["Properties"]["Scopes"]}
        assert {scope for *_, scopes in routes() for scope in scopes} <= known
        assert len(known) == 9

    @pytest.mark.parametrize(
        ("key", "function", "scope"),
        [
            ("POST /v1/orders", "capture", "orders.write"),
            ("POST /v1/orders/{id}/payments", "capture", "orders.write"),
            ("POST /v1/orders/{id}/payment-links", "payment_page", "orders.write"),
            ("GET /v1/orders/{id}", "query_api", "orders.read"),
            ("GET /v1/invoices/{id}", "finance_api", "finance.read"),
            ("GET /v1/journal", "finance_api", "finance.read"),
            ("POST /v1/invoices/{id}/payments", "finance_api", "finance.write"),
            ("POST /v1/returns/{id}/{action}", "service_api", "service.write"),
            ("DELETE /v1/orders/{id}/holds/{hold_id}", "service_api", "service.write"),
            ("POST /v1/fulfillment-orders/{id}/{action}", "fulfillment_api", "fulfillment.write"),
            ("POST /v1/locations/{id}/drain", "fulfillment_api", "fulfillment.write"),
            ("PUT /v1/inventory/{sku}/{location_id}", "inventory_api", "inventory.write"),
            ("POST /v1/inventory/availability", "inventory_api", "orders.read"),
            ("PUT /v1/methods/{id}", "settings_api", "settings.write"),
            ("PUT /v1/accounts/{id}", "settings_api", "settings.write"),
            ("PUT /v1/credit-accounts/{id}", "credit_api", "settings.write"),
            ("POST /v1/credit-accounts/{id}/entries", "credit_api", "finance.write"),
            ("GET /v1/credit-accounts/{id}", "credit_api", "finance.read"),
            ("GET /v1/orders/{id}/gift-cards", "query_api", "finance.read"),
        ],
    )
    def test_a_route_is_served_by_its_function_for_its_scope(self, key: str, function: str, scope: str) -> None:
        assert (key, function, "JWT", [f"oms/{scope}"]) in routes()

    def test_every_edge_is_reached_and_no_step_but_capture(self) -> None:
        edges = {name for name in ENVIRONMENT if name.endswith(("_api", "_webhook", "_page"))}
        assert {function for _, function, _, _ in routes()} == edges | {"capture"}


class TestParts:
    @pytest.mark.parametrize(
        ("function", "records"), [("relay", {"ord_"}), ("stockkeeper", {"sku_", "res_", "load_", "loc_", "exc_", "credit_"})]
    )
    def test_new_timeline_entries_come_to_who_acts_on_them(self, function: str, records: set[str]) -> None:
        mappings = [made["Properties"] for made in of_type("AWS::Lambda::EventSourceMapping").values()]
        [mapping] = [
            m
            for m in mappings
            if text(m["FunctionName"], template()["Resources"]).endswith(f"oms-{function}") or function in str(m).lower()
        ]
        pattern = json.loads(mapping["FilterCriteria"]["Filters"][0]["Pattern"])
        assert pattern["eventName"] == ["INSERT"]
        assert pattern["dynamodb"]["Keys"]["sk"] == {"S": [{"prefix": "timeline#"}]}
        assert {rule["prefix"] for rule in pattern["dynamodb"]["Keys"]["pk"]["S"]} == records
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert (mapping["BatchSize"], mapping["MaximumRetryAttempts"], mapping["BisectBatchOnFunctionError"]) == (100, 3, True)
        assert "MaximumBatchingWindowInSeconds" not in mapping
        assert named(mapping["DestinationConfig"]["OnFailure"]["Destination"]) == "oms-parked-dead.Arn"

    def test_a_parked_message_stays_hidden_while_reconcile_runs(self) -> None:
        [parked] = [q["Properties"] for q in of_type("AWS::SQS::Queue").values() if q["Properties"]["QueueName"] == "oms-parked"]
        assert parked["VisibilityTimeout"] > functions()["reconcile"]["Timeout"]
        assert named(parked["RedrivePolicy"]["deadLetterTargetArn"]) == "oms-parked-dead.Arn"

    def test_the_books_are_a_queue_in_order_that_relay_and_reconcile_write_and_the_bookkeeper_reads(self) -> None:
        queues = {q["Properties"]["QueueName"]: q["Properties"] for q in of_type("AWS::SQS::Queue").values()}
        books = queues["oms-books.fifo"]
        assert books["FifoQueue"]
        assert books["VisibilityTimeout"] > functions()["bookkeeper"]["Timeout"]
        assert named(books["RedrivePolicy"]["deadLetterTargetArn"]) == "oms-books-dead.fifo.Arn"
        assert queues["oms-books-dead.fifo"]["FifoQueue"]
        assert {name for name in functions() if "sqs:SendMessage" in rights(name, "oms-books.fifo")} == {"relay", "reconcile"}
        assert {name for name in functions() if "sqs:ReceiveMessage" in rights(name, "oms-books.fifo")} == {"bookkeeper"}
        [mapping] = [
            made["Properties"]
            for made in of_type("AWS::Lambda::EventSourceMapping").values()
            if named(made["Properties"]["EventSourceArn"]) == "oms-books.fifo.Arn"
        ]
        assert (mapping["BatchSize"], mapping["FunctionResponseTypes"]) == (10, ["ReportBatchItemFailures"])

    def test_reconcile_runs_every_five_minutes_and_ends_before_the_next(self) -> None:
        rules = {made["Properties"]["Name"]: made["Properties"] for made in of_type("AWS::Events::Rule").values()}
        assert rules["oms-sweep"]["ScheduleExpression"] == "rate(1 minute)"
        assert text(rules["oms-sweep"]["Targets"][0]["Arn"], template()["Resources"]).endswith(":oms-stockkeeper")
        rule = rules["oms-reconcile"]
        assert rule["ScheduleExpression"] == "rate(5 minutes)"
        assert text(rule["Targets"][0]["Arn"], template()["Resources"]).endswith(":oms-reconcile")
        assert functions()["reconcile"]["Timeout"] < 300

    def test_the_bucket_of_loads_is_private_versioned_and_of_two_folders(self) -> None:
        [bucket] = [made["Properties"] for made in of_type("AWS::S3::Bucket").values()]
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        [policy] = [made["Properties"]["PolicyDocument"]["Statement"] for made in of_type("AWS::S3::BucketPolicy").values()]
        assert [(s["Effect"], s["Condition"]) for s in policy] == [("Deny", {"Bool": {"aws:SecureTransport": "false"}})]
        reads, works = {"s3:GetObject", "s3:GetObjectVersion"}, {"s3:GetObject", "s3:PutObject"}
        assert {name: rights(name, "/loads/*") for name in functions() if rights(name, "/loads/*")} == {
            "inventory_api": reads,
            "stockkeeper": reads,
        }
        assert {name: rights(name, "/reports/*") for name in functions() if rights(name, "/reports/*")} == {"stockkeeper": works}

    def test_tables_are_on_demand_recoverable_and_keyed_alike(self) -> None:
        tables = {made["Properties"]["TableName"]: made["Properties"] for made in of_type("AWS::DynamoDB::Table").values()}
        assert set(tables) == {"oms-orders", "oms-inventory", "oms-settings"}
        for made in tables.values():
            assert [key["AttributeName"] for key in made["KeySchema"]] == ["pk", "sk"]
            assert made["BillingMode"] == "PAY_PER_REQUEST"
            assert made["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        streams = {name: made.get("StreamSpecification") for name, made in tables.items()}
        kept = {"oms-orders": {"StreamViewType": "NEW_IMAGE"}, "oms-inventory": {"StreamViewType": "KEYS_ONLY"}, "oms-settings": None}
        assert streams == kept
        [index] = tables["oms-orders"]["GlobalSecondaryIndexes"]
        assert (index["IndexName"], index["Projection"]) == ("lists", {"ProjectionType": "KEYS_ONLY"})
        assert [key["AttributeName"] for key in index["KeySchema"]] == ["list", "at"]
        [index] = tables["oms-inventory"]["GlobalSecondaryIndexes"]
        assert (index["IndexName"], index["Projection"]) == ("places", {"ProjectionType": "KEYS_ONLY"})
        assert [key["AttributeName"] for key in index["KeySchema"]] == ["place", "pk"]
        assert tables["oms-orders"]["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
        assert tables["oms-inventory"]["TimeToLiveSpecification"] == {"AttributeName": "forget_at", "Enabled": True}

    def test_machines_are_standard_traced_and_log_errors_without_data(self) -> None:
        machines = {
            made["Properties"]["StateMachineName"]: made["Properties"] for made in of_type("AWS::StepFunctions::StateMachine").values()
        }
        assert set(machines) == {"oms-order", "oms-fulfillment", "oms-return", "oms-change"}
        for made in machines.values():
            assert made.get("StateMachineType", "STANDARD") == "STANDARD"
            assert made["TracingConfiguration"] == {"Enabled": True}
            assert made["LoggingConfiguration"]["Level"] == "ERROR"
            assert made["LoggingConfiguration"]["IncludeExecutionData"] is False

    def test_webhook_secrets_are_named_and_generated(self) -> None:
        secrets = {made["Properties"]["Name"]: made["Properties"] for made in of_type("AWS::SecretsManager::Secret").values()}
        webhooks = {name: made for name, made in secrets.items() if name.startswith("oms/webhooks/")}
        senders = {"carriers/standard", "carriers/sandbox", "payments/sandbox", "payments/stripe"}
        senders |= {"links/payment", "links/tracking", "quotes/service"}
        assert set(webhooks) == {f"oms/webhooks/{sender}" for sender in senders}
        for made in webhooks.values():
            assert made["GenerateSecretString"] == {"PasswordLength": 32, "ExcludePunctuation": True}
        assert {name: made["SecretString"] for name, made in secrets.items() if name not in webhooks} == {"oms/gateways/stripe": "{}"}

    def test_the_operator_is_a_machine_with_every_scope_but_that_of_customers(self) -> None:
        client = self._client("oms-operator")
        assert client["AllowedOAuthFlows"] == ["client_credentials"]
        assert client["GenerateSecret"] is True
        scopes = [json.dumps(scope) for scope in client["AllowedOAuthScopes"]]
        assert len(scopes) == 8
        assert not [scope for scope in scopes if "/self" in scope]

    def test_customers_sign_in_with_a_code_and_get_no_other_scope_than_their_own(self) -> None:
        client = self._client("oms-customers")
        assert client["AllowedOAuthFlows"] == ["code"]
        assert client["GenerateSecret"] is False
        identity, own = client["AllowedOAuthScopes"]
        assert identity == "openid"
        assert json.dumps(own).endswith('/self"]]}')
        [pool] = [made["Properties"] for made in of_type("AWS::Cognito::UserPool").values()]
        assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}

    def test_each_system_has_a_client_with_its_own_scopes_and_the_api_takes_tokens_of_no_other(self) -> None:
        made = {client["Properties"]["ClientName"]: name for name, client in of_type("AWS::Cognito::UserPoolClient").items()}
        assert set(made) == {f"oms-{name}" for name in ("operator", "customers", "storefront", "warehouse", "support", "support-desk")}
        (authorizer,) = of_type("AWS::ApiGatewayV2::Authorizer").values()
        assert {each["Ref"] for each in authorizer["Properties"]["JwtConfiguration"]["Audience"]} == set(made.values())
        machine, people = self._client("oms-warehouse"), self._client("oms-support-desk")
        assert (machine["AllowedOAuthFlows"], people["AllowedOAuthFlows"]) == (["client_credentials"], ["code"])
        assert [json.dumps(scope).split("/")[1].split('"')[0] for scope in machine["AllowedOAuthScopes"]] == [
            "fulfillment.write",
            "inventory.write",
        ]
        assert template()["Outputs"]["SupportDeskClientId"]["Value"] == {"Ref": made["oms-support-desk"]}

    def _client(self, name: str) -> dict[str, Any]:
        [client] = [
            made["Properties"] for made in of_type("AWS::Cognito::UserPoolClient").values() if made["Properties"]["ClientName"] == name
        ]
        return dict(client)

    def test_outputs_have_the_names_that_others_read(self) -> None:
        assert set(template()["Outputs"]) >= set(OUTPUTS.split())

    def test_data_outlives_the_stack_on_aws(self) -> None:
        for kind in ("AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::SecretsManager::Secret"):
            assert {made["DeletionPolicy"] for made in of_type(kind).values()} == {"RetainExceptOnCreate"}
            assert {made["UpdateReplacePolicy"] for made in of_type(kind).values()} == {"Retain"}

    def test_local_is_the_same_template_but_for_data_tls_and_the_streams_name(self) -> None:
        aws, local = (copy.deepcopy(template(local=local)["Resources"]) for local in (False, True))
        [tls] = [name for name in set(aws) - set(local) if aws[name]["Type"] == "AWS::S3::BucketPolicy"]
        assert aws.pop(tls)["Properties"]["PolicyDocument"]["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        [policy] = [name for name in aws if name.startswith("FunctionsInventoryApiRoleDefaultPolicy")]
        here, there = (_allowed(each.pop(policy)) for each in (local, aws))
        assert here - there == {(action, '"*"') for action in STREAM_ACTIONS}
        assert {action for action, _ in there - here} == STREAM_ACTIONS
        for made in (*aws.values(), *local.values()):
            made.pop("DeletionPolicy", None)
            made.pop("UpdateReplacePolicy", None)
        assert local == aws


def _allowed(policy: dict[str, Any]) -> set[tuple[str, str]]:
    """Every action of a policy with every resource it is allowed on."""
    return {
        (action, json.dumps(resource))
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in several(statement["Action"])
        for resource in several(statement["Resource"])
    }
