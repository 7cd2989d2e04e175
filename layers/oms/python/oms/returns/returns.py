"""Returns: announce, approve, receive, settle. What is paid back is the frozen value of exactly the units that arrived (design 4, 5).

This is the door of the package: what others do with returns, by name.
"""

from __future__ import annotations

from oms.returns.announcing import request_return
from oms.returns.lifecycle import approve, cancel, close, expire, reject
from oms.returns.receiving import receive
from oms.returns.requests import LabelRequest, ReasonRequest, ReceiveRequest, ReturnRequest
from oms.returns.settling import charge, credit, next_round, settle
from oms.returns.states import change_status, confirmed, find, returnable, unsettled

__all__ = [
    "LabelRequest",
    "ReasonRequest",
    "ReceiveRequest",
    "ReturnRequest",
    "approve",
    "cancel",
    "change_status",
    "charge",
    "close",
    "confirmed",
    "credit",
    "expire",
    "find",
    "next_round",
    "receive",
    "reject",
    "request_return",
    "returnable",
    "settle",
    "unsettled",
]
