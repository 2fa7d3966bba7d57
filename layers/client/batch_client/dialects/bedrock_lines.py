"""One line of a job of Amazon Bedrock, from OpenAI's shape to Bedrock's and back; pure, and no byte of a body is changed.

A record goes by its number in the job, in eleven digits, as older pages ask for eleven characters. Each result repeats the
input, which is skipped; the model's own answer is the body of OpenAI's result line.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from ..sources import Source
from ..upload import chunks_of, gathered
from .bedrock_errors import NO_RIGHT
from .lines import STRAY, answered, body_of, failed, lines_of, read_line, result

_DIGITS: Final = 11
_UNKNOWN_ERROR: Final = 500  # as a failure of the service: sent again, some times
_NO_RIGHT_STATUSES: Final = frozenset({401, 403})
_LEAST_ERROR, _MOST_ERROR = 400, 599


class _Record(msgspec.Struct):
    recordId: str | int  # noqa: N815 - as Bedrock writes it
    modelOutput: msgspec.Raw = msgspec.Raw()  # noqa: N815 - as above
    error: msgspec.Raw = msgspec.Raw()


class _Error(msgspec.Struct):
    errorCode: int | str = _UNKNOWN_ERROR  # noqa: N815 - as above
    errorMessage: str = ""  # noqa: N815 - as above


_RECORD: Final = msgspec.json.Decoder(_Record)
_ERROR: Final = msgspec.json.Decoder(_Error)


def encode(line: bytes, number: int) -> bytes:
    """Return the record of a line, under its number in the job from 0. Raises SourceError for a line without a body."""
    return b'{"recordId":"%0*d","modelInput":%s}\n' % (_DIGITS, number, body_of(line, number))


def records_of(lines: Source) -> Iterator[bytes]:
    """Yield in chunks the records of lines."""
    return gathered(encode(line, number) for number, line in enumerate(lines_of(chunks_of(lines))))


def results_of(chunks: Iterator[bytes], ids: Sequence[str]) -> Iterator[bytes]:
    """Yield in chunks OpenAI's result lines; of two answers to one request the first counts."""
    return gathered(_told_once(chunks, ids))


def _told_once(chunks: Iterator[bytes], ids: Sequence[str]) -> Iterator[bytes]:
    given = bytearray(len(ids))
    for line in filter(bytes.strip, lines_of(chunks)):
        number, told = decode(line, ids)
        if number is None:
            yield told
        elif not given[number]:
            given[number] = 1
            yield told


def decode(line: bytes, ids: Sequence[str]) -> tuple[int | None, bytes]:
    """Return the number of the request that a record answers, and OpenAI's line of it; None for an answer to no request."""
    found = read_line(_RECORD, line)
    number = _number(str(found.recordId)) if found else None
    if found is None or number is None or number >= len(ids):
        return None, STRAY
    return number, result(str(found.recordId), ids[number], _outcome(found))


def _number(record_id: str) -> int | None:
    return int(record_id) if record_id.isascii() and record_id.isdecimal() and len(record_id) <= _DIGITS else None


def _outcome(found: _Record) -> bytes:
    output, error = bytes(found.modelOutput), bytes(found.error)
    if output and output != b"null":
        return answered(200, None, output)
    told = read_line(_ERROR, error) if error and error != b"null" else None
    if told is None:
        return failed("no_result", "The service answered in a way that is not known.")
    status = _status(told.errorCode)
    if status in _NO_RIGHT_STATUSES:  # one role and one model run all records: it is no fault of this one
        return failed(NO_RIGHT, told.errorMessage)
    said = {"errorCode": told.errorCode, "errorMessage": told.errorMessage, "message": told.errorMessage}
    return answered(status, None, msgspec.json.encode({"error": said}))


def _status(code: int | str) -> int:
    text = str(code)
    status = int(text) if text.isascii() and text.isdecimal() and len(text) == len("400") else _UNKNOWN_ERROR
    return status if _LEAST_ERROR <= status <= _MOST_ERROR else _UNKNOWN_ERROR
