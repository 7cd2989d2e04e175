"""Raise exception: the failure of any step becomes a record that somebody decides on."""

from __future__ import annotations

from typing import Any

from oms.api.observe import observed
from oms.flows.exceptions import raise_exception


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A Step Functions task with a token, in every machine."""
    return {"exception_id": raise_exception(event)}
