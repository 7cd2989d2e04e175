"""What AWS charges in us-east-1, in USD, without free tiers and volume discounts. One place, with its date."""

from __future__ import annotations

from decimal import Decimal

AS_OF = "2025-07"
"""When these were the published prices. DynamoDB's are those after the cut of November 2024."""

MILLION = Decimal(1_000_000)

STATE_TRANSITION = Decimal("25.00") / MILLION  # Step Functions, Standard workflows
LAMBDA_REQUEST = Decimal("0.20") / MILLION
LAMBDA_GB_SECOND = Decimal("0.0000133334")  # arm64
WRITE_UNIT = Decimal("0.625") / MILLION  # DynamoDB on demand, standard table class
READ_UNIT = Decimal("0.125") / MILLION
HTTP_API_CALL = Decimal("1.00") / MILLION  # API Gateway HTTP API, up to 512 KB each
CUSTOM_EVENT = Decimal("1.00") / MILLION  # EventBridge, up to 64 KB each
LOG_BYTE = Decimal("0.50") / 10**9  # CloudWatch Logs, ingestion
TRACE = Decimal("5.00") / MILLION  # X-Ray, recorded
TRACED_SHARE = Decimal("0.05")  # Lambda's default sampling, beyond the first request of a second

NOT_COUNTED = (
    "SQS: nothing is parked in a life that goes well",
    "DynamoDB streams: reads by Lambda are free",
    "Secrets Manager: a secret is read once per process of a webhook function, 5 USD for a million reads",
    "Cognito: one token serves an hour of calls",
    "reads by callers (GET), storage, backups, data transfer and reconcile's runs: they do not grow with each life alone",
)
