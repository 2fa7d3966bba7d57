"""Split the lines of a batch into shards that each fit one provider batch."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

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

    def pack(self) -> bytes:
        """Encode for storage."""
        arrays = (self.positions.tobytes(), self.offsets.tobytes(), self.sizes.tobytes())
        return msgspec.msgpack.encode(PackedLines(self.shard, self.endpoint, self.model, *arrays, self.custom_ids))

    @classmethod
    def unpack(cls, data: bytes) -> "ShardLines":
        """Decode what `pack` encoded."""
        packed = msgspec.msgpack.decode(data, type=PackedLines)
        arrays = array("Q", packed.positions), array("Q", packed.offsets), array("I", packed.sizes)
        return cls(packed.shard, packed.endpoint, packed.model, *arrays, packed.custom_ids, sum(arrays[2]))

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

    def __init__(self, limits: Limits) -> None:
        """Start with no shard."""
        self._limits = limits
        self._open: dict[tuple[str, str], ShardLines] = {}
        self.shards = 0

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

    def rest(self) -> list[ShardLines]:
        """Return the shards still open, at the end of the input."""
        return list(self._open.values())

    def _fits(self, shard: ShardLines, size: int, inputs: int) -> bool:
        return (
            len(shard) < self._limits.requests
            and shard.size + size <= self._limits.bytes
            and shard.embedding_inputs + inputs <= self._limits.embedding_inputs
        )
