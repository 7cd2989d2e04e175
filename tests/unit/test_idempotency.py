"""`Idempotency-Key`: the same request is recognised, another body under the same key is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oms.errors import Invalid
from oms.flows import idempotency
from oms.flows.idempotency import Request, digest_of

ASKED = Request(client="shop", route="POST /v1/orders", key="k-1", digest="d-1")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The claims that storage knows."""
    claims: dict[str, Any] = {}
    monkeypatch.setattr(idempotency, "claim_of", claims.get)
    monkeypatch.setattr("time.time", lambda: 1000.0)
    return claims


def test_a_key_is_kept_thirty_days_without_the_body(kept: dict[str, Any]) -> None:
    record = ASKED.record(status=201, order_id="ord_x")
    assert record == {
        "pk": "key#shop#POST /v1/orders#k-1",
        "sk": "claim",
        "v": 1,
        "digest": "d-1",
        "ttl": 1000 + 30 * 86400,
        "status": 201,
        "order_id": "ord_x",
    }


def test_the_same_request_is_recognised(kept: dict[str, Any]) -> None:
    assert ASKED.earlier() is None
    kept[ASKED.name] = ASKED.record(order_id="ord_x")
    assert (ASKED.earlier() or {})["order_id"] == "ord_x"


def test_another_body_under_the_same_key_is_refused(kept: dict[str, Any]) -> None:
    kept[ASKED.name] = ASKED.record()
    with pytest.raises(Invalid, match="used with another body") as caught:
        replace(ASKED, digest="d-2").earlier()
    assert (caught.value.status, caught.value.kind) == (422, "idempotency-key-reused")


@pytest.mark.parametrize("change", [{"client": "other"}, {"route": "POST /v1/orders/ord_x/holds"}, {"key": "k-2"}])
def test_keys_are_told_apart_by_client_and_route(change: dict[str, str], kept: dict[str, Any]) -> None:
    kept[ASKED.name] = ASKED.record()
    assert replace(ASKED, **change).earlier() is None


def test_without_a_key_nothing_is_kept(kept: dict[str, Any]) -> None:
    keyless = replace(ASKED, key="")
    assert (keyless.record(), keyless.earlier()) == (None, None)


def test_a_digest_does_not_depend_on_the_order_of_fields() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": "1"})
