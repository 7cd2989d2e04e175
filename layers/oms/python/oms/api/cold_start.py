"""How a function begins: with importing, which is most of a cold start.

What is imported is kept, so looking for garbage meanwhile finds none; it would take a tenth of the time, and of the first request's too.
"""

from __future__ import annotations

import gc
from importlib import import_module

_USUAL = gc.get_threshold()
_SELDOM = 200_000


def begin() -> None:
    """Before anything else is imported. The SDK comes first, while few imports wait for one another: it compiles large expressions, whose
    calls straddle two chunks of a deep stack, which are then allocated and freed at each of them (30 ms, as measured)."""
    gc.set_threshold(_SELDOM, *_USUAL[1:])
    import_module("oms.storage.clients")


def end() -> None:
    """All is in memory: garbage is collected as usual, without looking at what is there for good."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
