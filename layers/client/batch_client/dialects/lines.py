"""What the dialects share whose lines differ from OpenAI's: parting lines, reading them leniently, writing OpenAI's results."""

import math
from collections.abc import Iterator
from typing import Final, TypeVar

import msgspec

from ..errors import SourceError
from ..mending import mended
from ..nesting import shallow

T = TypeVar("T")

_LEVELS: Final = 500  # of arrays and objects; no answer that is of use nests deeper
#: A line that is an answer to no request.
STRAY: Final = b'{"custom_id":null}\n'


class _Request(msgspec.Struct):
    body: msgspec.Raw


_REQUEST: Final = msgspec.json.Decoder(_Request)


def body_of(line: bytes, number: int) -> bytes:
    """Return the body of a request, whose number from 0 an error names. Raises SourceError for a line without a body."""
    try:
        return bytes(_REQUEST.decode(line).body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"Line {number + 1} is no request with a body") from error


def lines_of(chunks: Iterator[bytes], longest: float = math.inf) -> Iterator[bytes]:
    """Yield the lines of chunks, each with its line end, if it has one.

    A line of more than `longest` bytes is not held: it comes as nothing, as soon as it is too long.
    """
    rest: list[bytes] = []
    size, skips = 0, False
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start) + 1) > 0:
            rest.append(chunk[start:end])
            if not skips:
                yield b"".join(rest)
            rest, size, skips, start = [], 0, False, end
        size += len(chunk) - start
        if size > longest and not skips:
            yield b""
            rest, skips = [], True
        elif start < len(chunk) and not skips:
            rest.append(chunk[start:])
    if rest:
        yield b"".join(rest)


def read_line(decoder: msgspec.json.Decoder[T], line: bytes) -> T | None:
    """Read a line, also one that is not quite JSON; None for one that cannot be read, whose request then has no answer."""
    try:
        return decoder.decode(line)
    except (ValueError, RecursionError):
        return _read_mended(decoder, line)


def _read_mended(decoder: msgspec.json.Decoder[T], line: bytes) -> T | None:
    try:
        return decoder.decode(shallow(mended(line), _LEVELS))
    except (ValueError, RecursionError):
        return None


def result(told_id: str, custom_id: str, outcome: bytes) -> bytes:
    """Return OpenAI's result line of a request."""
    return b'{"id":%s,"custom_id":%s,%s}\n' % (msgspec.json.encode(told_id), msgspec.json.encode(custom_id), outcome)


def answered(status: int, request_id: str | None, body: bytes) -> bytes:
    """Return the outcome of a request that was answered, with the body as it came."""
    told = msgspec.json.encode(request_id)
    return b'"response":{"status_code":%d,"request_id":%s,"body":%s},"error":null' % (status, told, body)


def failed(code: str, message: str) -> bytes:
    """Return the outcome of a request without an answer."""
    return b'"response":null,"error":' + msgspec.json.encode({"code": code, "message": message})
