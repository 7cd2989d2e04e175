"""The stream of the inventory table, read directly: it costs a sale nothing and needs no function that listens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from oms.inventory.changes import START, Shard, too_old
from oms.storage.clients import client
from oms.storage.environment import environment

_PAGE = 1000
_EMPTY_PAGES = 3
"""An open shard may answer with nothing although something follows; after so many in a row it has nothing."""
Place = tuple[str, str]
Record = tuple[str, Place | None]
"""The number of a change, and the (SKU, location) whose stock it concerns."""


def shards() -> list[Shard]:
    """The shards that the stream has now."""
    found: list[Shard] = []
    more: dict[str, str] = {}
    while True:
        answer = client("dynamodbstreams").describe_stream(StreamArn=environment().inventory_stream, **more)["StreamDescription"]
        found += [Shard(shard["ShardId"], shard.get("ParentShardId", "")) for shard in answer["Shards"]]
        if not answer.get("LastEvaluatedShardId"):
            return found
        more = {"ExclusiveStartShardId": answer["LastEvaluatedShardId"]}


def pages(shard: str, after: str) -> Iterator[tuple[list[Record], bool]]:
    """A shard's changes after a position, page by page, each with whether the shard ends there. Refused (410) if they are kept no more."""
    where = {"ShardIteratorType": "TRIM_HORIZON"} if after == START else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER"}
    if after != START:
        where["SequenceNumber"] = after
    iterator = _call("get_shard_iterator", StreamArn=environment().inventory_stream, ShardId=shard, **where)["ShardIterator"]
    empty = 0
    while iterator and empty < _EMPTY_PAGES:
        answer = _call("get_records", ShardIterator=iterator, Limit=_PAGE)
        iterator = answer.get("NextShardIterator")
        records = [(str(record["dynamodb"]["SequenceNumber"]), _place(record["dynamodb"]["Keys"])) for record in answer["Records"]]
        empty = 0 if records else empty + 1
        yield records, not iterator


def _place(keys: dict[str, Any]) -> Place | None:
    pk, sk = keys["pk"]["S"], keys["sk"]["S"]
    return (pk.split("#")[1], sk.removeprefix("stock#")) if pk.startswith("sku#") and sk.startswith("stock#") else None


def _call(name: str, **given: Any) -> Any:
    try:
        return getattr(client("dynamodbstreams"), name)(**given)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("TrimmedDataAccessException", "ResourceNotFoundException"):
            raise too_old() from error
        raise
