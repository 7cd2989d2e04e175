"""For all kinds of tests. Builders of orders are in tests/support/orders.py; sockets are off unless a test asks for them."""

from __future__ import annotations

import os

import moto.core  # noqa: F401 before the product makes its session: what stands in for AWS is part of those that are made later

# A test that forgets to stand in for AWS must not find anybody's account.
os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
