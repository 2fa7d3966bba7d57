"""Result lines in the order of the input: output and errors are walked side by side, and each line has its place.

Batchyard's results are in input order, so that memory stays flat. Those of a provider may be in any order: then an index of
their places is made.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from .errors import Refused
from .fetching import Results

MOST_INDEXED: Final = 2_000_000  # lines whose places are held in memory; a provider batch has 50,000


class _Line(msgspec.Struct):
    custom_id: str | None = None
    error: "_Error | None" = None


class _Error(msgspec.Struct):
    line: int | None = None


_DECODER = msgspec.json.Decoder(_Line)
OTHER: Final = "other"


class _Told(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None
    message: str | None = None
    line: int | None = None


class _Body(msgspec.Struct):
    error: _Told | None = None


class _Response(msgspec.Struct):
    status_code: int = 0
    body: _Body = msgspec.field(default_factory=_Body)


class _Outcome(msgspec.Struct):
    response: _Response | None = None
    error: _Told | None = None


_CAUSES = msgspec.json.Decoder(_Outcome)


class _Walk:
    """One file of results, with the line at which the walk stands."""

    def __init__(self, path: Path) -> None:
        self._lines = _lines(path)
        self.line: bytes | None = None
        self.custom_id: str | None = None
        self.number: int | None = None
        self.step()

    def step(self) -> None:
        """Go on to the next line."""
        self.line = next(self._lines, None)
        if self.line is not None:
            found = _DECODER.decode(self.line)
            self.custom_id, self.number = found.custom_id, found.error.line if found.error else None

    def is_of(self, custom_id: str | None, number: int) -> bool:
        """Tell whether the line is that of a request, by its id or by its number in the input, from 1."""
        if self.line is None:
            return False
        return self.custom_id == custom_id if self.custom_id else self.number == number


def in_order(results: Results, custom_ids: Iterable[str | None]) -> Iterator[bytes]:
    """Yield the result line of each request, in the order of the requests; raises Refused if one is missing."""
    walks = [_Walk(results.output), _Walk(results.errors)]
    ids = iter(custom_ids)
    for number, custom_id in enumerate(ids, start=1):
        walk = next((each for each in walks if each.is_of(custom_id, number)), None)
        if walk is None or walk.line is None:
            yield from _by_index(results, custom_id, ids, number)
            return
        yield walk.line
        walk.step()
    if any(walk.line is not None for walk in walks):
        raise Refused("The results hold more lines than the input. Is this the input of that batch?")


def by_rows(results: Results) -> Iterator[bytes]:
    """Yield the result lines of a table, whose ids end in the numbers of the rows, in the order of the rows."""
    if not (_ascends(results.output) and _ascends(results.errors)):
        places = sorted((row, path, at) for path in (results.output, results.errors) for row, at in _rows_of(path))
        if len(places) > MOST_INDEXED:
            raise Refused("The results are in no order, and are too many to be sorted here.")
        with results.output.open("rb") as output, results.errors.open("rb") as errors:
            files = {results.output: output, results.errors: errors}
            for _, path, at in places:
                files[path].seek(at)
                yield files[path].readline()
        return
    walks = [_Walk(results.output), _Walk(results.errors)]
    while open_walks := [walk for walk in walks if walk.line is not None]:
        walk = min(open_walks, key=lambda each: row_of(each.custom_id))
        yield walk.line or b""
        walk.step()


def with_gaps(lines: Iterable[bytes]) -> Iterator[bytes | None]:
    """Yield the result lines of a table with None for each row that was not asked, as far as the last line."""
    row = 1
    for line in lines:
        found = row_of(_DECODER.decode(line).custom_id)
        yield from (None for _ in range(row, found))
        yield line
        row = found + 1


def row_of(custom_id: str | None) -> int:
    """Return the number at the end of the id of a row; raises Refused for the id of another input."""
    _, _, digits = (custom_id or "").rpartition("-")
    if not (digits.isascii() and digits.isdigit()):
        raise Refused(f"The result {custom_id!r} is of no row of a table. Is this the input of that batch?")
    return int(digits)


def _ascends(path: Path) -> bool:
    last = 0
    for row, _ in _rows_of(path):
        if row <= last:
            return False
        last = row
    return True


def _rows_of(path: Path) -> Iterator[tuple[int, int]]:
    at = 0
    for line in _lines(path):
        yield row_of(_DECODER.decode(line).custom_id), at
        at += len(line)


def _by_index(results: Results, first: str | None, rest: Iterator[str | None], number: int) -> Iterator[bytes]:
    """Yield the lines of the requests from the one with this number on, by an index of all results."""
    places: dict[str | None, tuple[Path, int]] = {}
    for path in (results.errors, results.output):  # an answer goes before an error
        at = 0
        for line in _lines(path):
            found = _DECODER.decode(line).custom_id
            if found is not None:
                places[found] = (path, at)
            at += len(line)
            if len(places) > MOST_INDEXED:
                raise Refused("The results are in another order than the input. Is this the input of that batch?")
    with results.output.open("rb") as output, results.errors.open("rb") as errors:
        files = {results.output: output, results.errors: errors}
        for at, custom_id in enumerate(_chain(first, rest), start=number):
            if custom_id not in places:
                raise Refused(f"There is no result for request {at} ({custom_id}). Is this the input of that batch?")
            path, start = places[custom_id]
            files[path].seek(start)
            yield files[path].readline()


def _chain(first: str | None, rest: Iterator[str | None]) -> Iterator[str | None]:
    yield first
    yield from rest


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=1024 * 1024) as file:
        yield from file


def bad_lines(errors: Path) -> int:
    """Count the errors of lines that were never sent because they are no requests: such an error names its line."""
    suspects = (line for line in _lines(errors) if b'"line":' in line)
    found = (_DECODER.decode(line).error for line in suspects)
    return sum(error is not None and error.line is not None for error in found)


def causes(errors: Path) -> tuple[dict[str, int], str]:
    """Count the errors of lines that were sent by their code, the most frequent first, with the first words of that one."""
    counts, words = dict[str, int](), dict[str, str]()
    for code, message in filter(None, map(_cause, _lines(errors))):
        counts[code] = counts.get(code, 0) + 1
        words.setdefault(code, message)
    most = dict(sorted(counts.items(), key=lambda each: -each[1]))
    return most, words[next(iter(most))] if most else ""


def _cause(line: bytes) -> tuple[str, str] | None:
    """Return the code of an error and its words, which an answer has in its body; None of a line that was never sent."""
    try:
        found = _CAUSES.decode(line)
    except msgspec.DecodeError:  # the provider words its errors otherwise
        return OTHER, ""
    if found.error is not None and found.error.line is not None:
        return None
    told = found.error or (found.response.body.error if found.response else None) or _Told()
    status = f"http_{found.response.status_code}" if found.response else OTHER
    return str(told.code or told.type or status), told.message or ""


def ids_of(lines: Iterable[bytes]) -> Iterator[str | None]:
    """Yield the custom_id of each request; None where a line has none."""
    for line in lines:
        try:
            yield _DECODER.decode(line.removeprefix(b"\xef\xbb\xbf")).custom_id
        except msgspec.DecodeError:  # a bad line that was skipped: its result names its number
            yield None
