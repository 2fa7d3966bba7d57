"""The answers of one provider batch, joined to the lines they answer."""

import math
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, repeat
from typing import Final

from batch_client import mended
from batchyard.costs.usage import Usage
from batchyard.domain import outcomes
from batchyard.domain.errors import BatchyardError, DiskFull, TooSlow
from batchyard.domain.policy import OPERATOR, Outcome
from batchyard.domain.step import TimeBudget
from batchyard.lines import model_urls
from batchyard.lines.blocks import LineBlock, blocks
from batchyard.lines.file_kinds import BOM
from batchyard.lines.line import MODERATIONS
from batchyard.lines.successes import is_empty, successes

PIECE: Final = 512 * 1024
AT_ONCE: Final = 64  # lines: one that needs a look of its own costs its neighbours one, too
LONGEST_ANSWER: Final = 512 * 1024 * 1024
# When a request is answered more than once, the answer that is worth most stands, and among equals the first.
WORTH: Final = {Outcome.UNFINISHED: 1, Outcome.TRANSIENT: 2, Outcome.REFUSED: 3, Outcome.SUCCEEDED: 4}
BY_WORTH: Final = (None, *WORTH)
BEST: Final = WORTH[Outcome.SUCCEEDED]
REMEDY: Final = "Lower MaxRequestsPerShard, so that the answers of one provider batch fit, and run the batch again."


