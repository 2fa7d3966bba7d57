"""Collect the outcome lines of a batch on disk, and write them in another order than the input."""

import array
import os
import random
from pathlib import Path

_SPOOL_BUFFER = 1 << 20


def shuffle_lines(path: Path) -> None:
    """Put another file with the same lines, in an order that nobody foresees, in the place of `path`."""
    lines = path.read_bytes().splitlines(keepends=True)
    random.shuffle(lines)
    other = path.with_suffix(f".{os.urandom(8).hex()}")
    other.write_bytes(b"".join(lines))
    other.replace(path)


class OutcomeSpool:
    """Hold the outcome lines of one file: the lines on disk, and 16 bytes for each line in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b", buffering=_SPOOL_BUFFER)
        self._starts = array.array("Q")
        self._lengths = array.array("Q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, line: bytes) -> None:
        """Add one line with its line feed."""
        self._starts.append(self._end)
        self._lengths.append(len(line))
        self._file.write(line)
        self._end += len(line)

    def write_shuffled(self, target: Path, seed: str) -> None:
        """Write every line to `target` in an order that depends on `seed` alone."""
        self._file.flush()
        order = list(range(len(self)))
        random.Random(seed).shuffle(order)  # noqa: S311 # an order, not a secret
        spool = self._file.fileno()
        with target.open("wb", buffering=_SPOOL_BUFFER) as output:
            for place in order:
                output.write(os.pread(spool, self._lengths[place], self._starts[place]))

    def remove(self) -> None:
        """Delete the spool."""
        self._file.close()
        self._path.unlink(missing_ok=True)
