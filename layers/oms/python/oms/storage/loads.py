"""Loads: their record, the file in S3, and the logs and reports that they write there.

where                                       what
orders table, pk load_..., sk state#load    the load; while it works in the list `loads`, by time
orders table, pk load_..., sk timeline#...  one entry per commit that is a fact
bucket, loads/...                           files to load, put there by whoever sends stock; this product never writes there
bucket, reports/load_.../applied-00001      log of one stretch of the file: what was applied, so that it can be reverted
bucket, reports/load_.../refused-00001      what was refused of that stretch
bucket, reports/load_.../refused.jsonl      all that was refused
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from oms.errors import NotFound, Refused
from oms.inventory.counts import Movement
from oms.inventory.loads import Load
from oms.inventory.stock import Stock
from oms.orders.records import Entry
from oms.storage.clients import client
from oms.storage.codec import encode
from oms.storage.effects import row_key
from oms.storage.environment import environment
from oms.storage.lists import listed
from oms.storage.shards import stock_row, whole
from oms.storage.table import Cancelled, Lost, Write, get, get_many, write

_STATE = "state#load"
_WORKING = "loads"
_GONE = {"NoSuchKey", "NoSuchVersion", "404", "403", "AccessDenied", "NoSuchBucket", "MethodNotAllowed"}
Fact = tuple[str, dict[str, Any]]


class Gone(Refused):
    """A file that cannot be read (any more)."""


def find(load_id: str) -> Load | None:
    """A load, strongly consistent, or None."""
    row = get(environment().orders_table, load_id, _STATE)
    return Load.model_validate(row) if row else None


def load(load_id: str) -> Load:
    """The same; NotFound if there is none."""
    found = find(load_id)
    if found is None:
        raise NotFound(f"there is no load '{load_id}'")
    return found


def save(changed: Load, actor: str, cause: str, facts: Sequence[Fact] = (), key: dict[str, Any] | None = None) -> None:
    """Write a load, its facts and the idempotency record `key`, if nobody else has written it. Lost otherwise."""
    table, seen = environment().orders_table, changed.v
    item = {"pk": changed.id, "sk": _STATE, **changed.model_dump(exclude={"v"}, exclude_defaults=True), "v": seen + 1}
    if changed.working:
        item |= {"list": _WORKING, "at": f"{changed.requested_at}#{changed.id}"}
    writes = [Write(table, encode(item), "v = :v" if seen else "attribute_not_exists(pk)", encode({":v": seen}) if seen else {})]
    if facts:
        known = [{"type": name, "data": {"load_id": changed.id, **data}} for name, data in facts]
        entry = Entry.model_validate({"sequence": seen + 1, "at": changed.updated_at, "actor": actor, "cause": cause, "facts": known})
        sk = f"timeline#{changed.updated_at}#{seen + 1:08d}"
        writes.append(Write(table, encode({"pk": changed.id, "sk": sk, **entry.model_dump()}), "attribute_not_exists(pk)"))
    if key:
        writes.append(Write(table, encode(key), "attribute_not_exists(pk)"))
    try:
        write(writes)
    except Cancelled as error:
        raise Lost(f"{changed.id} changed meanwhile") from error
    changed.v = seen + 1


def working(until: str) -> list[str]:
    """Loads that are at work and were asked for before a time, oldest first."""
    return [row["pk"] for row in listed(_WORKING, newest_first=False, limit=100, until=until)]


def version_of(bucket: str, key: str) -> tuple[str, int]:
    """The present version of a file and its size in bytes. Gone if there is none that may be read."""
    answer = _s3("head_object", Bucket=bucket, Key=key)
    return str(answer["VersionId"]), int(answer["ContentLength"])


def block(of: Load, length: int) -> bytes:
    """The next bytes of the file, of the very version that was asked for, from where the load is. Gone if it is kept no more."""
    span = f"bytes={of.offset}-{min(of.offset + length, of.size) - 1}"
    body: bytes = _s3("get_object", Bucket=of.bucket, Key=of.key, Range=span, VersionId=of.version_id)["Body"].read()
    return body


def put_log(of: Load, kind: str, part: int, rows: Iterable[dict[str, Any]]) -> None:
    """The log of one stretch; putting it again replaces it by the same."""
    _put(_log(of, kind, part), "".join(json.dumps(row) + "\n" for row in rows))


def log(of: Load, kind: str, part: int) -> list[dict[str, Any]]:
    """The log of one stretch; Gone if it is kept no more."""
    body = _s3("get_object", Bucket=environment().loads_bucket, Key=_log(of, kind, part))["Body"].read()
    return [json.loads(row) for row in body.splitlines()]


def put_report(of: Load, kind: str, rows: Iterable[dict[str, Any]]) -> str:
    """A report for people; its address."""
    key = f"reports/{of.id}/{kind}.jsonl"
    _put(key, "".join(json.dumps(row) + "\n" for row in rows))
    return f"s3://{environment().loads_bucket}/{key}"


def rows_of(places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stock]:
    """Stock at these (SKU, location) that was ever counted there, a hundred in one call."""
    found = get_many(environment().inventory_table, [row_key(*place) for place in sorted(set(places))])
    return {(row.sku, row.location_id): row for row in (whole(stock_row(item)) for item in found)}


def claims_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Which of these unique names are taken, and by what."""
    keys = [{"pk": name, "sk": "claim"} for name in sorted(set(names))]
    return {item["pk"]: item for item in get_many(environment().orders_table, keys)}


def movement_at(sku: str, location_id: str, at: str, cause: str) -> Movement | None:
    """One movement."""
    row = get(environment().inventory_table, f"sku#{sku}", f"moved#{location_id}#{at}#{cause}")
    if row is None:
        return None
    known = {name: row[name] for name in Movement.model_fields if name in row}
    return Movement(**{**known, "sku": sku, "location_id": location_id, "at": at, "cause": cause})


def _log(of: Load, kind: str, part: int) -> str:
    return f"reports/{of.id}/{kind}-{part:05d}"


def _put(key: str, text: str) -> None:
    client("s3").put_object(Bucket=environment().loads_bucket, Key=key, Body=text.encode(), ContentType="application/x-ndjson")


def _s3(call: str, **given: Any) -> Any:
    try:
        return getattr(client("s3"), call)(**given)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            raise Gone(f"s3://{given['Bucket']}/{given['Key']} cannot be read ({code})", kind="no-such-file") from error
        raise
