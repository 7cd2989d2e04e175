"""What functions are called with, HTTP and events, and what they answer."""

import gc

_USUAL = gc.get_threshold()
# A function begins by importing, and nothing of that is garbage: looking for some again and again takes a tenth of a cold start.
gc.set_threshold(200_000, *_USUAL[1:])


def imported() -> None:
    """A function has all that it needs in memory: garbage is collected as usual, without looking at what is there for good."""
    gc.freeze()
    gc.set_threshold(*_USUAL)
