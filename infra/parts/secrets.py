"""The signing secrets of incoming webhooks, one per sender."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

PREFIX = "oms/webhooks/"
SENDERS = ("carriers/standard", "carriers/sandbox", "payments/sandbox", "links/payment")


class WebhookSecrets(Construct):
    """Named secrets `oms/webhooks/<kind>/<sender>`. Functions are granted them by name, see grants.py."""

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        for sender in SENDERS:
            secretsmanager.Secret(
                self,
                sender.replace("/", "-"),
                secret_name=PREFIX + sender,
                description=f"Standard Webhooks secret of {sender}; several separated by blanks while rotating",
                # 32 letters and digits are valid base64 (24 bytes), which is what a Standard Webhooks secret is.
                generate_secret_string=secretsmanager.SecretStringGenerator(password_length=32, exclude_punctuation=True),
                removal_policy=removal,
            )
