"""The definitions that are deployed, state by state: each has a bound, a retry, a way out, and every way leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.parts.catalogue import MACHINES, STEPS
from infra.parts.machines.steps import SYNC_BUDGET_SECONDS
from infra.parts.synth import definition

DAY = 24 * 60 * 60
TRANSIENT = {
    "Retryable",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
}
# The function behind each step, and for how many days it may wait (0: it runs at once).
TASKS = {
    "order": {
        "Capture": ("oms-capture", 0),
        "Wait for release": ("oms-allocate", 90),
        "Allocate": ("oms-allocate", 0),
        "Wait for stock": ("oms-allocate", 90),
    },
    "fulfillment": {
        "Ship": ("oms-ship", 30),
        "Wait for release": ("oms-ship", 90),
        "Secure payment": ("oms-capture-payment", 0),
        "Capture payment": ("oms-capture-payment", 0),
        "Deliver": ("oms-ship", 90),
        "Expire": ("oms-ship", 0),
    },
    "return": {
        "Approve": ("oms-return-order", 30),
        "Wait for goods": ("oms-return-order", 90),
        "Buy label": ("oms-return-order", 0),
        "Return": ("oms-return-order", 0),
        "Expire": ("oms-return-order", 0),
    },
    "change": {"Settle": ("oms-settle", 0)},
}
# Steps that ask a payment gateway: it may think for a while, or be down, and the machine then waits and asks again.
ASKING = {
    "order": ["Capture"],
    "fulfillment": ["Secure payment", "Capture payment"],
    "return": ["Return"],
    "change": ["Settle"],
}
# States that are neither tasks nor ends, besides those that every machine has.
OTHERS = {"order": {"Unfillable"}, "fulfillment": {"Wait for the clock"}, "return": set[str](), "change": set[str]()}
ENDS = {
    "order": {"Allocated": "Succeed", "Cancelled": "Succeed", "Declined": "Succeed"},
    "fulfillment": {"Rejected": "Succeed", "Cancelled": "Succeed", "Expired": "Succeed", "Delivered": "Succeed"},
    "return": {"Settled": "Succeed", "Rejected": "Succeed", "Cancelled": "Succeed", "Expired": "Succeed"},
    "change": {"Settled": "Succeed"},
}
# What a machine's synchronous tasks may take together, with all their retries, before somebody is called: 11 minutes 17 seconds each.
BUDGET_SECONDS = {"order": 1354, "fulfillment": 2031, "return": 2031, "change": 677}
OWN_WAYS = {
    ("order", "Wait for stock", "States.Timeout"): "Raise exception: Allocate",
    ("fulfillment", "Ship", "States.Timeout"): "Expire",
    ("fulfillment", "Deliver", "ReturnedToSender"): "Raise exception: Deliver",
    ("return", "Wait for goods", "States.Timeout"): "Expire",
}


def states(machine: str) -> dict[str, Any]:
    found: dict[str, Any] = definition(machine)["States"]
    return found


def tasks(machine: str) -> dict[str, Any]:
    return {name: state for name, state in states(machine).items() if state["Type"] == "Task"}


def steps(machine: str) -> dict[str, Any]:
    return {name: state for name, state in tasks(machine).items() if not name.startswith("Raise exception: ")}


def targets(state: dict[str, Any]) -> Iterator[str]:
    if "Next" in state:
        yield state["Next"]
    if "Default" in state:
        yield state["Default"]
    for rule in (*state.get("Choices", ()), *state.get("Catch", ())):
        yield rule["Next"]


def waits_for_token(state: dict[str, Any]) -> bool:
    return bool(state["Resource"].endswith(":lambda:invoke.waitForTaskToken"))


def catches(state: dict[str, Any]) -> dict[str, str]:
    return {error: rule["Next"] for rule in state["Catch"] for error in rule["ErrorEquals"]}


def routes(machine: str) -> dict[str, str]:
    """Outcome to state, as the Choice "Next" has it."""
    found = {}
    for rule in states(machine)["Next"]["Choices"]:
        test = rule["And"][0] if "And" in rule else rule
        assert test["Variable"] == "$.outcome.next"
        found[test["StringEquals"]] = rule["Next"]
    return found


def pause(step: str) -> str:
    """The state in which a machine waits for the gateway that the step asks."""
    return f"Wait for the gateway: {step}"


def walk(machine: str, *outcomes: str) -> list[str]:
    """The states entered when the steps answer with these outcomes, from the start to an end."""
    all_states, ways, left = states(machine), routes(machine), list(outcomes)
    path = [definition(machine)["StartAt"]]
    while not (all_states[path[-1]].get("End") or all_states[path[-1]]["Type"] in ("Succeed", "Fail")):
        state = all_states[path[-1]]
        path.append(ways[left.pop(0)] if state["Type"] == "Choice" else state["Next"])
    assert not left
    return path


@pytest.mark.parametrize("machine", MACHINES)
class TestEveryMachine:
    def test_has_exactly_the_states_it_should_have(self, machine: str) -> None:
        raising = {f"Raise exception: {step}" for step in TASKS[machine]}
        pauses = {pause(step) for step in ASKING[machine]}
        always = {"Next", "Abandoned", "Unknown outcome"}
        assert set(tasks(machine)) == set(TASKS[machine]) | raising
        assert set(states(machine)) == set(tasks(machine)) | pauses | OTHERS[machine] | always | set(ENDS[machine])

    def test_is_written_in_jsonpath_without_variables(self, machine: str) -> None:
        assert definition(machine).get("QueryLanguage", "JSONPath") == "JSONPath"
        for state in states(machine).values():
            assert not {"Assign", "Arguments", "Output", "QueryLanguage"} & set(state)

    def test_every_target_exists_and_every_state_is_reached(self, machine: str) -> None:
        everything, reached = states(machine), set[str]()
        todo = [definition(machine)["StartAt"]]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo.extend(targets(everything[name]))
        assert reached == set(everything)

    def test_from_every_state_an_end_can_be_reached(self, machine: str) -> None:
        everything = states(machine)
        ending = {name for name, state in everything.items() if state["Type"] in ("Succeed", "Fail") or state.get("End")}
        while more := {name for name, state in everything.items() if name not in ending and ending & set(targets(state))}:
            ending |= more
        assert ending == set(everything)

    def test_every_state_says_what_it_is_for(self, machine: str) -> None:
        for name, state in states(machine).items():
            assert state.get("Comment") or state.get("Cause"), name

    def test_every_task_calls_its_function_and_is_bounded(self, machine: str) -> None:
        for name, (function, days) in TASKS[machine].items():
            state = tasks(machine)[name]
            assert state["Parameters"]["FunctionName"].endswith(f":function:{function}"), name
            assert waits_for_token(state) == bool(days), name
            assert state["TimeoutSeconds"] == (days * DAY or 60), name

    def test_a_task_at_once_outlives_its_function(self, machine: str) -> None:
        for name, state in tasks(machine).items():
            function = state["Parameters"]["FunctionName"].rpartition(":oms-")[2].replace("-", "_")
            assert state["TimeoutSeconds"] > STEPS[function].timeout, name

    def test_nothing_waits_longer_than_90_days(self, machine: str) -> None:
        for name, state in states(machine).items():
            if state["Type"] == "Task":
                assert state["TimeoutSeconds"] <= 90 * DAY, name
            if state["Type"] == "Wait":
                entries = [rule for rule in states(machine)["Next"]["Choices"] if rule["Next"] == name]
                bound = {"Variable": state["SecondsPath"], "NumericLessThanEquals": 90 * DAY}
                assert entries, name
                assert all(bound in rule["And"] for rule in entries), name
                assert not [n for n, other in states(machine).items() if n != "Next" and name in targets(other)], name

    def test_every_task_retries_what_passes_by_itself(self, machine: str) -> None:
        for name, state in tasks(machine).items():
            retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
            assert retried >= TRANSIENT | {"Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"}, name
            assert ("States.Timeout" in retried) == (not waits_for_token(state)), name
            assert not retried & {"States.ALL", "States.TaskFailed", "ReturnedToSender"}, name
            for rule in state["Retry"]:
                assert rule["JitterStrategy"] == "FULL", name
                assert rule["BackoffRate"] == 2, name
                assert 1 <= rule["MaxAttempts"] <= 6, name
                assert rule["IntervalSeconds"] <= rule["MaxDelaySeconds"] <= 60, name

    def test_what_a_cut_off_run_repeats_is_repeated_twice_at_most(self, machine: str) -> None:
        for name, state in tasks(machine).items():
            for rule in state["Retry"]:
                if {"Lambda.Unknown", "States.Timeout"} & set(rule["ErrorEquals"]):
                    assert rule["MaxAttempts"] == 2, name

    def test_every_step_has_its_own_exception_and_its_own_ways_out(self, machine: str) -> None:
        for name, state in steps(machine).items():
            own = {error: target for (where, step, error), target in OWN_WAYS.items() if (where, step) == (machine, name)}
            assert catches(state) == own | {"States.ALL": f"Raise exception: {name}"}, name
            assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name
            assert all(rule["ResultPath"] == "$.error" for rule in state["Catch"]), name

    def test_an_exception_waits_for_a_person_and_goes_on_where_they_say(self, machine: str) -> None:
        for name in TASKS[machine]:
            state = tasks(machine)[f"Raise exception: {name}"]
            assert waits_for_token(state)
            assert state["TimeoutSeconds"] == 90 * DAY
            assert state["Next"] == "Next"
            assert catches(state) == {"States.ALL": "Abandoned"}
            assert state["Parameters"]["FunctionName"].endswith(":function:oms-raise-exception")
            assert state["Parameters"]["Payload"]["failed_step"] == name
            assert state["Parameters"]["Payload"]["error.$"] == "$.error"

    def test_retry_can_resume_at_every_step(self, machine: str) -> None:
        assert set(routes(machine).values()) >= set(TASKS[machine])

    def test_a_step_that_asks_a_gateway_is_come_back_to_after_as_long_as_it_says(self, machine: str) -> None:
        later = {outcome: state for outcome, state in routes(machine).items() if outcome.startswith("later_")}
        assert later == {f"later_{step.lower().replace(' ', '_')}": pause(step) for step in ASKING[machine]}
        for step in ASKING[machine]:
            state = states(machine)[pause(step)]
            assert (state["Type"], state["SecondsPath"], state["Next"]) == ("Wait", "$.outcome.seconds", step)

    def test_every_end_can_be_chosen_and_ends_well(self, machine: str) -> None:
        assert set(routes(machine).values()) >= {*ENDS[machine], "Abandoned"}
        for name, kind in ENDS[machine].items():
            assert states(machine)[name]["Type"] == kind

    def test_an_outcome_nobody_knows_fails_in_plain_sight(self, machine: str) -> None:
        unknown = states(machine)[states(machine)["Next"]["Default"]]
        assert (unknown["Type"], unknown["Error"]) == ("Fail", "UnknownOutcome")
        assert states(machine)["Abandoned"]["Type"] == "Fail"

    def test_every_step_leads_to_the_router(self, machine: str) -> None:
        for name, state in tasks(machine).items():
            assert state.get("Next") == "Next" or (name == "Deliver" and state["End"]), name

    def test_every_payload_tells_the_step_where_it_is(self, machine: str) -> None:
        for name, state in tasks(machine).items():
            payload = dict(state["Parameters"]["Payload"])
            token = payload.pop("token.$", None)
            assert token == ("$$.Task.Token" if waits_for_token(state) else None), name
            raising = {key: payload.pop(key) for key in ("failed_step", "error.$", "execution_arn.$") if key in payload}
            assert bool(raising) == name.startswith("Raise exception: "), name
            assert payload == {
                "step": name,
                "input.$": "$",
                "execution.$": "$$.Execution.Name",
                "entered.$": "$$.State.EnteredTime",
                "retry.$": "$$.State.RetryCount",
            }

    def test_outcomes_are_kept_beside_the_input(self, machine: str) -> None:
        for name, state in tasks(machine).items():
            assert state["ResultPath"] == "$.outcome", name
            also = {"seconds.$": "$.Payload.seconds"} if name in ASKING[machine] else {}
            expected = None if waits_for_token(state) else {"next.$": "$.Payload.next", **also}
            assert state.get("ResultSelector") == expected, name

    def test_the_time_of_all_retries_together_is_the_one_written_down(self, machine: str) -> None:
        total = 0
        for state in tasks(machine).values():
            if not waits_for_token(state):
                tries = 1 + sum(rule["MaxAttempts"] for rule in state["Retry"])
                total += tries * state["TimeoutSeconds"] + sum(longest_pauses(rule) for rule in state["Retry"])
        at_once = [name for name, (_, days) in TASKS[machine].items() if not days]
        assert total == BUDGET_SECONDS[machine] == len(at_once) * SYNC_BUDGET_SECONDS


def longest_pauses(rule: dict[str, Any]) -> int:
    """Full jitter waits for up to the interval of each attempt."""
    interval, factor, longest = rule["IntervalSeconds"], rule["BackoffRate"], rule["MaxDelaySeconds"]
    return sum(min(longest, interval * factor**attempt) for attempt in range(rule["MaxAttempts"]))


class TestWays:
    def test_a_plain_order_costs_at_most_ten_transitions(self) -> None:
        order = walk("order", "allocate", "allocated")
        fulfillment = walk("fulfillment", "capture_payment", "deliver")
        assert order == ["Next", "Allocate", "Next", "Allocated"]
        assert fulfillment == ["Ship", "Next", "Capture payment", "Next", "Deliver"]
        assert len(order) + len(fulfillment) <= 10

    @pytest.mark.parametrize(
        ("machine", "outcomes", "expected"),
        [
            ("order", ["capture", "declined"], "Next, Capture, Next, Declined"),
            (
                "order",
                ["capture", "wait_for_release", "allocate", "wait_for_stock", "allocate", "allocated"],
                "Next, Capture, Next, Wait for release, Next, Allocate, Next, Wait for stock, Next, Allocate, Next, Allocated",
            ),
            (
                "order",
                ["allocate", "unfillable", "allocate", "cancelled"],
                "Next, Allocate, Next, Unfillable, Raise exception: Allocate, Next, Allocate, Next, Cancelled",
            ),
            (
                "order",
                ["capture", "later_capture", "declined"],
                "Next, Capture, Next, Wait for the gateway: Capture, Capture, Next, Declined",
            ),
            ("order", ["abandoned"], "Next, Abandoned"),
            ("fulfillment", ["rejected"], "Ship, Next, Rejected"),
            ("fulfillment", ["cancelled"], "Ship, Next, Cancelled"),
            ("fulfillment", ["hold", "ship", "expire", "expired"], "Ship, Next, Wait for release, Next, Ship, Next, Expire, Next, Expired"),
            (
                "fulfillment",
                ["capture_payment", "ship", "capture_payment", "delivered"],
                "Ship, Next, Capture payment, Next, Ship, Next, Capture payment, Next, Delivered",
            ),
            (
                "fulfillment",
                ["secure_payment", "later_secure_payment", "ship", "cancelled"],
                "Ship, Next, Secure payment, Next, Wait for the gateway: Secure payment, Secure payment, Next, Ship, Next, Cancelled",
            ),
            (
                "fulfillment",
                ["hold", "secure_payment", "hold", "ship", "rejected"],
                "Ship, Next, Wait for release, Next, Secure payment, Next, Wait for release, Next, Ship, Next, Rejected",
            ),
            (
                "fulfillment",
                ["capture_payment", "later_capture_payment", "secure_payment", "ship", "expired"],
                "Ship, Next, Capture payment, Next, Wait for the gateway: Capture payment, Capture payment, Next, Secure payment, Next, "
                "Ship, Next, Expired",
            ),
            (
                "fulfillment",
                ["capture_payment", "wait_for_clock"],
                "Ship, Next, Capture payment, Next, Wait for the clock, Deliver",
            ),
            ("return", ["wait_for_goods", "return", "settled"], "Approve, Next, Wait for goods, Next, Return, Next, Settled"),
            (
                "return",
                ["wait_for_goods", "return", "later_return", "settled"],
                "Approve, Next, Wait for goods, Next, Return, Next, Wait for the gateway: Return, Return, Next, Settled",
            ),
            (
                "return",
                ["buy_label", "wait_for_goods", "buy_label", "return", "wait_for_goods", "cancelled"],
                "Approve, Next, Buy label, Next, Wait for goods, Next, Buy label, Next, Return, Next, Wait for goods, Next, Cancelled",
            ),
            ("return", ["rejected"], "Approve, Next, Rejected"),
            ("return", ["wait_for_goods", "cancelled"], "Approve, Next, Wait for goods, Next, Cancelled"),
            ("return", ["wait_for_goods", "expire", "expired"], "Approve, Next, Wait for goods, Next, Expire, Next, Expired"),
            ("change", ["settled"], "Settle, Next, Settled"),
            ("change", ["later_settle", "settled"], "Settle, Next, Wait for the gateway: Settle, Settle, Next, Settled"),
            ("change", ["abandoned"], "Settle, Next, Abandoned"),
        ],
    )
    def test_every_way_through_is_drawn(self, machine: str, outcomes: list[str], expected: str) -> None:
        assert ", ".join(walk(machine, *outcomes)) == expected

    def test_stock_that_cannot_be_found_is_an_exception_with_a_cause(self) -> None:
        state = states("order")["Unfillable"]
        assert (state["Type"], state["ResultPath"], state["Next"]) == ("Pass", "$.error", "Raise exception: Allocate")
        assert set(state["Result"]) == {"Error", "Cause"}
