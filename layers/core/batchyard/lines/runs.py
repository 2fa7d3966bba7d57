"""Runs: lines of a result in the order of positions, as one writer left them, with an index of positions and sizes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from batchyard.domain.batch import InputObject  # noqa: TC001 - msgspec reads the types of a struct
from batchyard.domain.errors import BatchyardError
from batchyard.lines.merging import LARGEST_PIECE, NOWHERE, RunBlock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from batchyard.adapters.bucket import Bucket
    from batchyard.adapters.object_writer import Writer


class _Packed(msgspec.Struct, frozen=True):
    positions: bytes
    sizes: bytes
    #: Of all lines, joined.
    crc32: int
    #: The object that holds the lines from the byte `start` on; None if it lies beside the index.
    source: InputObject | None = None
    start: int = 0


def write_index(
    bucket: Bucket, prefix: str, positions: array[int], sizes: array[int], source: InputObject, start: int
) -> None:
    """Write the run `prefix` of lines that follow each other in `source` from the byte `start` on."""
    packed = _Packed(positions.tobytes(), sizes.tobytes(), 0, source, start)
    bucket.put(f"{prefix}.index", msgspec.msgpack.encode(packed))


class RunWriter:
    """Write lines as the run `prefix`, in ascending position; a run without lines leaves no objects."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        """Prepare the run; nothing is written yet."""
        self._bucket, self._prefix = bucket, prefix
        self._positions, self._sizes = array("Q"), array("I")
        self._lines = bucket.writer(f"{prefix}.jsonl", hashing=False)
        self._held: list[bytes] = []
        self._held_bytes = 0

    def __len__(self) -> int:
        """Count the lines."""
        return len(self._positions)

    def write(self, position: int, line: bytes) -> None:
        """Append a line; a line without a line end gets one."""
        whole = line if line.endswith(b"\n") else line + b"\n"
        self._positions.append(position)
        self._sizes.append(len(whole))
        self._held.append(whole)
        self._held_bytes += len(whole)
        if self._held_bytes >= LARGEST_PIECE:
            self._write_held()

    def write_lines(self, positions: list[int], sizes: list[int], data: bytes) -> None:
        """Append lines with their line ends, joined in `data`; `sizes` are in bytes."""
        self._write_held()
        self._positions.extend(positions)
        self._sizes.extend(sizes)
        self._lines.write(data)

    def _write_held(self) -> None:
        if self._held:
            self._lines.write(b"".join(self._held))
            self._held, self._held_bytes = [], 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete lines and index, unless there was an error."""
        if error_type is None:
            self._write_held()
        if error_type is not None or self._positions:
            self._lines.__exit__(error_type, error, trace)
        if error_type is None and self._positions:
            packed = _Packed(self._positions.tobytes(), self._sizes.tobytes(), self._lines.crc32)
            self._bucket.put(f"{self._prefix}.index", msgspec.msgpack.encode(packed))


class LineInRun(NamedTuple):
    """Where a line of a run lies."""

    position: int
    source: InputObject
    offset: int
    #: Bytes, the line end included.
    size: int


class RunWindow(NamedTuple):
    """Neighbouring lines of a run, and where they lie."""

    positions: list[int]
    #: Bytes of each line.
    sizes: list[int]
    source: InputObject
    #: The byte at which the first line begins.
    start: int


class Run:
    """A run to read."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        """Name the run; nothing is read yet."""
        self._bucket, self._prefix = bucket, prefix

    @cached_property
    def last(self) -> int:
        """Return the position of the last line."""
        return self.positions()[-1]

    def positions(self) -> memoryview[int]:
        """Return the position of each line."""
        return memoryview(self._index().positions).cast("Q")

    def places(self) -> tuple[memoryview[int], memoryview[int]]:
        """Return the position of each line, and the bytes of each."""
        index = self._index()
        return memoryview(index.positions).cast("Q"), memoryview(index.sizes).cast("I")

    def find(self, wanted: Sequence[int]) -> list[LineInRun]:
        """Find the lines with these positions, which ascend; a position that the run lacks is left out."""
        index = self._index()
        positions, sizes = memoryview(index.positions).cast("Q"), memoryview(index.sizes).cast("I")
        places, at, offset = list[tuple[int, int, int]](), 0, index.start
        for position in wanted:
            stop = bisect_left(positions, position, at)
            offset, at = offset + sum(sizes[at:stop]), stop
            if at < len(positions) and positions[at] == position:
                places.append((position, offset, sizes[at]))
        if not places:
            return []
        source = index.source or self._lines(sum(sizes))
        return [LineInRun(position, source, offset, size) for position, offset, size in places]

    def blocks(self, after: int = -1, last: int = NOWHERE, piece: int = LARGEST_PIECE) -> Iterator[RunBlock]:
        """Yield the lines behind position `after` and up to `last`, in blocks of `piece` bytes or of one longer line."""
        index = self._index()
        positions, sizes = memoryview(index.positions).cast("Q"), memoryview(index.sizes).cast("I")
        source = index.source or self._lines(sum(sizes))
        at = bisect_right(positions, after)
        offset, end = index.start + sum(sizes[:at]), bisect_right(positions, last)
        while at < end:
            stop, size = at + 1, sizes[at]
            while stop < end and size + sizes[stop] <= piece:
                size += sizes[stop]
                stop += 1
            data = b"".join(self._bucket.chunks(source, offset, offset + size))
            yield RunBlock(positions[at:stop], sizes[at:stop], data)
            at, offset = stop, offset + size

    def window(self, first: int, last: int) -> RunWindow | None:
        """Find the lines from position `first` to `last`; None if there are none. Raises NotFound if the run is gone."""
        index = self._index()
        positions, sizes = memoryview(index.positions).cast("Q"), memoryview(index.sizes).cast("I")
        at, end = bisect_left(positions, first), bisect_right(positions, last)
        if at == end:
            return None
        source = index.source or self._lines(sum(sizes))
        start = index.start + sum(sizes[:at])
        return RunWindow(positions[at:end].tolist(), sizes[at:end].tolist(), source, start)

    def lines(self, piece: int = LARGEST_PIECE) -> Iterator[tuple[int, bytes]]:
        """Yield each position and its line."""
        return chain.from_iterable(block.lines() for block in self.blocks(piece=piece))

    def copy_to(self, writer: Writer, start: int = 0) -> Iterator[tuple[int, int]]:
        """Append the bytes of the run from `start` on; yield after each step the bytes copied so far and the lines of the run.

        Raises BatchyardError if the size of the lines is not that of the index.
        """
        index = self._index()
        sizes = memoryview(index.sizes).cast("I")
        for reached in writer.copying(self._lines(sum(sizes)), index.crc32, start):
            yield reached, len(sizes)

    def _index(self) -> _Packed:
        return msgspec.msgpack.decode(self._bucket.get(f"{self._prefix}.index"), type=_Packed)

    def _lines(self, expected: int) -> InputObject:
        pinned, _ = self._bucket.head(f"{self._prefix}.jsonl")
        if pinned.size != expected:
            raise BatchyardError(f"{pinned.uri} has {pinned.size} bytes, but its index {expected}")
        return pinned
