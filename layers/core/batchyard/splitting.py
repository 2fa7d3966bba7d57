"""Split the lines of a batch into shards that each fit one provider batch."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

import msgspec

from batchyard.lines import Line, embedding_inputs
from batchyard.scanning import Found


@dataclass(frozen=True)
class Limits:
    """What one provider batch takes: requests, bytes of upload, and inputs of embeddings requests."""

    requests: int
    bytes: int
    embedding_inputs: int


class PackedLines(msgspec.Struct, frozen=True):
    """ShardLines as stored: the arrays as little-endian bytes."""

    shard: int
    endpoint: str
    model: str
    positions: bytes
    offsets: bytes
    sizes: bytes
    custom_ids: list[str]
    embedding_inputs: int = 0


@dataclass
class ShardLines:
    """The lines of one shard: for each its position in the batch, its byte range in the input, and its custom_id."""

    shard: int
    endpoint: str
    model: str
    positions: "array[int]" = field(default_factory=lambda: array("Q"))
    offsets: "array[int]" = field(default_factory=lambda: array("Q"))
    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    custom_ids: list[str] = field(default_factory=list)
    size: int = 0
    embedding_inputs: int = 0

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.custom_ids)

    def packed(self) -> PackedLines:
        """Make the form that can be stored."""
        arrays = (self.positions.tobytes(), self.offsets.tobytes(), self.sizes.tobytes())
        return PackedLines(self.shard, self.endpoint, self.model, *arrays, self.custom_ids, self.embedding_inputs)

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
        arrays = array("Q", packed.positions), array("Q", packed.offsets), array("I", packed.sizes)
        return cls(
            packed.shard,
            packed.endpoint,
            packed.model,
            *arrays,
            packed.custom_ids,
            sum(arrays[2]),
            packed.embedding_inputs,
        )

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


class Splitter:
    """Fill one open shard per endpoint and model; a shard is closed by the first line that would not fit."""

    def __init__(self, limits: Limits, shards: int = 0, opened: Iterable[ShardLines] = ()) -> None:
        """Start with no shard, or go on after so many, of which these are open."""
        self._limits = limits
        self._open = {(shard.endpoint, shard.model): shard for shard in opened}
        self.shards = shards

    def add(self, position: int, found: Found, line: Line) -> ShardLines | None:
        """Put a line into its shard and return the shard this closed, if any."""
        kind = (line.url, line.body.model)
        inputs = embedding_inputs(line)
        shard = self._open.get(kind)
        closed = shard if shard is not None and not self._fits(shard, found.size, inputs) else None
        if shard is None or closed is not None:
            shard = self._open[kind] = ShardLines(self.shards, *kind)
            self.shards += 1
        shard.positions.append(position)
        shard.offsets.append(found.offset)
        shard.sizes.append(found.size)
        shard.custom_ids.append(line.custom_id)
        shard.size += found.size
        shard.embedding_inputs += inputs
        return closed

    def add_run(
        self, position: int, offset: int, kind: tuple[str, str], custom_ids: list[str], sizes: list[int]
    ) -> bool:
        """Put neighbouring lines of one kind, without embedding inputs, into the open shard; False if they do not all fit."""
        shard, size = self._open.get(kind), sum(sizes)
        if shard is None or len(shard) + len(sizes) > self._limits.requests or shard.size + size > self._limits.bytes:
            return False
        shard.positions.extend(range(position, position + len(sizes)))
        shard.offsets.extend(accumulate(sizes[:-1], initial=offset))
        shard.sizes.extend(sizes)
        shard.custom_ids.extend(custom_ids)
        shard.size += size
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
