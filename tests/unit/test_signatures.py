"""Standard Webhooks signatures (case F02)."""

from __future__ import annotations

import base64

import pytest

from oms.api.signatures import Unsigned, sign, verify

SECRET, OTHER = ("whsec_" + base64.b64encode(text).decode() for text in (b"a secret of 24 bytes or s", b"another secret, that one "))
BODY, NOW = b'{"type": "tracking.updated"}', 1_800_000_000


def headers(secret: str = SECRET, at: int = NOW, **changed: str) -> dict[str, str]:
    made = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": sign(secret, "msg_1", at, BODY)}
    return made | {f"webhook-{name}": text for name, text in changed.items()}


def accepted(given: dict[str, str], secrets: str = SECRET, body: bytes = BODY) -> bool:
    try:
        return verify(secrets, given, body, now=NOW) == "msg_1"
    except Unsigned:
        return False


def test_a_known_vector_of_the_scheme() -> None:
    # From the specification's reference test: same secret, id, time and body give this signature.
    signature = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signed_body_is_accepted() -> None:
    assert accepted(headers())


@pytest.mark.parametrize("name", ["id", "timestamp", "signature"])
def test_a_missing_header_is_refused_f02(name: str) -> None:
    without = {header: text for header, text in headers().items() if header != f"webhook-{name}"}
    with pytest.raises(Unsigned) as caught:
        verify(SECRET, without, BODY, now=NOW)
    assert caught.value.status == 401


@pytest.mark.parametrize("text", ["now", "", "-1", "1.8e9", "²", "9" * 5000, f" {NOW}"])
def test_a_time_that_is_no_number_is_refused_f02(text: str) -> None:
    assert not accepted(headers(timestamp=text))


@pytest.mark.parametrize(("offset", "good"), [(-301, False), (301, False), (-300, True), (300, True)])
def test_a_message_is_good_for_five_minutes_both_ways_f02(offset: int, good: bool) -> None:
    assert accepted(headers(at=NOW + offset)) is good


def test_one_valid_signature_of_several_is_enough_f02() -> None:
    good = headers()["webhook-signature"]
    assert accepted(headers(signature=f"v1,bm90IGl0 v2,{good[3:]} {good}"))


@pytest.mark.parametrize("signature", ["v2,", "v1a,", ""])
def test_other_versions_do_not_count_f02(signature: str) -> None:
    assert not accepted(headers(signature=signature + headers()["webhook-signature"][3:]))


def test_the_prefix_of_a_secret_may_be_left_out_f02() -> None:
    bare = SECRET.removeprefix("whsec_")
    assert accepted(headers(), secrets=bare)
    assert accepted(headers(secret=bare))


@pytest.mark.parametrize("secrets", ["", " ", "whsec_", "not base64!"])
def test_an_empty_secret_verifies_nothing_f02(secrets: str) -> None:
    assert not accepted(headers(), secrets=secrets)
    assert not accepted(headers(secret=""), secrets=secrets)


def test_any_of_several_secrets_counts_while_they_are_rotated() -> None:
    assert accepted(headers(secret=OTHER), secrets=f"{SECRET} {OTHER}")
    assert not accepted(headers(secret=OTHER))


@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"updated", b"deleted")])
def test_another_body_is_refused(body: bytes) -> None:
    assert not accepted(headers(), body=body)


def test_another_message_id_is_refused() -> None:
    assert not accepted(headers(id="msg_2"))


@pytest.mark.parametrize("signature", ["v1,ä", "v1,===", "v1,", "rubbish"])
def test_rubbish_is_refused_and_not_an_error(signature: str) -> None:
    assert not accepted(headers(signature=signature))
