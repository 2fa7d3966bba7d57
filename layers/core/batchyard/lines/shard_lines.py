"""The lines of a shard: where each line stands in the input, and its custom_id."""

from array import array
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, InputObject
from batchyard.domain.shard import DONE, WAITING, Ranges, Shard

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket

EXTENT: Final = 4  # numbers of an extent


class Place(NamedTuple):
    """Where a line stands."""

    #: Its place among the requests of the batch, from 0.
    position: int
    #: Its place in the input as an editor counts lines, from 1.
    number: int
    #: The byte of the input at which the line begins.
    offset: int

    def after(self, count: int, size: int) -> "Place":
        """Return the place behind `count` lines of `size` bytes."""
        return Place(self.position + count, self.number + count, self.offset + size)


class Extent(NamedTuple):
    """Lines of a shard that are neighbours in the input, by the ordinal and the place of the first line."""

    ordinal: int
    position: int
    number: int
    offset: int


class PackedLines(msgspec.Struct, frozen=True):
    """ShardLines as stored: the same fields, with arrays as little-endian bytes."""

    shard: int
    endpoint: str
    model: str
    extents: bytes
    sizes: bytes
    custom_ids: list[str]
    embedding_inputs: int = 0
    skipped: int = 0
    source: InputObject | None = None
    pieces: bytes = b""
    provider: str = ""


