"""The names by which the requests of a gathered batch go to the provider, and back.

A custom_id is unique within a file only. So a request goes by its position in the batch, which is written as a number without
zeros before it: services that take names for numbers give the same text back.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast, overload

import msgspec

from batch_client import decode_mended, mended
from batchyard.domain import nesting
from batchyard.domain.nesting import with_few_levels
from batchyard.lines.blocks import blocks
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.shard_lines import ShardLines

FIRST: Final = 10**11  # the name of the first request
#: A custom_id has one character at least, so no line grows by more bytes than this.
GROWTH: Final = len(str(FIRST)) - 1
LONGEST_LINE: Final = 512 * 1024 * 1024
_ID: Final = "custom_id"
# One pattern for all names: to compile a pattern takes far longer than to search an answer.
_NUMBERED: Final = re.compile(rb'(?P<member>"custom_id"\s*:\s*)"?(?P<name>[0-9]+)"?')
_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def name_of(position: int) -> str:
    """Return the name of the request at this position."""
    return str(FIRST + position)


class Names(Sequence[str]):
    """The names of requests at these positions; each is made when it is asked for."""

    def __init__(self, positions: Sequence[int]) -> None:
        """Take the positions."""
        self._positions = positions

    def __len__(self) -> int:
        """Count the names."""
        return len(self._positions)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        """Return one name, or some."""
        if isinstance(at, slice):
            return list(map(name_of, self._positions[at]))
        return name_of(self._positions[at])


def names_of(lines: ShardLines, *, gathered: bool) -> Sequence[str]:
    """Return the names by which the lines of a shard go to the provider: those of their user, if the batch is not gathered."""
    return Names(lines.positions) if gathered else lines.custom_ids


def giving_back(lines: ShardLines, ordinals: Sequence[int]) -> Callable[[int, bytes], bytes]:
    """Return what makes of an answer, by the place of its request in the attempt, the answer to its user."""

    def give_back(index: int, answer: bytes) -> bytes:
        ordinal = ordinals[index]
        return given_back(answer, lines.positions[ordinal], lines.custom_ids[ordinal])

    return give_back


class NamedRequests:
    """The requests of an attempt under our names, as a body of known length that can be read more than once.

    Each line is `GROWTH` bytes longer than its line in the input: blanks before the line end make up for what it lacks.
    """

    def __init__(self, lines: ByteRanges, positions: Sequence[int]) -> None:
        """Take the lines as they stand in the input, and the position of each."""
        self._lines, self._positions = lines, positions

    def __len__(self) -> int:
        """Count the bytes."""
        return len(self._lines) + GROWTH * len(self._positions)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines, some at a time."""
        positions = iter(self._positions)
        for block in blocks(self._lines, LONGEST_LINE):
            yield b"".join(named(line, next(positions)) for line in block.lines)


def named(line: bytes, position: int) -> bytes:
    """Return a well-formed line under our name."""
    request = _written({_ID: msgspec.Raw(msgspec.json.encode(name_of(position))), **_others(line)})
    return request.ljust(len(line) + GROWTH - 1) + b"\n"


def _others(line: bytes) -> dict[str, msgspec.Raw]:
    """Read the members of a line but for its custom_id."""
    members = _MEMBERS.decode(line)
    return {name: value for name, value in members.items() if name != _ID}


def _written(members: Mapping[str, msgspec.Raw]) -> bytes:
    return b"{%s}" % b",".join(b"%s:%s" % (msgspec.json.encode(name), bytes(value)) for name, value in members.items())


def given_back(answer: bytes, position: int, custom_id: str) -> bytes:
    """Return the answer to a request with the custom_id of its user in the place of our name."""
    name, own = name_of(position).encode(), msgspec.json.encode(custom_id)
    found = [each for each in _NUMBERED.finditer(answer) if each["name"] == name]
    if len(found) == 1:
        return b"".join((answer[: found[0].start()], found[0]["member"], own, answer[found[0].end() :]))
    return _written_anew(answer, own)


def _written_anew(answer: bytes, own: bytes) -> bytes:
    """Write an answer anew that tells its custom_id in an odd way, or that of another place, too."""
    try:
        members = _MEMBERS.decode(mended(answer))
    except (ValueError, RecursionError):
        read = cast("dict[str, Any]", decode_mended(with_few_levels(answer)))  # it is an answer: that was read before
        members = {name: msgspec.Raw(nesting.encode(value).encode()) for name, value in read.items()}
    return _written(members | {_ID: msgspec.Raw(own)}) + b"\n"
