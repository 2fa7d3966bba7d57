"""Collect a batch's outcome lines on disk and write them out in another order than the input's."""

import array
import os
import random
from pathlib import Path

_SPOOL_BUFFER = 1 << 20


class OutcomeSpool:
    """Outcome lines for one output or error file; keeps 16 bytes a line in memory, the lines themselves on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w+b", buffering=_SPOOL_BUFFER)
        self._starts = array.array("Q")
        self._lengths = array.array("Q")
        self._end = 0

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, line: bytes) -> None:
        """Keep one line, its line feed included."""
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
