"""Clients for the engine's AWS services, as its root user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from infra.local.engine import CREDENTIALS
from infra.local.settings import REGION, Local

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient


# Nothing of the user's own AWS settings is read: neither profile nor files.
_NO_SETTINGS: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Aws:
    """One local engine's services; clients are made when first asked for and kept."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._session: Any = boto3.Session(
            botocore_session=botocore.session.Session(_NO_SETTINGS),
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The boto3 client of any service."""
        if service not in self._clients:
            config = Config(connect_timeout=5, read_timeout=120, proxies={}, retries={"mode": "standard", "total_max_attempts": 2})
            self._clients[service] = self._session.client(service, endpoint_url=self._local.engine_url, config=config)
        return self._clients[service]

    @property
    def cloudformation(self) -> CloudFormationClient:
        """Stacks."""
        client: CloudFormationClient = self.client("cloudformation")
        return client

    @property
    def cognito(self) -> CognitoIdentityProviderClient:
        """The user pool."""
        client: CognitoIdentityProviderClient = self.client("cognito-idp")
        return client

    @property
    def functions(self) -> LambdaClient:
        """Lambda."""
        client: LambdaClient = self.client("lambda")
        return client

    @property
    def logs(self) -> CloudWatchLogsClient:
        """What the functions log."""
        client: CloudWatchLogsClient = self.client("logs")
        return client

    @property
    def parameters(self) -> SSMClient:
        """SSM parameters."""
        client: SSMClient = self.client("ssm")
        return client

    @property
    def secrets(self) -> SecretsManagerClient:
        """Secrets Manager."""
        client: SecretsManagerClient = self.client("secretsmanager")
        return client

    @property
    def states(self) -> SFNClient:
        """Step Functions."""
        client: SFNClient = self.client("stepfunctions")
        return client
