"""The states that all machines are made of, with their timeouts, retries and ways out.

Every task leads to the Choice "Next", which reads `$.outcome.next`: outcomes are data, only failures are errors. What retries
do not cure goes to the task's own "Raise exception: <step>", which waits for a person and then says where to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from infra.parts.functions import Functions

TRANSIENT = [
    "Retryable",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
]
# A function that was killed or ran out of time, possibly between two writes. Steps may be run again, but it may also be a bug.
CUT_SHORT = ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"]
SYNC_SECONDS = 60  # twice what a step's function may take
LONGEST_WAIT_DAYS = 90
LONGEST_WAIT_SECONDS = LONGEST_WAIT_DAYS * 24 * 60 * 60
# What a synchronous task may take with all its retries, before it is an exception: (1 + 6 + 2) tries of 60 seconds each, and at
# most 2 + 4 + 8 + 16 + 32 + 60 and 5 + 10 seconds between them. Orders have two such tasks, fulfillment and returns
# have three, a change has one; none runs more than once without an outcome in between.
SYNC_BUDGET_SECONDS = 9 * SYNC_SECONDS + 122 + 15


@dataclass
class Steps:
    """Builds the states of one machine under `scope`, whose names are what operators read in the console."""

    scope: Construct
    functions: Functions
    _next: sfn.Choice = field(init=False)
    _abandoned: sfn.Fail = field(init=False)
    _pauses: dict[str, sfn.Wait] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._next = sfn.Choice(self.scope, "Next", comment="Where the last step's outcome leads")
        self._abandoned = sfn.Fail(
            self.scope,
            "Abandoned",
            error="Abandoned",
            cause="An exception was abandoned or could not be recorded, or nobody answered it for 90 days",
        )

    def call(self, name: str, function: str, comment: str, *, asks_gateway: bool = False) -> tasks.LambdaInvoke:
        """A task that runs at once. One that asks a payment gateway may have to wait for it, `seconds`, and to come back: its outcome
        `later_<step>`. Such a function always returns `seconds`."""
        task = tasks.LambdaInvoke(
            self.scope,
            name,
            comment=comment,
            lambda_function=self.functions[function],
            payload=self._payload(name),
            result_selector={f"{key}.$": f"$.Payload.{key}" for key in ("next", *(("seconds",) if asks_gateway else ()))},
            result_path="$.outcome",
            task_timeout=sfn.Timeout.duration(Duration.seconds(SYNC_SECONDS)),
            retry_on_service_exceptions=False,
        )
        self._retry(task, [*CUT_SHORT, "States.Timeout"])
        self._or_raise(task, name)
        task.next(self._next)
        if asks_gateway:
            self._pauses[f"later_{name.lower().replace(' ', '_')}"] = self.clock(
                f"Wait for the gateway: {name}", "It has not decided, or cannot be reached", task
            )
        return task

    def clock(self, name: str, comment: str, then: sfn.IChainable) -> sfn.Wait:
        """A pause of as many seconds as the last outcome says, then that state."""
        pause = sfn.Wait(self.scope, name, comment=comment, time=sfn.WaitTime.seconds_path("$.outcome.seconds"))
        pause.next(then)
        return pause

    def wait(
        self,
        name: str,
        function: str,
        comment: str,
        *,
        days: int = LONGEST_WAIT_DAYS,
        on: Mapping[str, sfn.IChainable] | None = None,
        ends: bool = False,
    ) -> tasks.LambdaInvoke:
        """A task that waits for its token for up to `days`. `on` gives named errors a way of their own; `ends` ends the execution."""
        task = self._token(name, function, comment, days, {})
        for error, target in (on or {}).items():
            task.add_catch(target, errors=[error], result_path="$.error")
        self._or_raise(task, name)
        if not ends:
            task.next(self._next)
        return task

    def raising(self, step: str) -> tasks.LambdaInvoke:
        """The state "Raise exception: <step>"; made once."""
        name = f"Raise exception: {step}"
        existing = self.scope.node.try_find_child(name)
        if isinstance(existing, tasks.LambdaInvoke):
            return existing
        task = self._token(
            name,
            "raise_exception",
            f"{step} needs a person: retry, resolve or abandon the exception",
            LONGEST_WAIT_DAYS,
            {"failed_step": step, "error": sfn.JsonPath.object_at("$.error"), "execution_arn": sfn.JsonPath.execution_id},
        )
        task.add_catch(self._abandoned, errors=["States.ALL"], result_path="$.error")
        task.next(self._next)
        return task

    def done(self, name: str, comment: str) -> sfn.Succeed:
        """A good end."""
        return sfn.Succeed(self.scope, name, comment=comment)

    def router(self, targets: Mapping[str, sfn.IChainable]) -> sfn.Choice:
        """Complete "Next": each outcome to its state; an outcome nobody knows fails the execution in plain sight."""
        for outcome, target in {**targets, **self._pauses, "abandoned": self._abandoned}.items():
            is_next = sfn.Condition.string_equals("$.outcome.next", outcome)
            if isinstance(target, sfn.Wait):  # its length is data, so its bound stands here
                is_next = sfn.Condition.and_(is_next, sfn.Condition.number_less_than_equals("$.outcome.seconds", LONGEST_WAIT_SECONDS))
            self._next.when(is_next, target)
        unknown = sfn.Fail(self.scope, "Unknown outcome", error="UnknownOutcome", cause="A step returned an outcome that has no way on")
        self._next.otherwise(unknown)
        return self._next

    def _token(self, name: str, function: str, comment: str, days: int, extra: Mapping[str, object]) -> tasks.LambdaInvoke:
        task = tasks.LambdaInvoke(
            self.scope,
            name,
            comment=comment,
            lambda_function=self.functions[function],
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            payload=self._payload(name, token=sfn.JsonPath.task_token, **extra),
            result_path="$.outcome",
            task_timeout=sfn.Timeout.duration(Duration.days(days)),
            retry_on_service_exceptions=False,
        )
        self._retry(task, CUT_SHORT)
        return task

    def _payload(self, name: str, **extra: object) -> sfn.TaskInput:
        return sfn.TaskInput.from_object(
            {
                "step": name,
                "input": sfn.JsonPath.entire_payload,
                "execution": sfn.JsonPath.execution_name,
                # Together they order the attempts of one step, so that a slow one never overwrites a newer token.
                "entered": sfn.JsonPath.state_entered_time,
                "retry": sfn.JsonPath.number_at("$$.State.RetryCount"),
                **extra,
            }
        )

    def _or_raise(self, task: tasks.LambdaInvoke, name: str) -> None:
        task.add_catch(self.raising(name), errors=["States.ALL"], result_path="$.error")

    @staticmethod
    def _retry(task: tasks.LambdaInvoke, cut_short: list[str]) -> None:
        """Retry what passes by itself; full jitter, so that what failed together does not come back together."""
        task.add_retry(
            errors=TRANSIENT,
            interval=Duration.seconds(2),
            backoff_rate=2,
            max_delay=Duration.seconds(60),
            max_attempts=6,
            jitter_strategy=sfn.JitterType.FULL,
        )
        task.add_retry(
            errors=cut_short,
            interval=Duration.seconds(5),
            backoff_rate=2,
            max_delay=Duration.seconds(60),
            max_attempts=2,
            jitter_strategy=sfn.JitterType.FULL,
        )
