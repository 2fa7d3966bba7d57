"""The lines of a shard: where each stands in the input, and what it is called."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import Final, NamedTuple

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject

RUN: Final = 4  # numbers of a run


class Place(NamedTuple):
    """Where a line stands: its position in the batch, its number as an editor counts, and its offset in the input."""

    position: int
    number: int
    offset: int

    def after(self, count: int, size: int) -> "Place":
        """Return the place behind so many lines of so many bytes."""
        return Place(self.position + count, self.number + count, self.offset + size)


class Run(NamedTuple):
    """The first of some neighbours: its ordinal in the shard, and its place."""

    ordinal: int
    position: int
    number: int
    offset: int


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
    source: InputObject | None = None
    pieces: bytes = b""


@dataclass
class ShardLines:
    """The lines of one shard: for each its position in the batch, its byte range in the input, and its custom_id.

    `runs` has four numbers for each run of neighbours: of the first, the ordinal, the position, the number of its line in the
    input as an editor counts, and the offset.
    `source`, if there is one, is a work object that holds the lines in place of the input, in `pieces`: of the first line of
    each, the ordinal and the offset. `dropped` of them were set aside after they were listed, and are not to be sent.
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
    source: InputObject | None = None
    pieces: "array[int]" = field(default_factory=lambda: array("Q"))
    _next: Place | None = None  # which would go on with the last run

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.custom_ids)

    @cached_property
    def positions(self) -> "array[int]":
        """Tell each line's position; to be asked when all lines are there."""
        return array("Q", chain.from_iterable(range(run.position, run.position + count) for run, count in self._runs()))

    @cached_property
    def numbers(self) -> "array[int]":
        """Tell each line's number as an editor counts, blank and bad ones too; to be asked when all lines are there."""
        return array("Q", chain.from_iterable(range(run.number, run.number + count) for run, count in self._runs()))

    @cached_property
    def offsets(self) -> "array[int]":
        """Tell where each line begins in the input, or in `source`; to be asked when all lines are there."""
        firsts = (
            [(run.ordinal, run.offset) for run, _ in self._runs()]
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
        """Tell whether all lines are neighbours."""
        return len(self.runs) <= RUN

    def move(self, source: InputObject, pieces: "array[int]") -> None:
        """Note that the lines are to be read from another object."""
        self.source, self.pieces = source, pieces
        self.__dict__.pop("offsets", None)

    def _runs(self) -> Iterator[tuple[Run, int]]:
        """Yield each run and the count of its lines."""
        runs = [Run(*self.runs[at : at + RUN]) for at in range(0, len(self.runs), RUN)]
        for run, stop in zip(runs, [*(run.ordinal for run in runs[1:]), len(self)], strict=True):
            yield run, stop - run.ordinal

    def add(self, place: Place, custom_ids: list[str], sizes: list[int]) -> None:
        """Append neighbouring lines, given the place of the first."""
        if place != self._next:
            self.runs.extend((len(self), *place))
        size, count = sum(sizes), len(sizes)
        self.custom_ids += custom_ids
        self.sizes.extend(sizes)
        self.size += size
        self._next = place.after(count, size)

    def packed(self) -> PackedLines:
        """Make the form that can be stored."""
        return PackedLines(
            self.shard, self.endpoint, self.model, b"", b"", self.sizes.tobytes(), self.custom_ids,
            self.embedding_inputs, self.runs.tobytes(), self.dropped, self.source, self.pieces.tobytes(),
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
            packed.shard, packed.endpoint, packed.model, runs, sizes, packed.custom_ids, size,
            packed.embedding_inputs, packed.dropped, packed.source, array("Q", packed.pieces),
        )  # fmt: skip
        if runs:
            ordinal, *place = runs[-RUN:]
            read._next = Place(*place).after(len(sizes) - ordinal, sum(sizes[ordinal:]))
        return read

    def left_key(self, batch_id: str) -> str:
        """Name the list of the lines that are to be sent; "" means all."""
        return object_keys.shard_left(batch_id, self.shard) if self.dropped else ""

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
    positions = array("Q", old.positions)
    columns = range(len(positions)), positions, (position + 1 for position in positions), array("Q", old.offsets)
    return array("Q", chain.from_iterable(zip(*columns, strict=True)))
