"""The body of `POST /v1/messages/batches`: its requests become lines of an input, their `params` to the byte."""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.domain.batch import BatchError
from batchyard.domain.errors import ApiError
from batchyard.lines import messages
from batchyard.lines.line import diagnose, fault_of, parse
from batchyard.lines.messages import MESSAGES

# Source: Anthropic's guide to batch processing: the custom_id of a request.
CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
SHOWN: Final = 80  # characters of an id that an error shows
_LINE: Final = b'{"custom_id":"%s","method":"POST","url":"%s","body":%s}\n'
_NO_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")  # between members; within a text JSON has none


class _Request(msgspec.Struct):
    params: msgspec.Raw


class _Body(msgspec.Struct):
    requests: list[_Request]


def lines_of(requests: object, raw_body: bytes) -> list[bytes]:
    """Return the requests as lines; raises ApiError 400, which names the first one that is at fault.

    `requests` is that member of the body, decoded, and `raw_body` the whole body.
    """
    if not isinstance(requests, list) or not requests:
        raise _wrong("requests", "Give a list of at least one request with `custom_id` and `params`.")
    first: dict[str, int] = {}
    for at, request in enumerate(requests):
        custom_id = _checked_id(at, request)
        if (earlier := first.setdefault(custom_id, at)) != at:
            raise _wrong(f"requests.{at}.custom_id", f"It is that of requests.{earlier}, too. Each must be unique.")
    raw = msgspec.json.decode(raw_body, type=_Body).requests
    lines = [
        _LINE % (name.encode(), MESSAGES.encode(), bytes(each.params).translate(_NO_BREAKS))
        for name, each in zip(first, raw, strict=True)
    ]
    for at, line in enumerate(lines):
        fault = _fault_in(line)
        if fault is not None:
            place = (fault.param or "body").replace("body", "params", 1)
            raise _wrong(f"requests.{at}.{place}", fault.message.replace("'body.", "'params."))
    return lines


def _checked_id(at: int, request: object) -> str:
    if not isinstance(request, dict):
        raise _wrong(f"requests.{at}", "It must be an object with `custom_id` and `params`.")
    custom_id: Any = request.get("custom_id")
    if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
        shown = f"{custom_id[:SHOWN]!r} is none. " if isinstance(custom_id, str) else ""
        rule = "It must be a text of 1 to 64 letters, digits, hyphens and underscores."
        raise _wrong(f"requests.{at}.custom_id", f"{shown}{rule}")
    if not isinstance(request.get("params"), dict):
        raise _wrong(f"requests.{at}.params", "It must be the body of a request to the Messages API, as an object.")
    return custom_id


def _fault_in(line: bytes) -> BatchError | None:
    """Say what the plan would refuse in a line."""
    try:
        found = parse(line)
    except ValueError:
        return diagnose(line)
    return fault_of(found, MESSAGES) or messages.fault_in(line)


def _wrong(where: str, sentence: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, f"{where}: {sentence}", code="invalid_value", param=where)
