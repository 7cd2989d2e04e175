"""`Idempotency-Key`: per client and route, kept 30 days, stored as digest and result, never as the body (design section 9)."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

from oms.errors import Invalid
from oms.storage.claims import claim_of

_KEPT_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class Request:
    """Who asks for what: enough to recognise the same request again. `key` is empty when the caller sent none."""

    client: str
    route: str
    key: str
    digest: str

    @property
    def name(self) -> str:
        """The unique name of this key."""
        return f"key#{self.client}#{self.route}#{self.key}"

    def record(self, **result: Any) -> dict[str, Any] | None:
        """The item that claims the key, to ride in the transaction of its effect; None without a key."""
        if not self.key:
            return None
        return {"pk": self.name, "sk": "claim", "v": 1, "digest": self.digest, "ttl": int(time.time()) + _KEPT_SECONDS, **result}

    def earlier(self) -> dict[str, Any] | None:
        """What the key was used for before, or None. Invalid if that was another body."""
        known = claim_of(self.name) if self.key else None
        if known and known["digest"] != self.digest:
            raise Invalid("this Idempotency-Key was used with another body; use a new key for a new request", kind="idempotency-key-reused")
        return known


def digest_of(body: Any) -> str:
    """A body's digest."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()[:32]
