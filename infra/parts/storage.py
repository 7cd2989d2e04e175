"""The bucket for files of stock: what is to be loaded, and the reports about it."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

LOADS = "loads/"
REPORTS = "reports/"
_KEPT = Duration.days(90)


class LoadsBucket(Construct):
    """`bucket`: merchants put files under loads/, stockkeeper writes under reports/. Private, encrypted, over TLS (`tls_only`).

    Versioned: a load reads the very version it was asked for, also when somebody puts another file there meanwhile.
    """

    def __init__(self, scope: Construct, construct_id: str, *, removal: RemovalPolicy, tls_only: bool) -> None:
        super().__init__(scope, construct_id)
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=tls_only,
            versioned=True,
            removal_policy=removal,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="forget",
                    expiration=_KEPT,
                    noncurrent_version_expiration=_KEPT,
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                )
            ],
        )
