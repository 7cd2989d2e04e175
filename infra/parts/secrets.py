"""The signing secrets of incoming webhooks, one per sender, and our keys at payment gateways."""

from __future__ import annotations

from aws_cdk import RemovalPolicy, SecretValue
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

PREFIX = "oms/webhooks/"
SENDERS = (
    "carriers/standard",
    "carriers/sandbox",
    "payments/sandbox",
    "payments/stripe",
    "links/payment",
    "links/tracking",
    "quotes/service",
)
GATEWAYS_PREFIX = "oms/gateways/"
GATEWAYS = ("stripe",)


class WebhookSecrets(Construct):
    """Named secrets `oms/webhooks/<kind>/<sender>`. Functions are granted them by name, see grants.py."""

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        for sender in SENDERS:
            secretsmanager.Secret(
                self,
                sender.replace("/", "-"),
                secret_name=PREFIX + sender,
                description=f"What {sender} signs with; several separated by blanks while rotating",
                # 32 letters and digits are valid base64 (24 bytes), which is what a Standard Webhooks secret is.
                generate_secret_string=secretsmanager.SecretStringGenerator(password_length=32, exclude_punctuation=True),
                removal_policy=removal,
            )


class GatewaySecrets(Construct):
    """Named secrets `oms/gateways/<gateway>`: JSON objects with our keys there, put by hand. Until then they are empty, and closed."""

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        for gateway in GATEWAYS:
            secretsmanager.Secret(
                self,
                gateway,
                secret_name=GATEWAYS_PREFIX + gateway,
                description='Our keys: {"api_key": "...", "multicapture": true if the account has it}',
                secret_string_value=SecretValue.unsafe_plain_text("{}"),  # no secret: the template says that there is none yet
                removal_policy=removal,
            )
