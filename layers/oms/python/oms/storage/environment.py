"""The functions' environment as a typed model, read once. CDK passes exactly the names that a function needs; a test compares the two."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

import os
from functools import cache

from oms.stored import Stored


class Environment(Stored):
    """Names of everything outside the process. What a function does not use stays empty there."""

    orders_table: str = ""
    inventory_table: str = ""
    settings_table: str = ""
    order_machine_arn: str = ""
    fulfillment_machine_arn: str = ""
    return_machine_arn: str = ""
    change_machine_arn: str = ""
    event_bus: str = ""
    parked_queue_url: str = ""
    books_queue_url: str = ""
    webhook_secrets: str = ""
    gateway_secrets: str = ""
    loads_bucket: str = ""
    inventory_stream: str = ""

    def machine_arn(self, machine: str) -> str:
        """The state machine of that name: order, fulfillment, return or change."""
        return str(getattr(self, f"{machine}_machine_arn"))


@cache
def environment() -> Environment:
    """This process's environment."""
    return Environment(**{name: os.environ.get(name.upper(), "") for name in Environment.model_fields})
