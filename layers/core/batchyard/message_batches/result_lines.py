"""A line of a result in Anthropic's shape, made of one in OpenAI's; a message that succeeded stays as it is, to the byte."""

from typing import Any, Final, Literal

import msgspec

from batch_client import decode_mended
from batchyard.domain import nesting, outcomes
from batchyard.domain.outcomes import NOT_ACCEPTED
from batchyard.domain.policy import Outcome, of_code
from batchyard.message_batches.envelope import kind_of

CANCELLED: Final = "batch_cancelled"  # the code of a line that never ran, as its user wished
BUDGET: Final = "budget_exceeded"
_SUCCEEDED: Final = b'{"custom_id":%s,"result":{"type":"succeeded","message":%s}}\n'


class _Response(msgspec.Struct, gc=False):
    status_code: Literal[200]
    body: msgspec.Raw


class _Success(msgspec.Struct, gc=False):
    custom_id: str
    response: _Response
    error: None = None


_SUCCESS: Final = msgspec.json.Decoder(_Success)


def result_line(line: bytes) -> bytes:
    """Return a line of output.jsonl or errors.jsonl in Anthropic's shape."""
    try:
        found = _SUCCESS.decode(line)
    except (ValueError, RecursionError):
        return msgspec.json.encode(_slowly(line)) + b"\n"
    return _SUCCEEDED % (msgspec.json.encode(found.custom_id), bytes(found.response.body))


def _slowly(line: bytes) -> dict[str, Any]:
    """Read an error, or a success that is not quite of the contract; both as the counts of the batch have them."""
    answer = outcomes.parse(line)
    members: Any = decode_mended(nesting.with_few_levels(line))
    response, error = _object(members.get("response")), _object(members.get("error"))
    body, code = _object(response.get("body")), error.get("code")
    if answer is not None and code != NOT_ACCEPTED and outcomes.outcome_of(answer) is Outcome.SUCCEEDED:
        return _named(members, {"type": "succeeded", "message": response.get("body")})
    if code == CANCELLED:
        return _named(members, {"type": "canceled"})
    if not error and body.get("type") == "error":
        return _named(members, {"type": "errored", "error": body})
    told = error or _object(body.get("error"))
    return _named(members, _errored(response, told, "no_response" if answer is None else outcomes.code_of(answer)))


def _errored(response: dict[str, Any], told: dict[str, Any], code: str) -> dict[str, Any]:
    """Shape an error of ours, or one in OpenAI's shape."""
    status = response.get("status_code")
    if told.get("code") == BUDGET:
        kind = "billing_error"
    elif isinstance(status, int) and told.get("code") != NOT_ACCEPTED:
        kind = kind_of(status)
    else:
        kind = "invalid_request_error" if of_code(code) is Outcome.REFUSED else "api_error"
    message = f"{told.get('message') or 'No reason was given.'} ({code})"
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": response.get("request_id")}
    return {"type": "errored", "error": error}


def _named(members: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Name a result; a line that was skipped may have no custom_id, and is named by its number in the input."""
    custom_id, number = members.get("custom_id"), _object(members.get("error")).get("line")
    return {"custom_id": f"line-{number}" if custom_id is None else str(custom_id), "result": result}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
