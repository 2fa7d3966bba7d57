"""Merge runs whose positions interleave, holding one piece of each run that is open."""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final, NamedTuple

from batchyard.domain.batch import InputObject

LARGEST_PIECE: Final = 512 * 1024
SMALLEST_PIECE: Final = 16 * 1024
ALL_PIECES: Final = 64 * 1024 * 1024  # bytes of the pieces of all open runs together
NOWHERE: Final = 2**64  # a position behind all others


class Stretch(NamedTuple):
    """Lines that follow each other in an object and in the result, and that S3 is to copy."""

    source: InputObject
    #: The byte at which they begin.
    start: int
    #: Bytes.
    size: int
    crc32: int
    lines: int


class RunBlock(NamedTuple):
    """Neighbouring lines of a run."""

    #: Ascending.
    positions: Sequence[int]
    #: Bytes of each line, the line end included.
    sizes: Sequence[int]
    #: All lines, joined.
    data: bytes
    #: Where the lines are, if not in `data`; no line of another run lies between them.
    stretch: Stretch | None = None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each position and its line."""
        stops = accumulate(self.sizes)
        for position, size, stop in zip(self.positions, self.sizes, stops, strict=True):
            yield position, self.data[stop - size : stop]


class MergeInput(NamedTuple):
    """A run to merge."""

    #: The run has no line before this position …
    first: int
    #: … and none after this one.
    last: int
    #: Called with the size of a block in bytes, begins to read the run.
    begin: Callable[[int], Iterator[RunBlock]]


class MergedLines(NamedTuple):
    """Lines that follow each other in the result."""

    #: The position of the last line.
    last: int
    #: How many lines there are.
    lines: int
    data: bytes
    #: Where the lines are, if not in `data`.
    stretch: Stretch | None = None


def merged(inputs: Iterable[MergeInput]) -> Iterator[MergedLines]:
    """Yield the lines of all inputs in the order of their positions; an input is opened only when its first line is due."""
    waiting = sorted(inputs, key=attrgetter("first"), reverse=True)
    piece = piece_of(waiting)
    due: list[tuple[int, int, _Reader]] = []
    while waiting or due:
        while waiting and (not due or waiting[-1].first <= due[0][0]):
            opened = waiting.pop()
            _push(due, len(waiting), _Reader(opened.begin(piece)))
        if due:
            _, order, reader = heapq.heappop(due)
            bound = min(due[0][0] if due else NOWHERE, waiting[-1].first if waiting else NOWHERE)
            yield reader.take(bound)
            _push(due, order, reader)


def piece_of(inputs: Iterable[MergeInput]) -> int:
    """Choose the size of a piece in bytes, by how many inputs are open at the same time."""
    ends = sorted((at, step) for each in inputs for at, step in ((each.first, 1), (each.last + 1, -1)))
    most = max(accumulate(step for _, step in ends), default=1)
    return min(LARGEST_PIECE, max(SMALLEST_PIECE, ALL_PIECES // max(1, most)))


class _Reader:
    """How far a run has been read."""

    def __init__(self, blocks: Iterator[RunBlock]) -> None:
        self._blocks = blocks
        self._block = RunBlock((), (), b"")
        self._at = self._offset = 0

    def position(self) -> int | None:
        """Return the position of the next line; None at the end."""
        while self._at == len(self._block.positions):
            block = next(self._blocks, None)
            if block is None:
                return None
            self._block, self._at, self._offset = block, 0, 0
        return self._block.positions[self._at]

    def take(self, bound: int) -> MergedLines:
        """Take the lines of the block that lie before `bound`, and at least one."""
        block, at = self._block, self._at
        if block.stretch is not None:
            self._at = len(block.positions)
            return MergedLines(block.positions[-1], block.stretch.lines, b"", block.stretch)
        stop = max(at + 1, bisect_left(block.positions, bound, at))
        size = sum(block.sizes[at:stop])
        data = block.data[self._offset : self._offset + size]
        self._at, self._offset = stop, self._offset + size
        return MergedLines(block.positions[stop - 1], stop - at, data)


def _push(due: list[tuple[int, int, _Reader]], order: int, reader: _Reader) -> None:
    position = reader.position()
    if position is not None:
        heapq.heappush(due, (position, order, reader))
