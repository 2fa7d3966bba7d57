"""Result lines, one for each row that was asked, in the order of the rows."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, Literal

import msgspec

from batch_client import decode_mended

from .errors import ResultsMismatch

PREFIX: Final = "row-"
#: How many lines, and bytes of them, are held where they come before their turn.
MOST_HELD: Final = 20_000
MOST_HELD_BYTES: Final = 64_000_000
#: What to do where a row has no result: `refuse` all, or `tell` it in the row's error.
Absent = Literal["refuse", "tell"]
#: The line of a row that has none.
NO_RESULT: Final = {"error": {"code": "no_result", "message": "there is no result for this row"}}
_DECODE: Final = msgspec.json.Decoder().decode
_SHOWN: Final = 80


class Results:
    """The lines of output and errors, taken row by row; a line that comes too early waits, within bounds."""

    def __init__(self, lines: Iterable[bytes], absent: Absent = "refuse") -> None:
        self._tell = absent == "tell"
        self._lines = chain.from_iterable(piece.split(b"\n") for piece in lines)
        self._early: dict[int, bytes] = {}
        self._held = 0
        #: How many lines were taken, and how many rows had none.
        self.taken = self.absent = 0

    def of(self, row: int) -> dict[str, Any]:
        """Return the line of a row; rows are asked for in order."""
        line = self._early.pop(row, None)
        if line is None:
            return self._next(row)
        self._held -= len(line)
        self.taken += 1
        return _decoded(line)

    def end(self) -> None:
        """Refuse lines that are left."""
        if self._early:
            raise ResultsMismatch(f"There is a result for row {min(self._early)}, which is no row that was asked")
        for _, found in self._read():
            raise ResultsMismatch(f"There is a result for row {found[0]}, which is no row that was asked")

    def _next(self, row: int) -> dict[str, Any]:
        for line, (number, found) in self._read():
            if number == row:
                self.taken += 1
                return found
            if number < row or number in self._early:
                raise ResultsMismatch(f"There are two results for row {number}, or row {number} was not asked")
            self._early[number] = line
            self._held += len(line)
            if len(self._early) > MOST_HELD or self._held > MOST_HELD_BYTES:
                return self._none(row, " where it should be: the results must be in the order of the rows")
        return self._none(row, ": the results are not those of this table, or not whole")

    def _none(self, row: int, why: str) -> dict[str, Any]:
        if not self._tell:
            raise ResultsMismatch(f"There is no result for row {row}{why}")
        self.absent += 1
        return NO_RESULT

    def _read(self) -> Iterator[tuple[bytes, tuple[int, dict[str, Any]]]]:
        for line in self._lines:
            if line:
                found = _decoded(line)
                yield line, (_row(found), found)


def _decoded(line: bytes) -> dict[str, Any]:
    try:
        found = _DECODE(line)
    except msgspec.MsgspecError:
        found = _odd(line)
    if not isinstance(found, dict):
        raise ResultsMismatch(f"A result is no JSON object: {line[:_SHOWN]!r}")
    return found


def _odd(line: bytes) -> object:
    """Read a line with numbers or texts that strict readers refuse."""
    try:
        return decode_mended(line)
    except ValueError as error:
        raise ResultsMismatch(f"A result is no JSON: {line[:_SHOWN]!r}") from error


def _row(found: dict[str, Any]) -> int:
    name = found.get("custom_id")
    digits = name.removeprefix(PREFIX) if isinstance(name, str) and name.startswith(PREFIX) else ""
    if not (digits.isascii() and digits.isdigit()):
        raise ResultsMismatch(
            f"The result {name!r} is of no row of a table: its custom_id must be {PREFIX}1, {PREFIX}2, …"
        )
    return int(digits)
