"""The lines of a result, one after the other; a line is decoded only if it must be, and once."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from batchyard.domain import outcomes
from batchyard.domain.batch import InputObject
from batchyard.lines.blocks import blocks
from batchyard.lines.line import custom_id_of

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket

LONGEST_ANSWER: Final = 512 * 1024 * 1024


class _Error(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Told(msgspec.Struct, gc=False):
    id: str | None = None
    custom_id: str | None = None
    error: _Error | None = None


class _Named(msgspec.Struct, gc=False):
    custom_id: str


_TOLD: Final = msgspec.json.Decoder(_Told)
_NAMED: Final = msgspec.json.Decoder(_Named)
# How lines and answers usually begin, with a custom_id that has no escapes.
BEGINNING: Final = re.compile(rb'\{ *"custom_id" *: *"([^"\\]+)"').match
ANSWER_BEGINNING: Final = re.compile(rb'\{ *"id" *: *"[^"\\]*" *, *"custom_id" *: *"([^"\\]+)"').match


class ResultLine:
    """A line of a result, and where it stands."""

    def __init__(self, text: bytes, offset: int) -> None:
        """Take the line and its byte."""
        self.text, self.offset = text, offset

    @cached_property
    def custom_id(self) -> str | None:
        """Return the custom_id; None if the line tells none."""
        return _custom_id(self.text)

    @cached_property
    def told(self) -> _Told:
        """Return what the line tells beside an answer; nothing if it cannot be read."""
        try:
            return _TOLD.decode(self.text)
        except (ValueError, RecursionError):
            return _Told()

    def is_of(self, line: bytes) -> bool:
        """Tell whether the answer is that of a line of the input; of most, how both begin tells."""
        asked, told = BEGINNING(line), ANSWER_BEGINNING(self.text)
        if asked is not None and told is not None and asked[1] == told[1]:
            return True
        custom_id = _id_of(line)
        return custom_id is not None and custom_id == self.custom_id


class ResultLines:
    """A result, line by line."""

    def __init__(self, bucket: "Bucket", source: InputObject, offset: int, left: int | None = None) -> None:
        """Read from a byte on; `left` is how many lines are left of the file that is read, None where that is no matter."""
        self.offset, self.left = offset, left
        self._lines = self._read(bucket, source, offset)
        self.next: ResultLine | None = next(self._lines, None)

    @property
    def within(self) -> ResultLine | None:
        """Return the next line; None if it is not of the file that is read."""
        return None if self.left == 0 else self.next

    def move_on(self) -> None:
        """Go on to the line behind the next one."""
        self.offset += len(self.next.text) if self.next else 0
        self.left = self.left - 1 if self.left else self.left
        self.next = next(self._lines, None)

    @staticmethod
    def _read(bucket: "Bucket", source: InputObject, offset: int) -> Iterator[ResultLine]:
        for block in blocks(bucket.chunks(source, offset), LONGEST_ANSWER):
            for text, size in zip(block.lines, block.sizes, strict=True):
                yield ResultLine(text, offset)
                offset += size


def _id_of(text: bytes) -> str | None:
    """Read the custom_id of a line of the input, good or bad."""
    try:
        return _NAMED.decode(text).custom_id
    except (ValueError, RecursionError):  # nothing bounds a short line that breaks off
        return custom_id_of(text)


def _custom_id(text: bytes) -> str | None:
    """Read the custom_id of a line of a result."""
    try:
        return _TOLD.decode(text).custom_id if b'"response":null' in text else _NAMED.decode(text).custom_id
    except (ValueError, RecursionError):
        answer = outcomes.parse(text)
        return answer.custom_id if answer else None
