"""Which shards have unanswered lines: Assemble writes it before the results, and who reads rows finds the lines by it."""

from collections.abc import Iterable

import msgspec

from batchyard.adapters.bucket import Bucket
from batchyard.domain import object_keys
from batchyard.domain.errors import NotFound
from batchyard.domain.shard import Shard


class UnansweredShard(msgspec.Struct, frozen=True, array_like=True):
    """A shard with unanswered lines: its first and last position, and the version by which the run of these lines is named."""

    shard: int
    first: int
    last: int
    version: int


def put_unanswered_shards(bucket: Bucket, batch_id: str, shards: Iterable[Shard]) -> None:
    """Write which of the shards have unanswered lines."""
    found = [UnansweredShard(each.shard, each.first, each.last, each.version) for each in shards if each.unfinished]
    bucket.put(object_keys.unanswered_shards(batch_id), msgspec.msgpack.encode(found))


def unanswered_shards(bucket: Bucket, batch_id: str) -> list[UnansweredShard]:
    """Return the shards with unanswered lines; none before Assemble has begun."""
    try:
        data = bucket.get(object_keys.unanswered_shards(batch_id))
    except NotFound:
        return []
    return msgspec.msgpack.decode(data, type=list[UnansweredShard])
