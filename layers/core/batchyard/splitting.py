"""Split the lines of a batch into shards that each fit one provider batch."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain, islice

import msgspec

from batchyard.lines import Line, embedding_inputs


@dataclass(frozen=True)
class Limits:
    """What one provider batch takes: requests, bytes of upload, and inputs of embeddings requests."""

    requests: int
    bytes: int
    embedding_inputs: int


class PackedLines(msgspec.Struct, frozen=True):
    """ShardLines as stored: the arrays as little-endian bytes; `positions` and `offsets` in place of `runs` in old ones."""

    shard: int
    endpoint: str
    model: str
    positions: bytes
    offsets: bytes
    sizes: bytes
    custom_ids: list[str]
    embedding_inputs: int = 0
    runs: bytes = b""
    dropped: int = 0


@dataclass
class ShardLines:
    """The lines of one shard: for each its position in the batch, its byte range in the input, and its custom_id.

    `runs` has three numbers for each run of neighbours: the ordinal of the first, its position, and its offset.
    `dropped` of them were set aside after they were listed, and are not to be sent.
    """

    shard: int
    endpoint: str
    model: str
    runs: "array[int]" = field(default_factory=lambda: array("Q"))
    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    custom_ids: list[str] = field(default_factory=list)
    size: int = 0
    embedding_inputs: int = 0
    dropped: int = 0
    _next: tuple[int, int] = (-1, -1)  # the position and offset that would go on with the last run

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.custom_ids)

    @cached_property
    def positions(self) -> "array[int]":
        """Tell each line's position; to be asked when all lines are there."""
        return array("Q", chain.from_iterable(range(first, first + count) for _, first, _, count in self._spans()))

    @cached_property
    def offsets(self) -> "array[int]":
        """Tell where each line begins in the input; to be asked when all lines are there."""
        offsets = array("Q")
        for ordinal, _, offset, count in self._spans():
            offsets.extend(accumulate(self.sizes[ordinal : ordinal + count - 1], initial=offset))
        return offsets

    def _spans(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield of each run the ordinal, position and offset of its first line, and its lines."""
        ordinals = self.runs[::3]
        stops = chain(islice(ordinals, 1, None), (len(self),))
        for ordinal, position, offset, stop in zip(ordinals, self.runs[1::3], self.runs[2::3], stops, strict=True):
            yield ordinal, position, offset, stop - ordinal

    def add(self, position: int, offset: int, custom_ids: list[str], sizes: list[int]) -> None:
        """Append neighbouring lines, given the position and the offset of the first."""
        if (position, offset) != self._next:
            self.runs.extend((len(self), position, offset))
        size = sum(sizes)
        self.custom_ids += custom_ids
        self.sizes.extend(sizes)
        self.size += size
        self._next = position + len(sizes), offset + size

    def packed(self) -> PackedLines:
        """Make the form that can be stored."""
        return PackedLines(
            self.shard, self.endpoint, self.model, b"", b"", self.sizes.tobytes(), self.custom_ids,
            self.embedding_inputs, self.runs.tobytes(), self.dropped,
        )  # fmt: skip

    def pack(self) -> bytes:
        """Encode for storage."""
        return msgspec.msgpack.encode(self.packed())

    @classmethod
    def unpack(cls, data: bytes) -> "ShardLines":
        """Decode what `pack` encoded."""
        return cls.unpacked(msgspec.msgpack.decode(data, type=PackedLines))

    @classmethod
    def unpacked(cls, packed: PackedLines) -> "ShardLines":
        """Read what `packed` made."""
        sizes, runs = array("I", packed.sizes), array("Q", packed.runs or _runs_of(packed))
        size = sum(sizes)
        read = cls(
            packed.shard,
            packed.endpoint,
            packed.model,
            runs,
            sizes,
            packed.custom_ids,
            size,
            packed.embedding_inputs,
            packed.dropped,
        )
        if runs:
            ordinal, position, offset = runs[-3:]
            read._next = position + len(sizes) - ordinal, offset + sum(sizes[ordinal:])
        return read

    def ranges(self, ordinals: "array[int]") -> Iterator[tuple[int, int]]:
        """Yield the byte ranges `[start, stop)` that hold the lines of these ordinals, neighbours joined."""
        start = stop = 0
        for ordinal in ordinals:
            offset = self.offsets[ordinal]
            if offset != stop:
                if stop:
                    yield start, stop
                start = offset
            stop = offset + self.sizes[ordinal]
        if stop:
            yield start, stop


def _runs_of(old: PackedLines) -> "array[int]":
    """Read the positions and offsets of an older plan, as runs of one line each."""
    columns = range(len(old.custom_ids)), array("Q", old.positions), array("Q", old.offsets)
    return array("Q", chain.from_iterable(zip(*columns, strict=True)))


class Splitter:
    """Fill one open shard per endpoint and model; a shard is closed by the first line that would not fit."""

    def __init__(self, limits: Limits, shards: int = 0, opened: Iterable[ShardLines] = ()) -> None:
        """Start with no shard, or go on after so many, of which these are open."""
        self._limits = limits
        self._open = {(shard.endpoint, shard.model): shard for shard in opened}
        self.shards = shards

    def add(self, position: int, offset: int, size: int, line: Line) -> ShardLines | None:
        """Put a line into its shard and return the shard this closed, if any."""
        kind = (line.url, line.body.model)
        inputs = embedding_inputs(line)
        shard = self._open.get(kind)
        closed = shard if shard is not None and not self._fits(shard, size, inputs) else None
        if shard is None or closed is not None:
            shard = self._open[kind] = ShardLines(self.shards, *kind)
            self.shards += 1
        shard.add(position, offset, [line.custom_id], [size])
        shard.embedding_inputs += inputs
        return closed

    def add_run(
        self, position: int, offset: int, kind: tuple[str, str], custom_ids: list[str], sizes: list[int]
    ) -> bool:
        """Put neighbouring lines of one kind, without embedding inputs, into the open shard; False if they do not all fit."""
        shard, size = self._open.get(kind), sum(sizes)
        if shard is None or len(shard) + len(sizes) > self._limits.requests or shard.size + size > self._limits.bytes:
            return False
        shard.add(position, offset, custom_ids, sizes)
        return True

    def rest(self) -> list[ShardLines]:
        """Return the shards still open, at the end of the input."""
        return list(self._open.values())

    def _fits(self, shard: ShardLines, size: int, inputs: int) -> bool:
        return (
            len(shard) < self._limits.requests
            and shard.size + size <= self._limits.bytes
            and shard.embedding_inputs + inputs <= self._limits.embedding_inputs
        )
