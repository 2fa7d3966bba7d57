"""What a request that was sent on its own came to, as the line that a provider batch would have had for it."""

from http import HTTPStatus
from typing import Final, NamedTuple

import msgspec

from batch_client import (
    APIConnectionError,
    BadRequestError,
    BatchClientError,
    ConflictError,
    HttpInfo,
    OutcomeUnknown,
    decode_mended,
    mended,
)
from batch_client import ServerError as ServiceError
from batchyard.domain import nesting
from batchyard.domain.batch import BatchError
from batchyard.domain.nesting import with_few_levels
from batchyard.domain.outcomes import answer_line, line_id
from batchyard.domain.policy import OUTCOME_UNKNOWN

NOT_RUN: Final = BatchError("batch_cancelled", "The request was not run on its own either.")  # so it goes out again


class LineName(NamedTuple):
    """What a line is known by."""

    batch_id: str
    position: int
    custom_id: str


def answered(name: LineName, answer: HttpInfo[bytes]) -> bytes:
    """Shape the line of a request that was answered with success; an answer that cannot be read may have been billed."""
    try:
        body = _on_one_line(answer.data)
    except ValueError:
        return unknown(name, "its answer is not JSON, or not all of it came.")
    return _line(name, answer.status, answer.request_id, body)


def not_answered(name: LineName, error: BatchClientError) -> bytes:
    """Shape the line of a request without success: the provider's refusal, an unknown outcome, or a request that was not run.

    A request that may have been run is never sent again. A 404 or 405 of a service without such an endpoint, a refused
    key and a 429 say that a request was not run.
    """
    may_have_run = isinstance(error, OutcomeUnknown | ConflictError | ServiceError)
    if may_have_run or (isinstance(error, APIConnectionError) and error.sent):
        return unknown(name, error.message)
    if isinstance(error, BadRequestError) and error.status not in {None, HTTPStatus.METHOD_NOT_ALLOWED}:
        return _line(name, error.status or 0, error.request_id, _refusal(error))
    return not_run(name)


def not_run(name: LineName) -> bytes:
    """Shape the line of a request that was certainly not run."""
    return answer_line(*name, NOT_RUN)


def unknown(name: LineName, why: str) -> bytes:
    """Shape the line of a request that may have been run and billed, of which nobody knows."""
    message = f"The request was sent on its own and may have been run and billed, so it was not sent again: {why}"
    return answer_line(*name, BatchError(OUTCOME_UNKNOWN, message))


def _line(name: LineName, status: int, request_id: str | None, body: bytes) -> bytes:
    line = {
        "id": line_id(name.batch_id, name.position), "custom_id": name.custom_id,
        "response": {"status_code": status, "request_id": request_id, "body": msgspec.Raw(body)}, "error": None,
    }  # fmt: skip
    return msgspec.json.encode(line) + b"\n"


def _refusal(error: BatchClientError) -> bytes:
    try:
        return _on_one_line(error.body)
    except ValueError:  # a page of HTML; what it says is in the message
        envelope = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return nesting.encode({"error": envelope}).encode()


def _on_one_line(data: bytes) -> bytes:
    """Write an answer as it is put into a line: as it came, and mended if need be. Raises ValueError for no JSON."""
    text = mended(data)
    decode_mended(with_few_levels(text))
    return b" ".join(text.splitlines())
