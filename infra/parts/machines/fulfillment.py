"""The fulfillment machine: ship, capture the money of what was shipped, deliver.

One shipment that is delivered: Ship, Next, Capture payment, Next, Deliver.
"""

from __future__ import annotations

from aws_cdk import aws_stepfunctions as sfn

from infra.parts.machines.steps import Steps


def build(steps: Steps) -> sfn.IChainable:
    """The machine; it begins at Ship."""
    expire = steps.call("Expire", "ship", "Nobody shipped in time: take the work back")
    ship = steps.wait("Ship", "ship", "Released to its location; goes on when something ships", days=30, on={"States.Timeout": expire})
    deliver = steps.wait(
        "Deliver",
        "ship",
        "On its way; ends when all parcels are delivered",
        on={"ReturnedToSender": steps.raising("Deliver")},
        ends=True,
    )
    clock = steps.clock("Wait for the clock", "Nobody confirms delivery: assumed after some days", deliver)
    steps.router(
        {
            "ship": ship,
            "hold": steps.wait("Wait for release", "ship", "Held: goes on when the last hold is released"),
            "secure_payment": steps.call(
                "Secure payment",
                "capture_payment",
                "Its share is not covered: authorize again before it ships",
                asks_gateway=True,
            ),
            "capture_payment": steps.call(
                "Capture payment", "capture_payment", "Invoice what shipped and capture exactly that", asks_gateway=True
            ),
            "wait_for_clock": clock,
            "deliver": deliver,
            "expire": expire,
            "rejected": steps.done("Rejected", "The location refused; the lines go elsewhere"),
            "cancelled": steps.done("Cancelled", "Nothing is left to ship"),
            "expired": steps.done("Expired", "Taken back from the location"),
            "delivered": steps.done("Delivered", "Everything had arrived already"),
        }
    )
    return ship
