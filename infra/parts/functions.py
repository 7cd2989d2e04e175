"""The one factory of all Lambda functions: a new function is an entry in catalogue.py and a folder in functions/."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import ROOT
from infra.parts.catalogue import FUNCTIONS, LIBRARIES, Needs
from infra.parts.grants import Resources, environment, statements
from infra.parts.layers import ARCHITECTURE, RUNTIME


class Functions(Construct):
    """All functions of the catalogue, by name: `functions["capture"]`."""

    def __init__(
        self, scope: Construct, construct_id: str, *, layers: Sequence[lambda_.ILayerVersion], resources: Resources, removal: RemovalPolicy
    ) -> None:
        super().__init__(scope, construct_id)
        self._layers, self._resources, self._removal = list(layers), resources, removal
        self._functions = {name: self._function(name, needs) for name, needs in FUNCTIONS.items()}

    def __getitem__(self, name: str) -> lambda_.Function:
        return self._functions[name]

    def _function(self, name: str, needs: Needs) -> lambda_.Function:
        part = Construct(self, name.title().replace("_", ""))
        full_name = f"oms-{name.replace('_', '-')}"
        log = logs.LogGroup(
            part, "Log", log_group_name=f"/aws/lambda/{full_name}", retention=logs.RetentionDays.ONE_MONTH, removal_policy=self._removal
        )
        # A role of its own that starts with nothing: not even the managed policy that may write to every log.
        role = iam.Role(part, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"), description=full_name)
        log.grant_write(role)
        function = lambda_.Function(
            part,
            "Function",
            function_name=full_name,
            description=needs.purpose,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            code=lambda_.Code.from_asset(str(ROOT / "functions" / name), exclude=["__pycache__", "*.pyc"]),
            handler="handler.handler",
            layers=self._layers,
            memory_size=needs.memory,
            timeout=Duration.seconds(needs.timeout),
            environment={
                "POWERTOOLS_SERVICE_NAME": name,
                **LIBRARIES,
                **environment(needs, self._resources),
            },
            role=role,
            log_group=log,
            tracing=lambda_.Tracing.ACTIVE,
        )
        for statement in statements(needs, self._resources):
            role.add_to_policy(statement)
        self._alarm(part, full_name, function)
        return function

    def _alarm(self, part: Construct, full_name: str, function: lambda_.Function) -> None:
        function.metric_errors(period=Duration.minutes(5)).create_alarm(
            part,
            "Errors",
            alarm_name=f"{full_name}-errors",
            alarm_description=f"{full_name} failed; its log group says why",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
