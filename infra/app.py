"""The CDK app: one stack, `Oms`, for AWS and (with the context `target=local`) for the embedded engine.

The two differ in five arguments only: who uploads the assets, what happens to data when the stack is deleted, what the dependencies
layer holds, whether files are taken over TLS only (the engine has none), and whether a grant names the stream that may be read (the
engine looks for a grant of any). The template is otherwise the same.
"""

from __future__ import annotations

import aws_cdk as cdk

from infra import ROOT
from infra.parts.clients import clients
from infra.parts.identity import SCOPES
from infra.parts.layers import LayerFolders, build
from infra.stack import OmsStack

AT_HOME = "http://localhost:3000/"
"""Where customers who have signed in are taken back to unless the context `customer_callback_urls` names the shop's own pages."""


def compose(app: cdk.App, layers: LayerFolders, *, local: bool) -> OmsStack:
    """The stack as it is deployed to the local engine or to AWS."""
    return OmsStack(
        app,
        "Oms",
        layers=layers,
        # On AWS data outlives the stack, unless the stack's very first deployment fails.
        removal=cdk.RemovalPolicy.DESTROY if local else cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        callback_urls=str(app.node.try_get_context("customer_callback_urls") or AT_HOME).split(","),
        clients=clients(app.node.try_get_context("clients"), SCOPES),
        tls_only=not local,
        any_stream=local,
        # The engine enforces IAM and refuses the bootstrap roles; the caller's own credentials upload the assets there.
        synthesizer=cdk.CliCredentialsStackSynthesizer() if local else cdk.DefaultStackSynthesizer(),
        description="Order management: capture, fulfillment, delivery, service",
    )


def main() -> None:
    """Build the layers and synthesise; the CDK CLI runs this (see cdk.json)."""
    app = cdk.App()
    local = app.node.try_get_context("target") == "local"
    compose(app, build(ROOT / "layers", ROOT / ".oms" / "build", local=local), local=local)
    app.synth()


if __name__ == "__main__":
    main()
