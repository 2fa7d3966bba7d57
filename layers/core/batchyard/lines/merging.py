"""Merge runs of lines that lie among each other's, in stretches, holding a piece of each that is open."""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final, NamedTuple

PIECE: Final = 512 * 1024
SMALLEST_PIECE: Final = 16 * 1024
AT_ONCE: Final = 64 * 1024 * 1024  # bytes of pieces that are held together
NOWHERE: Final = 2**64


class RunBlock(NamedTuple):
    """Neighbouring lines of a run: their positions, ascending, their sizes, and their bytes joined."""

    positions: Sequence[int]
    sizes: Sequence[int]
    data: bytes

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each position and its line."""
        stops = accumulate(self.sizes)
        for position, size, stop in zip(self.positions, self.sizes, stops, strict=True):
            yield position, self.data[stop - size : stop]


class MergeInput(NamedTuple):
    """A run to merge: no line of it lies before `first` or after `last`; it is begun with a bound for its blocks in bytes."""

    first: int
    last: int
    begin: Callable[[int], Iterator[RunBlock]]


class MergedLines(NamedTuple):
    """Lines that follow each other in the result: the position of the last, how many they are, and their bytes."""

    last: int
    lines: int
    data: bytes


def merged(feeds: Iterable[MergeInput]) -> Iterator[MergedLines]:
    """Merge feeds; each is opened only when it is due, and what all open ones hold stays within bounds."""
    waiting = sorted(feeds, key=attrgetter("first"), reverse=True)
    piece = piece_of(waiting)
    due: list[tuple[int, int, _Reader]] = []
    while waiting or due:
        while waiting and (not due or waiting[-1].first <= due[0][0]):
            feed = waiting.pop()
            _push(due, len(waiting), _Reader(feed.begin(piece)))
        if due:
            _, order, reader = heapq.heappop(due)
            bound = min(due[0][0] if due else NOWHERE, waiting[-1].first if waiting else NOWHERE)
            yield reader.take(bound)
            _push(due, order, reader)


def piece_of(feeds: Iterable[MergeInput]) -> int:
    """Choose how many bytes each feed may hold, by how many of them are open at once."""
    ends = sorted((at, step) for feed in feeds for at, step in ((feed.first, 1), (feed.last + 1, -1)))
    most = max(accumulate(step for _, step in ends), default=1)
    return min(PIECE, max(SMALLEST_PIECE, AT_ONCE // max(1, most)))


class _Reader:
    """Where the reading of a feed stands."""

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
        """Take the lines before `bound` that are at hand, and one at least."""
        block, at = self._block, self._at
        stop = max(at + 1, bisect_left(block.positions, bound, at))
        size = sum(block.sizes[at:stop])
        data = block.data[self._offset : self._offset + size]
        self._at, self._offset = stop, self._offset + size
        return MergedLines(block.positions[stop - 1], stop - at, data)


def _push(due: list[tuple[int, int, _Reader]], order: int, reader: _Reader) -> None:
    position = reader.position()
    if position is not None:
        heapq.heappush(due, (position, order, reader))
