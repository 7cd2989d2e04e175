"""What a merchant sets: locations, channels, delivery methods, reasons, rules of routing and returns, roles, customers' accounts."""

from __future__ import annotations

from typing import Any

from oms.api.http import Answer, create_api, json_body, parsed, reply
from oms.api.observe import observed
from oms.errors import NotFound
from oms.flows.settings import change_setting
from oms.settings import KINDS, SINGLE, model_of
from oms.storage.settings import setting

app = create_api()


@app.put("/v1/<kind>/<key>")
@app.put("/v1/routing/<kind>/<key>")
def put(kind: str, key: str) -> Answer:
    """Set the whole of one setting; setting it again to the same changes nothing."""
    stored = change_setting(kind, key, parsed(json_body(app), _model(kind)))
    return reply(200, {"id": key, **_shown(kind, stored)})


@app.get("/v1/<kind>/<key>")
@app.get("/v1/routing/<kind>/<key>")
def get(kind: str, key: str) -> Answer:
    """One setting."""
    values = setting(kind, key)
    if values is None:
        raise NotFound(f"{kind} has no '{key}'")
    return reply(200, {"id": key, **_shown(kind, values)})


def _shown(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = model_of(kind, stored=True)(**values).model_dump()
    return shown


def _model(kind: str) -> Any:
    known = (*KINDS, *SINGLE)
    if kind not in known:
        raise NotFound(f"there are no settings '{kind}'; there are {', '.join(known)}")
    return model_of(kind)


@observed
def handler(event: dict[str, Any], context: Any) -> Any:
    """HTTP event."""
    return app.resolve(event, context)
