"""A running local stack: what the commands, the end-to-end tests and the benchmark work with."""

from __future__ import annotations

import re
from collections.abc import Iterable

from infra.local import secrets, tokens
from infra.local.aws import Aws
from infra.local.client import Api
from infra.local.deploy import outputs
from infra.local.engine import Engine
from infra.local.settings import Local
from infra.local.trouble import Trouble

_API_ID = re.compile(r"//([a-z0-9]+)\.execute-api")


class Stack:
    """The deployed stack on a running engine."""

    def __init__(self, local: Local, aws: Aws | None = None) -> None:
        self.local = local
        self.aws = aws or Aws(local)
        self.outputs = outputs(self.aws)
        if "ApiUrl" not in self.outputs:
            raise Trouble("The engine runs, but the stack is not deployed in it. Deploy it with: make start")

    @classmethod
    def running(cls, local: Local) -> Stack:
        """The stack that is up now; Trouble if none is."""
        running = Engine(local).running()
        if running is None:
            raise Trouble("No stack is running. Start one with: make start (or: oms start --detach)")
        return cls(Local(home=local.home, port=running.port))

    @property
    def base_url(self) -> str:
        """Where the API answers; paths follow with /v1. The engine routes this form on any machine, without name resolution."""
        found = _API_ID.search(self.outputs["ApiUrl"])
        if found is None:
            raise Trouble(f"The stack's output ApiUrl is '{self.outputs['ApiUrl']}', which names no API. Deploy again with: make start")
        return f"{self.local.engine_url}/_aws/execute-api/{found[1]}/$default"

    def token(self, scopes: Iterable[str] = (), client: str = "operator") -> str:
        """An access token of a machine's client; all its scopes unless some are named. Trouble if there is no such client."""
        return tokens.token(self.local, self.aws, self.outputs["UserPoolId"], self.client_id(client), scopes)

    def client_id(self, name: str) -> str:
        """The id of a client of the user pool: operator, customers, or one of the context `clients` of cdk.json."""
        own = "".join(part.capitalize() for part in name.split("-")) + "ClientId"
        found = self.outputs.get("ClientId" if name == "operator" else own)
        if found is None:
            raise Trouble(f"The stack has no client '{name}'. Clients are in cdk.json (context, clients); deploy again with: make start")
        return found

    def api(self, scopes: Iterable[str] = (), client: str = "operator") -> Api:
        """A client of the API with a token of its own. Not for several threads at once: make one for each."""
        wanted = tuple(scopes)
        return Api(self.base_url, lambda: self.token(wanted, client))

    def webhook_secret(self, name: str) -> str:
        """The secret that incoming webhooks of `name` (for example carriers/standard) are signed with."""
        return secrets.read(self.local)[name]

    def machines(self) -> dict[str, str]:
        """ARNs of the state machines by name (order, fulfillment, return)."""
        return {key.removesuffix("MachineArn").lower(): arn for key, arn in self.outputs.items() if key.endswith("MachineArn")}

    def executions(self) -> dict[str, dict[str, int]]:
        """How many executions each machine has, by status."""
        counts: dict[str, dict[str, int]] = {}
        for name, arn in self.machines().items():
            counts[name] = {}
            for page in self.aws.states.get_paginator("list_executions").paginate(stateMachineArn=arn):
                for execution in page["executions"]:
                    status = execution["status"]
                    counts[name][status] = counts[name].get(status, 0) + 1
        return counts