class Answers:
    """Spool the provider's files to disk and remember for each request where its answer stands.

    Requests are known by index: their place in what the attempt uploaded. Memory is a few bytes a request.
    """

    def __init__(
        self, custom_ids: Iterable[str], seconds_left: Callable[[], float] = lambda: math.inf, endpoint: str = "",
        give_back: Callable[[int, bytes], bytes] | None = None,
    ) -> None:  # fmt: skip
        """Expect answers to these requests; taking or giving them raises TooSlow when `seconds_left` runs low.

        The `endpoint` tells whether the tokens are told in the words of each model. `give_back` makes of a line what is
        handed out for a request, where the requests went by other names than their own.
        """
        self._native, self._free = model_urls.operation_of(endpoint) is not None, endpoint == MODERATIONS
        self._budget, self._give_back = TimeBudget(seconds_left), give_back
        self._indexes = {custom_id: index for index, custom_id in enumerate(custom_ids)}
        count = len(self._indexes)
        self._worth = bytearray(count)
        self._offsets = array("Q", bytes(8 * count))
        self._sizes = array("I", bytes(4 * count))
        self._codes: dict[int, str] = {}
        self._to_mend: set[int] = set()
        self._empty: set[int] = set()
        self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the object, a context manager
        self._end = 0
        self.strays = 0
        self.usage = Usage()
        #: Successes that do not tell their tokens in words that are known, where answers have tokens.
        self.unmetered = 0
        #: Whether the provider has told the tokens of all of them together.
        self.told = False

    def __enter__(self) -> "Answers":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the spooled files."""
        self._spool.close()

    def read(self, chunks: Iterable[bytes]) -> None:
        """Take an output or error file; lines that are no answer to a request of ours are counted as strays."""
        at = self._end
        for block in blocks(self._spooled(chunks), LONGEST_ANSWER):
            for first in range(0, len(block.lines), AT_ONCE):
                part = block.part(first, AT_ONCE)
                if not self._take_successes(part, at):
                    self._take_each(part, at)
                at += sum(part.sizes)

    def outcome(self, index: int) -> Outcome | None:
        """Tell what became of a request; None when it has no answer."""
        return BY_WORTH[self._worth[index]]

    def tells(self, code: str) -> bool:
        """Tell whether the error of any request has this code."""
        return code in self._codes.values()

    def refused_us(self) -> tuple[str, int]:
        """Return a code by which requests were refused for want of money or of a key, and of how many; 0 if of none."""
        codes = [code for code in self._codes.values() if code in OPERATOR]
        return codes[0] if codes else "", len(codes)

    def code(self, index: int) -> str:
        """Name the error of a request that did not succeed."""
        return self._codes[index]

    def line(self, index: int) -> bytes:
        """Return the provider's line for a request: as it came, and mended if it is not quite JSON."""
        self._check_time()
        return self._line(index)

    def lines(self, indexes: list[int]) -> Iterator[tuple[list[int], bytes]]:
        """Yield the lines of these requests in this order, some at a time: their sizes and, joined, their bytes.

        Each has a line end, whether it came with one or not.
        """
        ends = list(accumulate(self._sizes[index] for index in indexes))
        at, taken = 0, 0
        while at < len(indexes):
            self._check_time()
            stop = max(at + 1, bisect_right(ends, taken + PIECE))
            yield self._some(indexes[at:stop])
            at, taken = stop, ends[stop - 1]

    def count(self, code: str) -> int:
        """Count the requests whose error has this code."""
        return list(self._codes.values()).count(code)

    def reject(self, index: int, code: str) -> None:
        """Count a success as a transient error."""
        self._worth[index], self._codes[index] = WORTH[Outcome.TRANSIENT], code

    def succeeded(self) -> int:
        """Count the requests answered with success."""
        return self._worth.count(BEST)

    def final(self) -> int:
        """Count the requests whose outcome is final."""
        return self.succeeded() + self._worth.count(WORTH[Outcome.REFUSED])

    def parted(self) -> tuple[list[int], list[int]]:
        """Part the requests, in order, into those that succeeded and all others."""
        found: tuple[list[int], list[int]] = [], []
        for index, worth in enumerate(self._worth):
            found[worth != BEST].append(index)
        return found

    @property
    def mended(self) -> int:
        """Count the answers that are not quite JSON, or not UTF-8, and are kept mended."""
        return len(self._to_mend)

    @property
    def empty(self) -> int:
        """Count the requests that were answered with success and an empty body."""
        return len(self._empty)

    def ran(self) -> int:
        """Count the requests with an answer that tells that they were run."""
        return len(self._worth) - self.missing() - self._worth.count(WORTH[Outcome.UNFINISHED])

    def missing(self) -> int:
        """Count the requests that have no answer at all."""
        return self._worth.count(0)

    def _spooled(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._check_time()
            self._keep(chunk)
            self._end += len(chunk)
            yield chunk

    def _keep(self, chunk: bytes) -> None:
        left = memoryview(chunk)
        try:
            while left:
                left = left[self._spool.write(left) :]
        except OSError as error:
            raise DiskFull(f"{self._end:,} bytes of answers were kept, and no more fit: {error}. {REMEDY}") from error

    def _check_time(self) -> None:
        if self._budget.low:
            raise TooSlow(
                f"{self._end:,} bytes of answers came, and a function's 15 minutes are too few to store all. {REMEDY}"
            )

    def _spool_at(self, size: int, offset: int) -> bytes:
        return os.pread(self._spool.fileno(), size, offset)

    def _line(self, index: int) -> bytes:
        came = self._spool_at(self._sizes[index], self._offsets[index])
        line = mended(came) if index in self._to_mend else came
        return line if self._give_back is None else self._give_back(index, line)

    def _some(self, indexes: list[int]) -> tuple[list[int], bytes]:
        sizes, offsets = [self._sizes[index] for index in indexes], [self._offsets[index] for index in indexes]
        if offsets == list(accumulate(sizes[:-1], initial=offsets[0])):  # they came in order
            data = self._spool_at(sum(sizes), offsets[0])
        else:
            data = b"".join(map(self._spool_at, sizes, offsets))
        if len(data) != sum(sizes):
            raise BatchyardError(f"{len(data)} bytes of {sum(sizes)} were read back from the disk")
        if self._give_back is None and data.count(b"\n") == len(sizes) and self._to_mend.isdisjoint(indexes):
            return sizes, data
        whole = [line if line.endswith(b"\n") else line + b"\n" for line in map(self._line, indexes)]
        return list(map(len, whole)), b"".join(whole)

    def _take_successes(self, block: LineBlock, start: int) -> bool:
        """Take lines at once if all are plain successes, each the only answer to its request so far."""
        found = None if self._native else successes(block.lines)
        if found is None:
            return False
        indexes = list(map(self._indexes.get, found.custom_ids, repeat(-1)))
        if -1 in indexes or len(set(indexes)) < len(indexes) or any(map(self._worth.__getitem__, indexes)):
            return False
        for index, offset, size in zip(indexes, accumulate(block.sizes, initial=start), block.sizes, strict=False):
            self._worth[index], self._offsets[index], self._sizes[index] = BEST, offset, size
        self.usage += found.usage
        self.unmetered += 0 if self._free else found.unmetered
        self._empty.update(map(indexes.__getitem__, found.empty))
        return True

    def _take_each(self, block: LineBlock, start: int) -> None:
        for text, offset, size in zip(block.lines, accumulate(block.sizes, initial=start), block.sizes, strict=False):
            mark = len(BOM) if text.startswith(BOM) else 0
            if size > LONGEST_ANSWER or not text.isspace():
                self._take(text[mark:], offset + mark, size - mark)

    def _take(self, text: bytes, offset: int, size: int) -> None:
        answer = outcomes.parse(text)  # a line that was too long to hold is empty: no answer
        index = self._indexes.get(answer.custom_id) if answer else None
        if answer is None or index is None:
            self.strays += 1
            return
        outcome = outcomes.outcome_of(answer)
        self.strays += bool(self._worth[index])  # one of the two is not counted
        if WORTH[outcome] <= self._worth[index]:
            return
        self._worth[index], self._offsets[index], self._sizes[index] = WORTH[outcome], offset, size
        (self._to_mend.discard if mended(text) == text else self._to_mend.add)(index)
        if outcome is not Outcome.SUCCEEDED:
            self._codes[index] = outcomes.code_of(answer)
            return
        if self._native:
            told, used = (found := outcomes.usage_in_line(text)) is not None, found or Usage()
        else:
            told, used = outcomes.tells_usage(answer) or self._free, outcomes.usage_of(answer)
        self.unmetered += not told
        self.usage += used
        if used == Usage() and is_empty(text):
            self._empty.add(index)
