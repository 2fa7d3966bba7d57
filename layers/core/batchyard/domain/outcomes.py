"""The outcome of a line, read from the provider's output file and error file."""

import hashlib
import re
from collections.abc import MutableMapping
from typing import Any, Final

import msgspec

from batch_client import Usage as ProviderUsage
from batch_client import decode_mended, mended
from batchyard.costs.answer_usage import UNTOLD, BodyUsage, sane_count, usage_in
from batchyard.costs.native_usage import usage_in_body
from batchyard.costs.usage import Usage
from batchyard.domain.batch import BatchError
from batchyard.domain.nesting import with_few_levels
from batchyard.domain.policy import LEAST_STATUS, LONGEST_CODE, MOST_STATUS, Outcome, of_code, of_status

LONGEST_NAME: Final = 200  # characters of a code that is kept in memory
NOT_ACCEPTED: Final = "answer_not_accepted"
MOST_CODES, OTHER = 100, "other"
TOLD_OF_BATCH: Final = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "total_tokens")
STATUS: Final = re.compile(r"[0-9]{1,3}")


class ResponseBody(msgspec.Struct, frozen=True):
    """What we read of an answer's body."""

    usage: BodyUsage | None = None
    error: Any = None


class Response(msgspec.Struct, frozen=True):
    """The HTTP answer of one line."""

    status_code: int | None = None
    body: ResponseBody | None = None


class AnswerError(msgspec.Struct, frozen=True):
    """Why a line has no HTTP answer."""

    code: str | None = None
    type: str | None = None
    #: DashScope's name of `code`.
    error_code: str | None = None

    @property
    def name(self) -> str | None:
        """Name the error by its code, else by its type."""
        return self.code or self.error_code or self.type


class Answer(msgspec.Struct, frozen=True):
    """One line of an output or error file."""

    custom_id: str
    response: Response | None = None
    error: AnswerError | None = None


class _NativeResponse(msgspec.Struct, gc=False):
    body: msgspec.Raw


class _NativeLine(msgspec.Struct, gc=False):
    response: _NativeResponse


_NATIVE = msgspec.json.Decoder(_NativeLine)
_ANSWER = msgspec.json.Decoder(Answer)


def parse(text: bytes) -> Answer | None:
    """Decode a line of the provider's files; None for anything else, and then the request counts as unanswered."""
    try:
        text.isascii() or text.decode()
        return _ANSWER.decode(text)
    except (ValueError, RecursionError):
        return _leniently(with_few_levels(text))


def _leniently(text: bytes) -> Answer | None:
    """Read a line that is not quite JSON or not quite of the contract: its answer was paid for all the same.

    Services write a byte order mark, bytes that are not UTF-8, NaN and half surrogate pairs. Gateways write codes and ids
    as numbers, statuses as text or fractions, and errors as bare text. Tools nest without end.
    """
    try:
        members = decode_mended(text)
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    custom_id = members.get("custom_id")
    if not isinstance(custom_id, str | int) or isinstance(custom_id, bool):
        return None
    return Answer(str(custom_id), _response(members.get("response")), _error(members.get("error")))


def _response(member: object) -> Response | None:
    if not isinstance(member, dict):
        return None
    status, body = str(member.get("status_code")).removesuffix(".0"), member.get("body")
    told = ResponseBody(_usage(body.get("usage")), body.get("error")) if isinstance(body, dict) else None
    return Response(int(status) if STATUS.fullmatch(status) else None, told)


def _usage(member: object) -> BodyUsage | None:
    try:
        return msgspec.convert(member, BodyUsage)
    except msgspec.ValidationError:
        return None


def _error(member: object) -> AnswerError | None:
    if not isinstance(member, dict):
        return AnswerError() if member else None
    return AnswerError(*(_text(member.get(name)) for name in AnswerError.__struct_fields__))


