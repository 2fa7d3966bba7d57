"""The answers of one provider batch, joined to the lines they answer."""

import math
import os
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, repeat
from typing import Final, Literal, NamedTuple

import msgspec

from batchyard.domain import outcomes
from batchyard.domain.batch import Usage
from batchyard.domain.errors import BatchyardError, DiskFull, TooSlow
from batchyard.domain.outcomes import BodyUsage, Outcome, usage_in
from batchyard.domain.time_budget import TimeBudget
from batchyard.lines.blocks import LineBlock, blocks
from batchyard.lines.file_kinds import BOM

PIECE: Final = 512 * 1024
AT_ONCE: Final = 64  # lines: one that needs a look of its own costs its neighbours one, too
LONGEST_ANSWER: Final = 512 * 1024 * 1024
# When a request is answered more than once, the answer that is worth most stands, and among equals the first.
WORTH: Final = {Outcome.UNFINISHED: 1, Outcome.TRANSIENT: 2, Outcome.REFUSED: 3, Outcome.SUCCEEDED: 4}
BY_WORTH: Final = (None, *WORTH)
BEST: Final = WORTH[Outcome.SUCCEEDED]
REMEDY: Final = "Lower MaxRequestsPerShard, so that the answers of one provider batch fit, and run the batch again."


class _Body(msgspec.Struct, gc=False):
    usage: BodyUsage | None = None


class _Response(msgspec.Struct, gc=False):
    status_code: Literal[200]
    body: _Body


class _Success(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response
    error: None = None


_SUCCESS: Final = msgspec.json.Decoder(_Success)


class Successes(NamedTuple):
    """What lines of plain successes hold: the custom_id of each, and the tokens of all of them."""

    custom_ids: list[str]
    usage: Usage


def successes(lines: list[bytes]) -> Successes | None:
    """Read plain successes; None if any line is another thing or needs a look of its own.

    Each line gives the same outcome when `outcomes` reads it alone. Members that nobody reads may hold bytes that are
    not UTF-8: they change no outcome.
    """
    try:
        found = list(map(_SUCCESS.decode, lines))
    except (ValueError, RecursionError):  # nothing bounds how deep an answer nests
        return None
    used = [line.response.body.usage for line in found if line.response.body.usage is not None]
    return Successes([line.custom_id for line in found], usage_in(used))


class Answers:
    """Spool the provider's files to disk and remember for each request where its answer stands.

    Requests are known by index: their place in what the attempt uploaded. Memory is a few bytes a request.
    """

    def __init__(self, custom_ids: Iterable[str], seconds_left: Callable[[], float] = lambda: math.inf) -> None:
        """Expect answers to these requests; taking or giving them raises TooSlow when `seconds_left` runs low."""
        self._budget = TimeBudget(seconds_left)
        self._indexes = {custom_id: index for index, custom_id in enumerate(custom_ids)}
        count = len(self._indexes)
        self._worth = bytearray(count)
        self._offsets = array("Q", bytes(8 * count))
        self._sizes = array("I", bytes(4 * count))
        self._codes: dict[int, str] = {}
        self._spool = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the object, a context manager
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

    def code(self, index: int) -> str:
        """Name the error of a request that did not succeed."""
        return self._codes[index]

    def line(self, index: int) -> bytes:
        """Return the provider's line for a request, as it came."""
        self._check_time()
        return self._spool_at(self._sizes[index], self._offsets[index])

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

    def _some(self, indexes: list[int]) -> tuple[list[int], bytes]:
        sizes, offsets = [self._sizes[index] for index in indexes], [self._offsets[index] for index in indexes]
        if offsets == list(accumulate(sizes[:-1], initial=offsets[0])):  # they came in order
            data = self._spool_at(sum(sizes), offsets[0])
        else:
            data = b"".join(map(self._spool_at, sizes, offsets))
        if len(data) != sum(sizes):
            raise BatchyardError(f"{len(data)} bytes of {sum(sizes)} were read back from the disk")
        if data.count(b"\n") == len(sizes):
            return sizes, data
        whole = [line if line.endswith(b"\n") else line + b"\n" for line in map(self._spool_at, sizes, offsets)]
        return list(map(len, whole)), b"".join(whole)

    def _take_successes(self, block: LineBlock, start: int) -> bool:
        """Take lines at once if all are plain successes, each the only answer to its request so far."""
        found = successes(block.lines)
        if found is None:
            return False
        indexes = list(map(self._indexes.get, found.custom_ids, repeat(-1)))
        if -1 in indexes or len(set(indexes)) < len(indexes) or any(map(self._worth.__getitem__, indexes)):
            return False
        for index, offset, size in zip(indexes, accumulate(block.sizes, initial=start), block.sizes, strict=False):
            self._worth[index], self._offsets[index], self._sizes[index] = BEST, offset, size
        self.usage += found.usage
        return True

    def _take_each(self, block: LineBlock, start: int) -> None:
        for text, offset, size in zip(block.lines, accumulate(block.sizes, initial=start), block.sizes, strict=False):
            mark = len(BOM) if text.startswith(BOM) else 0
            if size > LONGEST_ANSWER or not text.isspace():
                self._take(text, offset + mark, size - mark)

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
        if outcome is Outcome.SUCCEEDED:
            self.usage += outcomes.usage_of(answer)
        else:
            self._codes[index] = outcomes.code_of(answer)
