"""The return machine: approve, wait for the goods, settle. A label is bought in between, when one is asked for.

A return approved by rule and received: Approve, Next, Wait for goods, Next, Return, Next, Settled.
"""

from __future__ import annotations

from aws_cdk import aws_stepfunctions as sfn

from infra.parts.machines.steps import Steps


def build(steps: Steps) -> sfn.IChainable:
    """The machine; it begins at Approve."""
    approve = steps.wait("Approve", "return_order", "By rule at once, or by an agent", days=30)
    expire = steps.call("Expire", "return_order", "The goods never came: close the return")
    steps.router(
        {
            "approve": approve,
            "wait_for_goods": steps.wait(
                "Wait for goods", "return_order", "Approved; goes on when the goods are received", on={"States.Timeout": expire}
            ),
            "buy_label": steps.call("Buy label", "return_order", "Buy the label for the way back, then wait for the goods"),
            "return": steps.call("Return", "return_order", "Settle: credit memo, refund, restock", asks_gateway=True),
            "expire": expire,
            "settled": steps.done("Settled", "The customer has the money back"),
            "rejected": steps.done("Rejected", "The return was not approved"),
            "cancelled": steps.done("Cancelled", "The customer or an agent took the request back"),
            "expired": steps.done("Expired", "The goods never came"),
        }
    )
    return approve