def _text(member: object) -> str | None:
    return str(member) if isinstance(member, str | int | float) and member else None


def outcome_of(answer: Answer) -> Outcome:
    """Classify an answer: by its status if there is one, else by the code of its error; an unknown answer is transient."""
    status = _status(answer)
    return of_code(code_of(answer)) if status is None else of_status(status)


def _status(answer: Answer) -> int | None:
    status = answer.response.status_code if answer.response else None
    return status if status is not None and LEAST_STATUS <= status <= MOST_STATUS else None


def code_of(answer: Answer) -> str:
    """Name an error in the report by its code, else by its type, else by the HTTP status.

    The error in the body belongs to a status, and comes first where there is one.
    """
    body = answer.response.body if answer.response else None
    of_body = _error(body.error) if body else None
    known = (answer.error, of_body) if _status(answer) is None else (of_body, answer.error)
    named = (error.name for error in known if error and error.name)
    told = answer.response.status_code if answer.response else None
    return next(named, "no_response" if told is None else f"http_{told}")[:LONGEST_NAME]


def usage_of(answer: Answer) -> Usage:
    """Read the tokens that a request used; zeros if the answer does not say."""
    used = answer.response.body.usage if answer.response and answer.response.body else None
    return usage_in([used] if used is not None else [])


def tells_usage(answer: Answer) -> bool:
    """Tell whether an answer says in known words what it used."""
    used = answer.response.body.usage if answer.response and answer.response.body else None
    return used is not None and used != UNTOLD


def usage_in_line(text: bytes) -> Usage | None:
    """Read the tokens of a line whose body has the words of its model; None if it tells none, or in words nobody knows."""
    try:
        body = _line_body(text)
    except (ValueError, RecursionError):
        try:
            body = _line_body(mended(text))
        except (ValueError, RecursionError):
            return None
    return usage_in_body(body)


def _line_body(text: bytes) -> bytes:
    return bytes(_NATIVE.decode(text).response.body)


def usage_of_batch(used: ProviderUsage | None) -> Usage | None:
    """Read the tokens that a provider batch used; None if it does not say."""
    if used is None or not sane_count(used.total_tokens):
        return None
    return Usage(*(sane_count(getattr(used, name)) for name in TOLD_OF_BATCH))


def with_pictures(of_batch: Usage | None, of_answers: Usage) -> Usage:
    """Return what a provider batch used; only the answers tell which tokens of it have prices of their own."""
    if of_batch is None:
        return of_answers
    return msgspec.structs.replace(
        of_batch, image_input_tokens=of_answers.image_input_tokens, image_output_tokens=of_answers.image_output_tokens,
        written_tokens=of_answers.written_tokens, written_hour_tokens=of_answers.written_hour_tokens,
    )  # fmt: skip


def answer_line(
    batch_id: str, position: int, custom_id: str | None, error: BatchError, number: int | None = None
) -> bytes:
    """Shape an error line as the provider would, for a request that has no answer of its own.

    `number` is the line of the request in the input, for a request that may have no `custom_id`.
    """
    line = {
        "id": line_id(batch_id, position), "custom_id": custom_id, "response": None,
        "error": {"code": error.code, "message": error.message, **({"line": number} if number else {})},
    }  # fmt: skip
    return msgspec.json.encode(line) + b"\n"


def line_id(batch_id: str, position: int) -> str:
    """Name an answer as the provider would; the same line always has the same id."""
    return f"batch_req_{hashlib.sha256(f'{batch_id}/{position}'.encode()).hexdigest()[:32]}"


def count_code(codes: MutableMapping[str, int], code: str, count: int = 1) -> None:
    """Count an error by its code; a long code is cut, and codes beyond the first hundred count as `other`."""
    short = code.encode("utf-8", "replace").decode()[:LONGEST_CODE]
    name = short if short in codes or len(codes) < MOST_CODES else OTHER
    codes[name] = codes.get(name, 0) + count
