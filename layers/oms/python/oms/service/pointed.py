"""Parts of a request that others serve: what they find wrong is told at the places of the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from oms.errors import Fault, Refused


@contextmanager
def pointed(places: Mapping[str, str]) -> Iterator[None]:
    """Faults of a part of what is done are told at the places of the request that they come from."""
    try:
        yield
    except Refused as error:
        error.errors = [Fault(fault.detail, _moved(fault.pointer, places)) for fault in error.errors]
        raise


def _moved(pointer: str, places: Mapping[str, str]) -> str:
    for old, new in places.items():
        if pointer == old or pointer.startswith(f"{old}/"):
            return new + pointer.removeprefix(old)
    return pointer
