"""Find custom_ids that are used twice in a batch of any number of lines, in bounded memory."""

import heapq
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

from batchyard.splitting import ShardLines

MOST_AT_ONCE: Final = 8_000_000  # hashes held at a time, 8 bytes each; more lines take more passes
FEW: Final = 400_000  # hashes compared at a time

Shards = Callable[[], Iterable[ShardLines]]


class Duplicate(NamedTuple):
    """A line whose custom_id an earlier line has: its position, and the offset of its first byte in the input."""

    position: int
    offset: int
    custom_id: str


def repeats(shards: Shards, lines: int) -> Iterator[tuple[ShardLines, "array[int]"]]:
    """Yield each shard that has lines whose custom_id was used before in the input, with those lines' ordinals.

    `shards` begins a new pass over the lists of `lines` lines. Hashes are compared first; what they say is checked against
    the text, so two ids that only hash alike are not confused.
    """
    suspects = _suspects(shards, lines)
    if not suspects:
        return
    first: dict[str, int] = {}
    for shard in shards():
        for at, custom_id in enumerate(shard.custom_ids):
            if hash(custom_id) in suspects:
                position = shard.positions[at]
                first[custom_id] = min(position, first.get(custom_id, position))
    for shard in shards():
        suspected = (at for at, custom_id in enumerate(shard.custom_ids) if custom_id in first)
        ordinals = array("I", (at for at in suspected if first[shard.custom_ids[at]] != shard.positions[at]))
        if ordinals:
            yield shard, ordinals


def earliest(found: Iterable[tuple[ShardLines, "array[int]"]], most: int) -> list[Duplicate]:
    """List the first lines in input order of those found, at most so many."""
    return heapq.nsmallest(
        most,
        (
            Duplicate(shard.positions[ordinal], shard.offsets[ordinal], shard.custom_ids[ordinal])
            for shard, ordinals in found
            for ordinal in ordinals
        ),
    )


def _suspects(shards: Shards, lines: int) -> set[int]:
    """List the hashes that occur more than once."""
    if lines <= FEW:
        return _repeated(lambda: chain.from_iterable(map(hash, shard.custom_ids) for shard in shards()), lines)
    passes = 1 + lines // MOST_AT_ONCE
    count = 1 + lines // passes // FEW
    suspects: set[int] = set()
    for part in range(passes):
        for bucket in _buckets(shards(), count, passes, part):
            suspects |= _repeated(partial(iter, bucket), len(bucket))
    return suspects


def _buckets(shards: Iterable[ShardLines], count: int, passes: int, part: int) -> "list[array[int]]":
    """Sort the hashes that this pass is for into buckets, so that equal ones meet in one."""
    buckets = [array("q") for _ in range(count)]
    appends = [bucket.append for bucket in buckets]
    for shard in shards:
        for each in map(hash, shard.custom_ids):
            if each % passes == part:
                appends[(each >> 16) % count](each)
    return buckets


def _repeated(hashes: Callable[[], Iterable[int]], count: int) -> set[int]:
    """List which of `count` hashes occur more than once; nearly always none."""
    seen = set(hashes())
    if len(seen) == count:
        return set()
    repeated = set()
    for each in hashes():
        if each in seen:
            seen.remove(each)
        else:
            repeated.add(each)
    return repeated
