"""The answers of one provider batch, joined to the lines they answer."""

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from batchyard import outcomes
from batchyard.batch import Usage
from batchyard.lines import BOM
from batchyard.outcomes import Outcome
from batchyard.scanning import scan

LONGEST_ANSWER: Final = 512 * 1024 * 1024
# When a request is answered more than once, the answer that is worth most stands, and among equals the first.
WORTH: Final = {Outcome.UNFINISHED: 1, Outcome.TRANSIENT: 2, Outcome.REFUSED: 3, Outcome.SUCCEEDED: 4}
BY_WORTH: Final = (None, *WORTH)


class Answers:
    """Spool the provider's files to disk and remember for each request where its answer stands.

    Requests are known by index: their place in what the attempt uploaded. Memory is a few bytes a request.
    """

    def __init__(self, custom_ids: Iterable[str]) -> None:
        """Expect answers to these requests."""
        self._indexes = {custom_id: index for index, custom_id in enumerate(custom_ids)}
        count = len(self._indexes)
        self._worth = bytearray(count)
        self._offsets = array("Q", bytes(8 * count))
        self._sizes = array("I", bytes(4 * count))
        self._codes: dict[int, str] = {}
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the object, which is a context manager
        self._end = 0
        self.strays = 0
        self.usage = Usage()

    def __enter__(self) -> "Answers":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the spooled files."""
        self._spool.close()

    def read(self, chunks: Iterable[bytes]) -> None:
        """Take an output or error file; lines that are no answer to a request of ours are counted as strays."""
        start = self._end
        for found in scan(self._spooled(chunks), LONGEST_ANSWER):
            self._take(found.text, start + found.offset, found.size)
        self._spool.flush()

    def outcome(self, index: int) -> Outcome | None:
        """Tell what became of a request; None when it has no answer."""
        return BY_WORTH[self._worth[index]]

    def code(self, index: int) -> str:
        """Name the error of a request that did not succeed."""
        return self._codes[index]

    def line(self, index: int) -> bytes:
        """Return the provider's line for a request, as it came."""
        return os.pread(self._spool.fileno(), self._sizes[index], self._offsets[index]).removeprefix(BOM)

    def succeeded(self) -> int:
        """Count the requests answered with success."""
        return self._worth.count(WORTH[Outcome.SUCCEEDED])

    def missing(self) -> int:
        """Count the requests that have no answer at all."""
        return self._worth.count(0)

    def _spooled(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._spool.write(chunk)
            self._end += len(chunk)
            yield chunk

    def _take(self, text: bytes | None, offset: int, size: int) -> None:
        answer = outcomes.parse(text) if text is not None else None
        index = self._indexes.get(answer.custom_id) if answer else None
        if answer is None or index is None:
            self.strays += 1
            return
        outcome = outcomes.outcome_of(answer)
        self.strays += bool(self._worth[index])  # one of the two is not counted
        if WORTH[outcome] <= self._worth[index]:
            return
        self._worth[index], self._offsets[index], self._sizes[index] = WORTH[outcome], offset, size
        if outcome is Outcome.SUCCEEDED:
            self.usage += outcomes.usage_of(answer)
        else:
            self._codes[index] = outcomes.code_of(answer)
