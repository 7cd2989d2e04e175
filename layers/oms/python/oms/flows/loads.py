"""Asking for a load, and deciding about it. Stockkeeper does the work (load_run), brought there by the facts written here."""

from __future__ import annotations

from collections.abc import Callable

from oms.clock import stamp
from oms.errors import Conflict, Fault, invalid
from oms.flows.idempotency import Request
from oms.ids import new_id
from oms.inventory.loads import Load, LoadRequest, load_id_of
from oms.storage import loads as stored
from oms.storage.environment import environment
from oms.storage.table import Lost

MOST_BYTES = 256 * 1024 * 1024
_FOLDER = "loads/"
_ATTEMPTS = 8
Done = tuple[Load, bool]
"""A load, and whether it was there before."""


def request_load(request: LoadRequest, asked: Request) -> Done:
    """Ask for a load of a file, or for a preview of it. One version of a file is one load, however often it is asked for; a preview is
    made again, unless the Idempotency-Key is the same. Invalid for a source that is not in our bucket or cannot be read; Conflict if
    this version was asked for with another limit."""
    earlier = asked.earlier()
    if earlier:
        return stored.load(str(earlier["subject"])), True
    bucket, _, key = request.source.removeprefix("s3://").partition("/")
    if bucket != environment().loads_bucket or not key.startswith(_FOLDER):
        raise invalid(Fault(f"put the file under s3://{environment().loads_bucket}/{_FOLDER} and name it so", "/source"))
    try:
        version, size = stored.version_of(bucket, key)
    except stored.Gone as error:
        raise invalid(Fault(f"there is no such file, or it may not be read: {error.detail}", "/source")) from error
    if not 0 < size <= MOST_BYTES:
        raise invalid(Fault(f"the file has {size} bytes; 1 to {MOST_BYTES} can be loaded at once", "/source"))
    now = stamp()
    load = Load(
        id=new_id("load") if request.preview else load_id_of(request.source, version),
        phase="check" if request.preview or request.max_change_percent is not None else "apply",
        bucket=bucket,
        key=key,
        version_id=version,
        size=size,
        preview=request.preview,
        max_change_percent=request.max_change_percent,
        requested_at=now,
        requested_by=f"client:{asked.client}",
        updated_at=now,
    )
    return _create(load, asked)


def act(load_id: str, action: str, asked: Request, if_match: str | None = None) -> Done:
    """approve, cancel or revert a load. NotFound for an unknown one, Stale unless it is at the version of `if_match`, Conflict when that
    is not possible in its state."""
    for _ in range(_ATTEMPTS):
        earlier = asked.earlier()
        load = stored.load(load_id)
        if earlier:
            return load, True
        load.expect(if_match)
        load.updated_at = stamp()
        fact = load.act(action, load.updated_at)
        if fact is None:
            return load, False
        try:
            stored.save(load, f"client:{asked.client}", asked.key or action, [(fact, {})], asked.record(status=200, subject=load.id))
        except Lost:
            continue
        return load, False
    raise Lost(f"{load_id} changes too often; try again")


def _create(load: Load, asked: Request) -> Done:
    record: Callable[[], dict[str, object] | None] = lambda: asked.record(status=202, subject=load.id)  # noqa: E731
    fact = ("load.requested", {"source": load.source, "preview": load.preview})
    try:
        stored.save(load, load.requested_by, asked.key or asked.route, [fact], record())
    except Lost:
        known = stored.find(load.id)
        earlier = asked.earlier()
        if earlier:
            return stored.load(str(earlier["subject"])), True
        if known is None:
            raise
        if known.max_change_percent != load.max_change_percent:
            raise Conflict(
                f"{known.id} loads this very file with max_change_percent {known.max_change_percent}; approve or cancel that one, "
                "or put the file there again"
            ) from None
        return known, True
    return load, False
