"""Card data never comes here: what looks like a card number is refused where a token is asked for, and not repeated in the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from oms.wire import Name

_LENGTHS = range(13, 20)
"""ISO/IEC 7812: how many digits a card number has."""


def is_card_number(text: str) -> bool:
    """Whether it is 13 to 19 digits, blanks and dashes aside, with the check digit of a card number (Luhn)."""
    digits = text.replace(" ", "").replace("-", "")
    if len(digits) not in _LENGTHS or not (digits.isascii() and digits.isdigit()):
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _no_card(text: str) -> str:
    if is_card_number(text):
        raise ValueError("this looks like a card number; send the gateway's token for the card, never the card itself")
    return text


Token = Annotated[Name, AfterValidator(_no_card)]
