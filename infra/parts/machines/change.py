"""The change machine: the money of a cancellation, a new tender, a renewed authorization, and of whatever else changes an order's price.

A change that a gateway answers at once: Settle, Next, Settled.
"""

from __future__ import annotations

from aws_cdk import aws_stepfunctions as sfn

from infra.parts.machines.steps import Steps


def build(steps: Steps) -> sfn.IChainable:
    """The machine; it begins at Settle."""
    settle = steps.call("Settle", "settle", "Refund, void, authorize or capture what the change asks for", asks_gateway=True)
    steps.router({"settle": settle, "settled": steps.done("Settled", "The money of the change has moved, or nobody would give it")})
    return settle
