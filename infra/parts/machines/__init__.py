"""The state machines: one module each, built from the states of steps.py."""

from __future__ import annotations

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.parts.catalogue import MACHINES
from infra.parts.functions import Functions
from infra.parts.machines import change, fulfillment, order, returns
from infra.parts.machines.steps import Steps

BUILDERS = {"order": order.build, "fulfillment": fulfillment.build, "return": returns.build, "change": change.build}
PURPOSES = {
    "order": "The life of one order until its work is released",
    "fulfillment": "The life of one fulfillment order until it is delivered",
    "return": "The life of one return until it is settled",
    "change": "The money of one change to an order",
}


def machine_arns(stack: Stack) -> dict[str, str]:
    """The ARNs by machine, made from their names: functions need them before the machines exist."""
    return {
        name: stack.format_arn(
            service="states", resource="stateMachine", resource_name=f"oms-{name}", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        for name in MACHINES
    }


class Machines(Construct):
    """Standard state machines `oms-order`, `oms-fulfillment`, `oms-return`, `oms-change`.

    Errors are logged without data: inputs are ids only, but the history in the console is the place to read them.
    """

    def __init__(self, scope: Construct, construct_id: str, *, functions: Functions, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        for name, build in BUILDERS.items():
            part = Construct(self, name.title())
            log = logs.LogGroup(
                part,
                "Log",
                log_group_name=f"/aws/vendedlogs/states/oms-{name}",
                retention=logs.RetentionDays.ONE_MONTH,
                removal_policy=removal,
            )
            machine = sfn.StateMachine(
                part,
                "Machine",
                state_machine_name=f"oms-{name}",
                comment=PURPOSES[name],
                definition_body=sfn.DefinitionBody.from_chainable(build(Steps(part, functions))),
                logs=sfn.LogOptions(destination=log, level=sfn.LogLevel.ERROR, include_execution_data=False),
                tracing_enabled=True,
            )
            machine.metric_failed(period=Duration.minutes(5)).create_alarm(
                part,
                "Failed",
                alarm_name=f"oms-{name}-failed",
                alarm_description=f"An execution of oms-{name} failed; reconcile starts its next run unless the exception was abandoned",
                threshold=1,
                evaluation_periods=1,
                treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            )