class ShardLines(msgspec.Struct, eq=False, dict=True):  # the dict is for what is cached
    """The lines of one shard; a line is known here by its ordinal, which is its place in this list."""

    shard: int
    endpoint: str
    model: str
    #: The four numbers of each `Extent`, one after the other.
    extents: "array[int]" = msgspec.field(default_factory=lambda: array("Q"))
    #: Bytes of each line, its line end included.
    sizes: "array[int]" = msgspec.field(default_factory=lambda: array("I"))
    custom_ids: list[str] = msgspec.field(default_factory=list)
    #: Bytes of all lines.
    size: int = 0
    embedding_inputs: int = 0
    #: Lines of the list that are skipped, and so are not sent.
    skipped: int = 0
    #: A work object that holds the lines in place of the input.
    source: InputObject | None = None
    #: Where the lines stand in `source`: the ordinal and the offset of the first line of each piece.
    pieces: "array[int]" = msgspec.field(default_factory=lambda: array("Q"))
    #: The place of a line that would continue the last extent.
    _next: Place | None = None
    #: The name of the provider that the lines go to; "" is the first one of the stack.
    provider: str = ""

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.custom_ids)

    @cached_property
    def positions(self) -> "array[int]":
        """The position of each line; read it only when all lines are added."""
        return array(
            "Q",
            chain.from_iterable(range(extent.position, extent.position + count) for extent, count in self._extents()),
        )

    @cached_property
    def numbers(self) -> "array[int]":
        """The number of each line as an editor counts; read it only when all lines are added."""
        return array(
            "Q", chain.from_iterable(range(extent.number, extent.number + count) for extent, count in self._extents())
        )

    @cached_property
    def offsets(self) -> "array[int]":
        """The offset of each line in the input, or in `source`; read it only when all lines are added."""
        firsts = (
            [(extent.ordinal, extent.offset) for extent, _ in self._extents()]
            if self.source is None
            else list(zip(self.pieces[::2], self.pieces[1::2], strict=True))
        )
        stops = [*(ordinal for ordinal, _ in firsts[1:]), len(self)]
        offsets = array("Q")
        for (ordinal, offset), stop in zip(firsts, stops, strict=True):
            offsets.extend(accumulate(self.sizes[ordinal : stop - 1], initial=offset))
        return offsets

    @property
    def contiguous(self) -> bool:
        """Tell whether all lines are neighbours in the input."""
        return len(self.extents) <= EXTENT

    def move(self, source: InputObject, pieces: "array[int]") -> None:
        """Note that the lines are to be read from another object."""
        self.source, self.pieces = source, pieces
        self.__dict__.pop("offsets", None)

    def with_tail_before(self, count: int, last: "ShardLines") -> "tuple[ShardLines, ShardLines]":
        """Return this list without its last lines, and `last` with them before its own; both lists are of one target."""
        kept = ShardLines(self.shard, self.endpoint, self.model, provider=self.provider)
        grown = ShardLines(last.shard, last.endpoint, last.model, provider=last.provider)
        kept._append(self, range(len(self) - count))
        grown._append(self, range(len(self) - count, len(self)))
        grown._append(last, range(len(last)))
        return kept, grown

    def _append(self, other: "ShardLines", ordinals: range) -> None:
        for ordinal in ordinals:
            place = Place(other.positions[ordinal], other.numbers[ordinal], other.offsets[ordinal])
            self.add(place, [other.custom_ids[ordinal]], [other.sizes[ordinal]])

    def _extents(self) -> Iterator[tuple[Extent, int]]:
        """Yield each extent and the count of its lines."""
        extents = [Extent(*self.extents[at : at + EXTENT]) for at in range(0, len(self.extents), EXTENT)]
        for extent, stop in zip(extents, [*(each.ordinal for each in extents[1:]), len(self)], strict=True):
            yield extent, stop - extent.ordinal

    def add(self, place: Place, custom_ids: list[str], sizes: list[int]) -> None:
        """Append neighbouring lines; `place` is that of the first line."""
        if place != self._next:
            self.extents.extend((len(self), *place))
        size, count = sum(sizes), len(sizes)
        self.custom_ids += custom_ids
        self.sizes.extend(sizes)
        self.size += size
        self._next = place.after(count, size)

    def packed(self) -> PackedLines:
        """Make the form that can be stored."""
        return PackedLines(
            self.shard, self.endpoint, self.model, self.extents.tobytes(), self.sizes.tobytes(), self.custom_ids,
            self.embedding_inputs, self.skipped, self.source, self.pieces.tobytes(), self.provider,
        )  # fmt: skip

    def pack(self) -> bytes:
        """Encode for storage."""
        return msgspec.msgpack.encode(self.packed())

    @classmethod
    def read(cls, bucket: "Bucket", batch_id: str, shard: int) -> "ShardLines":
        """Read the list of a shard's lines from the plan; raises NotFound."""
        return cls.unpack(bucket.get(object_keys.shard_lines(batch_id, shard)))

    @classmethod
    def unpack(cls, data: bytes) -> "ShardLines":
        """Decode what `pack` encoded."""
        return cls.unpacked(msgspec.msgpack.decode(data, type=PackedLines))

    @classmethod
    def unpacked(cls, packed: PackedLines) -> "ShardLines":
        """Make ShardLines of the form that was stored."""
        sizes, extents = array("I", packed.sizes), array("Q", packed.extents)
        size = sum(sizes)
        read = cls(
            packed.shard, packed.endpoint, packed.model, extents, sizes, packed.custom_ids, size,
            packed.embedding_inputs, packed.skipped, packed.source, array("Q", packed.pieces),
            provider=packed.provider,
        )  # fmt: skip
        if extents:
            ordinal, *place = extents[-EXTENT:]
            read._next = Place(*place).after(len(sizes) - ordinal, sum(sizes[ordinal:]))
        return read

    def left_key(self, batch_id: str) -> str:
        """Name the list of the lines that are to be sent; "" means all lines."""
        return object_keys.shard_left(batch_id, self.shard) if self.skipped else ""

    def ranges(self, ordinals: "array[int]") -> Iterator[tuple[int, int]]:
        """Yield the byte ranges `[start, stop)` of the lines with these ordinals; ranges that touch are joined."""
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


def new_shard(batch: Batch, lines: ShardLines) -> Shard:
    """Make the record of a shard before its first attempt."""
    count = len(lines) - lines.skipped
    return Shard(
        batch_id=batch.batch_id, shard=lines.shard, expires_at_ttl=batch.expires_at_ttl, endpoint=lines.endpoint,
        model=lines.model, provider=lines.provider, lines=count, first=lines.positions[0], last=lines.positions[-1],
        unfinished=count,
        unfinished_key=lines.left_key(batch.batch_id), ranges=_ranges(lines), status=WAITING if count else DONE,
        first_number=lines.numbers[0], last_number=lines.numbers[-1],
    )  # fmt: skip


def _ranges(lines: ShardLines) -> Ranges:
    """Tell where the lines lie in the input, also when they are read from a copy."""
    first, last = Extent(*lines.extents[:EXTENT]), Extent(*lines.extents[-EXTENT:])
    second = len(lines) if lines.contiguous else lines.extents[EXTENT]
    return Ranges(
        (first.offset, first.offset + sum(lines.sizes[:second])),
        (last.offset, last.offset + sum(lines.sizes[last.ordinal :])),
        len(lines.extents) // EXTENT,
    )
