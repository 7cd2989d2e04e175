"""What the engine is taught before it runs."""

from __future__ import annotations

import traceback

import pytest

from infra.local.process import raised
from oms.errors import Retryable
from oms.payments.gateway import PaymentDeclined


def log_of(error: Exception, because: Exception | None = None) -> str:
    """What a function that raised this wrote last."""
    try:
        raise error from because
    except Exception:
        return '{"level": "INFO", "message": "begun"}\n' + traceback.format_exc()


@pytest.mark.parametrize(
    ("log", "name"),
    [
        (log_of(PaymentDeclined("no\nfunds: none")), "PaymentDeclined"),
        (log_of(Retryable("lost a race"), KeyError("x")), "Retryable"),
        (log_of(ValueError()), "ValueError"),
        (log_of(PaymentDeclined("once")) + log_of(KeyError("then")), "KeyError"),
        ("Task timed out after 30.00 seconds", None),
        ("", None),
    ],
)
def test_the_class_of_an_error_is_read_off_its_traceback(log: str, name: str | None) -> None:
    assert raised(log) == name
