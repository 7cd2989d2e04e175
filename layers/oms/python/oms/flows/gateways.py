"""The payment gateways of this installation."""

from __future__ import annotations

from oms.payments.gateway import Gateways
from oms.payments.sandbox import Sandbox

GATEWAYS: Gateways = {"sandbox": Sandbox()}
