"""A hold as callers ask for it: with an order, or later."""

# Annotations are no texts in this module: pydantic would compile each of them at every cold start.

from typing import Literal

from pydantic import Field

from oms.wire import Key, Moment, Text, Wire


class HoldRequest(Wire):
    """A reason to wait, and what waits. `release_by`: the scope, or the role, that may release it; without one, whoever has
    service.write."""

    kind: Key
    reason: Text
    blocks: list[Literal["allocate", "ship", "capture"]] = Field(["allocate"], min_length=1, max_length=3)
    release_by: Key | None = None
    expires_at: Moment | None = None
