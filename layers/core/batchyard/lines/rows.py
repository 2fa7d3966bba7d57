"""Rows of the results, good and bad, in input order: as many as follow each other without a gap, read from runs."""

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

from batchyard.domain.errors import NotFound
from batchyard.lines.runs import Run, RunWindow

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket


class Rows(NamedTuple):
    """Rows that follow each other."""

    lines: list[bytes]
    #: Bytes of the row that comes next, if the rows end before it because it is too large; else 0.
    too_large: int


def rows(bucket: "Bucket", runs: Iterable[Run], first: int, count: int, most_bytes: int) -> Rows:
    """Read the rows from position `first` on, up to the first that no run has; each run is read with one request.

    Memory is that of the rows and of the index of one run.
    """
    windows = list(_windows(runs, first, first + count - 1))
    taken, size, too_large = [0] * len(windows), 0, 0
    order: list[int] = []
    for position, length, at in merge(*(_places(at, window) for at, window in enumerate(windows))):
        if position != first + len(order):
            break
        if size + length > most_bytes:
            too_large = length
            break
        order.append(at)
        taken[at], size = taken[at] + 1, size + length
    read = [_read(bucket, window, taken[at]) for at, window in enumerate(windows)]
    return Rows([next(read[at]) for at in order], too_large)


def _windows(runs: Iterable[Run], first: int, last: int) -> Iterator[RunWindow]:
    """Yield what each run has there; a run that is not written yet, or not any more, has nothing."""
    for run in runs:
        try:
            window = run.window(first, last)
        except NotFound:
            continue  # the rows end before its first line
        if window is not None:
            yield window


def _places(at: int, window: RunWindow) -> Iterator[tuple[int, int, int]]:
    return zip(window.positions, window.sizes, repeat(at))


def _read(bucket: "Bucket", window: RunWindow, count: int) -> Iterator[bytes]:
    sizes = window.sizes[:count]
    data = b"".join(bucket.chunks(window.source, window.start, window.start + sum(sizes))) if sizes else b""
    start = 0
    for size in sizes:
        yield data[start : start + size]
        start += size
