"""The order machine: capture (when the synchronous door has not done it), allocate, wait where it must.

A plain order: Next, Allocate, Next, Allocated.
"""

from __future__ import annotations

from aws_cdk import aws_stepfunctions as sfn

from infra.parts.machines.steps import Steps


def build(steps: Steps) -> sfn.IChainable:
    """The machine; its input says in `outcome.next` where to begin."""
    unfillable = sfn.Pass(
        steps.scope,
        "Unfillable",
        comment="Stock or location for what was sold is gone: a person decides",
        result=sfn.Result.from_object({"Error": "Unfillable", "Cause": "No location can serve the open lines of the order"}),
        result_path="$.error",
    )
    unfillable.next(steps.raising("Allocate"))
    return steps.router(
        {
            "capture": steps.call("Capture", "capture", "Finish an order taken in bulk or interrupted half-way", asks_gateway=True),
            "wait_for_release": steps.wait("Wait for release", "allocate", "Held: goes on when the last hold is released"),
            "allocate": steps.call("Allocate", "allocate", "Confirm where each line ships from and release the work"),
            "wait_for_stock": steps.wait(
                "Wait for stock",
                "allocate",
                "Backordered: goes on when stock was granted",
                on={"States.Timeout": steps.raising("Allocate")},
            ),
            "unfillable": unfillable,
            "allocated": steps.done("Allocated", "All work is released"),
            "cancelled": steps.done("Cancelled", "Nothing is left to do"),
            "declined": steps.done("Declined", "The payment was declined; nothing is reserved"),
        }
    )
