"""The Stripe account of this installation: its keys are in the secret `oms/gateways/stripe`, as {"api_key", "multicapture"?, "api_base"?}.

`multicapture` for accounts on whose plan Stripe allows several captures of one authorization; `api_base` for tests.
"""

from __future__ import annotations

from oms.errors import Retryable
from oms.payments.stripe_gateway import StripeGateway
from oms.storage.secrets import gateway_keys

_kept: dict[str, StripeGateway] = {}
"""By its keys, so that it is made once and new keys are taken up within a minute."""


def stripe() -> StripeGateway:
    """The gateway. Retryable while there is no key: what waits for it goes on when there is one."""
    keys = gateway_keys("stripe")
    if not keys.get("api_key"):
        raise Retryable("Stripe is not configured: put {'api_key': ...} into the secret oms/gateways/stripe")
    name = repr(sorted(keys.items()))
    if name not in _kept:
        _kept.clear()
        _kept[name] = StripeGateway(keys["api_key"], api_base=keys.get("api_base"), multicapture=bool(keys.get("multicapture")))
    return _kept[name]
