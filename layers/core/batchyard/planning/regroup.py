"""Copy shards whose lines lie scattered over the input into a work object, where each shard is a few long ranges."""

from array import array
from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Final

from batchyard.adapters.object_writer import Writer
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.step import TimeBudget
from batchyard.lines.byte_ranges import near
from batchyard.lines.shard_lines import ShardLines
from batchyard.planning.progress import PlanProgress
from batchyard.services import Services

# A shard is scattered if reading its lines takes more requests than this, or more bytes than MOST_TIMES its own and FEW_BYTES.
MOST_REQUESTS: Final = 1_000
MOST_TIMES, FEW_BYTES = 8, 64 * 1024 * 1024
MOST_LINES: Final = 1_000_000  # of all shards that are copied in one pass over the input
MOST_GATHERED: Final = 48 * 1024 * 1024  # bytes of lines in memory, of all shards together

Line = tuple[int, int, int]  # offset, index of its shard among those that are copied, size


def scattered(shard: ShardLines) -> bool:
    """Tell whether reading the lines of a shard from the input would take far too long."""
    if shard.contiguous:
        return False
    groups = list(near(list(shard.ranges(array("I", range(len(shard)))))))
    read = sum(group[-1][1] - group[0][0] for group in groups)
    return len(groups) > MOST_REQUESTS or read > MOST_TIMES * shard.size + FEW_BYTES


def regroup(services: Services, batch: Batch, source: InputObject, progress: PlanProgress, budget: TimeBudget) -> None:
    """Copy the scattered shards, as many in one pass as memory allows; the progress lists the shards that are left."""
    while progress.scattered:
        budget.check()
        shards = list(_some(services, batch, sorted(progress.scattered)))
        _Copy(services, batch, shards).run(source)
        progress.scattered.difference_update(shard.shard for shard in shards)


def _some(services: Services, batch: Batch, numbers: list[int]) -> Iterator[ShardLines]:
    count = 0
    for number in numbers:
        shard = ShardLines.read(services.bucket, batch.batch_id, number)
        count += len(shard)
        if count > max(MOST_LINES, len(shard)):
            return
        yield shard


class _Copy:
    """One pass over the input, which gathers lines by shard and writes the largest shard's when memory is full."""

    def __init__(self, services: Services, batch: Batch, shards: list[ShardLines]) -> None:
        self._services, self._batch, self._shards = services, batch, shards
        self._held: list[list[bytes]] = [[] for _ in shards]
        self._sizes = [0] * len(shards)
        self._written = [0] * len(shards)
        self._pieces = [array("Q") for _ in shards]

    def run(self, source: InputObject) -> None:
        key = object_keys.plan(self._batch.batch_id, f"regrouped-{self._shards[0].shard:05}.jsonl")
        lines = merge(*(_lines(at, shard) for at, shard in enumerate(self._shards)))
        start = min(shard.offsets[0] for shard in self._shards)
        stop = max(shard.offsets[-1] + shard.sizes[-1] for shard in self._shards)
        with self._services.bucket.writer(key, hashing=False) as writer:
            self._gather(cut(self._services.bucket.chunks(source, start, stop), start, lines), writer)
        copy, _ = self._services.bucket.head(key)
        for shard, pieces in zip(self._shards, self._pieces, strict=True):
            shard.move(copy, pieces)
            self._services.bucket.put(object_keys.shard_lines(self._batch.batch_id, shard.shard), shard.pack())

    def _gather(self, lines: Iterable[tuple[int, bytes]], writer: Writer) -> None:
        held = 0
        for at, text in lines:
            self._held[at].append(text)
            self._sizes[at] += len(text)
            held += len(text)
            if held >= MOST_GATHERED:
                held -= self._write(self._sizes.index(max(self._sizes)), writer)
        for at in range(len(self._shards)):
            self._write(at, writer)

    def _write(self, at: int, writer: Writer) -> int:
        size = self._sizes[at]
        if size:
            self._pieces[at].extend((self._written[at], writer.size))
            self._written[at] += len(self._held[at])
            writer.write(b"".join(self._held[at]))
            self._held[at], self._sizes[at] = [], 0
        return size


def _lines(at: int, shard: ShardLines) -> Iterator[Line]:
    return ((offset, at, size) for offset, size in zip(shard.offsets, shard.sizes, strict=True))


def cut(chunks: Iterable[bytes], start: int, lines: Iterable[Line]) -> Iterator[tuple[int, bytes]]:
    """Cut lines, whose offsets ascend, out of chunks that begin at `start`; yield the shard's index and the bytes of each."""
    rest, held = iter(chunks), b""
    for offset, at, size in lines:
        while start + len(held) <= offset:
            start, held = start + len(held), next(rest)
        while start + len(held) < offset + size:
            start, held = offset, held[offset - start :] + next(rest)
        yield at, held[offset - start : offset - start + size]
