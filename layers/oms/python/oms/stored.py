"""Base of everything that is kept or computed, as against `wire.Wire`, which is what callers send."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Stored(BaseModel):
    """A shape of our own. Its validator is built when it is first used: a function pays for the shapes it needs, not for all it imports."""

    model_config = ConfigDict(defer_build=True)
