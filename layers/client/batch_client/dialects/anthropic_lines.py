"""One line of a batch, from OpenAI's shape to Anthropic's and back; pure, and no byte of a body is changed.

A request goes by its number in the job, as Anthropic takes fewer characters in a `custom_id` than callers write. Before the
number stands the mark of the job, by which a job whose answer was lost is told from others.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from ..errors import SourceError
from ..profiles import Sign
from ..sources import Source
from ..upload import chunks_of
from .lines import STRAY, answered, body_of, failed, lines_of, read_line, result

HEAD, TAIL = b'{"requests":[', b"]}"
_MARK_DIGITS: Final = 10
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


_LINE: Final = msgspec.json.Decoder(_Line)
_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)


def mark_of(key: str) -> str:
    """Return the mark of the job with this key, which every request of the job bears."""
    return hashlib.sha256(key.encode()).hexdigest()[:_MARK_DIGITS]


def encode(line: bytes, mark: str, number: int) -> bytes:
    """Return the request of a line, under its number in the job from 0. Raises SourceError for a line without a body."""
    return b'{"custom_id":"%s-%d","params":%s}' % (mark.encode(), number, body_of(line, number))


def decode(line: bytes, ids: Sequence[str], mark: str, no_money: Iterable[Sign] = ()) -> tuple[int | None, bytes]:
    """Return the number of the request that a line answers, and OpenAI's line of it.

    None for an answer to no request of the job with this mark. `no_money` tells how an account without money looks.
    """
    found = read_line(_LINE, line)
    number = number_in(found.custom_id, mark) if found else None
    if found is None or number is None or number >= len(ids):
        return None, STRAY
    return number, result(found.custom_id, ids[number], _outcome(found.result, no_money))


def number_in(custom_id: str, mark: str) -> int | None:
    """Return the number of the request with this id; None if the job with this mark has no such."""
    its, _, digits = custom_id.rpartition("-")
    ours = its == mark and digits.isdecimal() and digits.isascii() and len(digits) < _MARK_DIGITS
    return int(digits) if ours else None


def id_of(line: bytes) -> str | None:
    """Return the `custom_id` of a line of results; None if there is none."""
    found = read_line(_LINE, line)
    return found.custom_id if found else None


def _outcome(found: _Result, no_money: Iterable[Sign]) -> bytes:
    if found.type == "succeeded" and bytes(found.message):
        return answered(200, None, bytes(found.message))
    if found.type in _NOT_RUN:
        return failed(*_NOT_RUN[found.type])
    try:
        envelope = _ENVELOPE.decode(found.error)
    except (ValueError, RecursionError):
        return failed(found.type[:64] or "no_result", "The service answered in a way that is not known.")
    error = envelope.error
    if any(sign.shows(None, {error.type}, error.message) for sign in no_money):  # by type it may be the request's fault
        return failed(EMPTY_PURSE, error.message)
    status = _STATUSES.get(error.type, _UNKNOWN_ERROR)
    return answered(status, envelope.request_id, bytes(found.error))


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
