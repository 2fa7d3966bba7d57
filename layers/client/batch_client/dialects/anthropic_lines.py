"""One line of a batch, from OpenAI's shape to Anthropic's and back; pure, and no byte of a body is changed.

A request goes by its number in the job, as Anthropic takes fewer characters in a `custom_id` than callers write. Before the
number stands the mark of the job, by which a job whose answer was lost is told from others.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from ..errors import SourceError
from ..mending import mended
from ..nesting import shallow
from ..profiles import Sign
from ..sources import Source
from ..upload import chunks_of

HEAD, TAIL = b'{"requests":[', b"]}"
_MARK_DIGITS: Final = 10
_LEVELS: Final = 500  # of arrays and objects; no answer that is of use nests deeper
_STATUSES: Final = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413, "rate_limit_error": 429, "api_error": 500, "timeout_error": 504,
    "overloaded_error": 529,
}  # fmt: skip
_UNKNOWN_ERROR: Final = 500  # as a failure of the service: sent again, some times
_NOT_RUN: Final = {
    "canceled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
}
#: The code that stands for an account that has no money, or may spend no more.
EMPTY_PURSE: Final = "credit_balance_exhausted"
#: The most bytes of a result: an answer of the most tokens there are has a few million.
LONGEST_LINE: Final = 64 * 1024 * 1024
#: A line that is an answer to no request.
STRAY: Final = b'{"custom_id":null}\n'


class _Request(msgspec.Struct):
    body: msgspec.Raw


class _Result(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Line(msgspec.Struct):
    custom_id: str
    result: _Result


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Envelope(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)
    request_id: str | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)
_LINE: Final = msgspec.json.Decoder(_Line)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def mark_of(key: str) -> str:
    """Return the mark of the job with this key, which every request of the job bears."""
    return hashlib.sha256(key.encode()).hexdigest()[:_MARK_DIGITS]


def encode(line: bytes, mark: str, number: int) -> bytes:
    """Return the request of a line, under its number in the job from 0. Raises SourceError for a line without a body."""
    try:
        body = _REQUEST.decode(line).body
    except (ValueError, RecursionError) as error:
        raise SourceError(f"Line {number + 1} is no request with a body") from error
    return b'{"custom_id":"%s-%d","params":%s}' % (mark.encode(), number, bytes(body))


def decode(line: bytes, ids: Sequence[str], mark: str, no_money: Iterable[Sign] = ()) -> tuple[int | None, bytes]:
    """Return the number of the request that a line answers, and OpenAI's line of it.

    None for an answer to no request of the job with this mark. `no_money` tells how an account without money looks.
    """
    found = _read(line)
    number = number_in(found.custom_id, mark) if found else None
    if found is None or number is None or number >= len(ids):
        return None, STRAY
    name = b'{"id":%s,"custom_id":%s,' % (msgspec.json.encode(found.custom_id), msgspec.json.encode(ids[number]))
    return number, name + _members_of(found.result, no_money) + b"}\n"


def number_in(custom_id: str, mark: str) -> int | None:
    """Return the number of the request with this id; None if the job with this mark has no such."""
    its, _, digits = custom_id.rpartition("-")
    ours = its == mark and digits.isdecimal() and digits.isascii() and len(digits) < _MARK_DIGITS
    return int(digits) if ours else None


def id_of(line: bytes) -> str | None:
    """Return the `custom_id` of a line of results; None if there is none."""
    found = _read(line)
    return found.custom_id if found else None


def _read(line: bytes) -> _Line | None:
    try:
        return _LINE.decode(line)
    except (ValueError, RecursionError):
        return _mended(line)


def _mended(line: bytes) -> _Line | None:
    """Read a line that is not quite JSON; None for one that cannot be read, whose request then has no answer."""
    try:
        return _LINE.decode(shallow(mended(line), _LEVELS))
    except (ValueError, RecursionError):
        return None


def _members_of(result: _Result, no_money: Iterable[Sign]) -> bytes:
    if result.type == "succeeded" and bytes(result.message):
        return _response(200, None, result.message)
    if result.type in _NOT_RUN:
        return _error(*_NOT_RUN[result.type])
    try:
        envelope = _ENVELOPE.decode(result.error)
    except (ValueError, RecursionError):
        return _error(result.type[:64] or "no_result", "The service answered in a way that is not known.")
    error = envelope.error
    if any(sign.shows(None, {error.type}, error.message) for sign in no_money):  # by type it may be the request's fault
        return _error(EMPTY_PURSE, error.message)
    status = _STATUSES.get(error.type, _UNKNOWN_ERROR)
    return _response(status, envelope.request_id, result.error)


def _response(status: int, request_id: str | None, body: msgspec.Raw) -> bytes:
    request_id_json = msgspec.json.encode(request_id)
    members = b'"response":{"status_code":%d,"request_id":%s,"body":%s},"error":null'
    return members % (status, request_id_json, bytes(body))


def _error(code: str, message: str) -> bytes:
    return b'"response":null,"error":' + msgspec.json.encode({"code": code, "message": message})


class Requests:
    """Give the requests of lines, with commas between; each is as long as its line, so the length is known beforehand.

    A request is shorter than its line, whose `custom_id`, `method` and `url` it does not have. Spaces make up for that.
    """

    def __init__(self, lines: Source, mark: str) -> None:
        self._lines, self._mark = lines, mark

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[bytes]:
        for number, line in enumerate(lines_of(chunks_of(self._lines))):
            yield self._as_long_as(line, number)

    def _as_long_as(self, line: bytes, number: int) -> bytes:
        request = (b"," if number else b" ") + encode(line, self._mark, number)
        if len(request) > len(line):
            raise SourceError(f"Line {number + 1} is too short to be a request with `custom_id`, `url` and `body`")
        return request.ljust(len(line))


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
