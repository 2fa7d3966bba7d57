"""A line of the Messages API: what its body must have, alone and among lines that are alike."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.batch import BatchError
from batchyard.lines import messages
from batchyard.lines.line import Line, fault_of, parse, parse_alike
from batchyard.lines.messages import MESSAGES

BODY: dict[str, Any] = {"model": "claude", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
MISSING = "missing_required_parameter"


def line(body: object, custom_id: str = "a") -> bytes:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": MESSAGES, "body": body}).encode() + b"\n"


def without(name: str) -> dict[str, Any]:
    return {member: value for member, value in BODY.items() if member != name}


def looked_at(text: bytes) -> Line | BatchError:
    """Look as the plan does."""
    found = parse(text)
    return fault_of(found, None) or messages.fault_in(text) or found


def test_a_sound_line_is_taken_alone_and_among_others() -> None:
    found = looked_at(line(BODY))
    assert isinstance(found, Line)
    assert (found.url, found.body.model) == (MESSAGES, "claude")
    assert parse_alike([line(BODY, "a"), line({**BODY, "system": "Be brief."}, "b")], MESSAGES, "claude") == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "code", "param", "remedy"),
    [
        (without("max_tokens"), MISSING, "body.max_tokens", "Name the most tokens"),
        ({**BODY, "max_tokens": None}, MISSING, "body.max_tokens", "Name the most tokens"),
        ({**BODY, "max_tokens": 0}, "invalid_value", "body.max_tokens", "at least 1"),
        ({**BODY, "max_tokens": -3}, "invalid_value", "body.max_tokens", "at least 1"),
        ({**BODY, "max_tokens": "16"}, "invalid_type", "body.max_tokens", "a whole number"),
        ({**BODY, "max_tokens": 1.5}, "invalid_type", "body.max_tokens", "a whole number"),
        ({**BODY, "max_tokens": True}, "invalid_type", "body.max_tokens", "a whole number"),
        (without("messages"), MISSING, "body.messages", "at least one message"),
        ({**BODY, "messages": None}, MISSING, "body.messages", "at least one message"),
        ({**BODY, "messages": []}, "invalid_type", "body.messages", "at least one message"),
        ({**BODY, "messages": "hi"}, "invalid_type", "body.messages", "must be a list"),
        ({**BODY, "messages": {"role": "user"}}, "invalid_type", "body.messages", "must be a list"),
        ({**BODY, "stream": True}, "streaming_unsupported", "body.stream", "Remove `stream`"),
    ],
)
def test_a_faulty_body_is_told_with_its_member_and_the_remedy(body: object, code: str, param: str, remedy: str) -> None:
    found = looked_at(line(body))
    assert isinstance(found, BatchError)
    assert (found.code, found.param) == (code, param)
    assert remedy in found.message
    assert parse_alike([line(BODY), line(body, "b")], MESSAGES, "claude") is None


def test_a_limit_that_nobody_can_read_is_a_fault_and_no_crash() -> None:
    text = line(BODY).replace(b'"max_tokens": 16', b'"max_tokens": ' + b"9" * 5_000)
    found = looked_at(text)
    assert isinstance(found, BatchError)
    assert (found.code, found.param) == ("invalid_type", "body.max_tokens")
    assert parse_alike([text], MESSAGES, "claude") is None


def test_lines_of_other_endpoints_need_neither_member() -> None:
    other = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {"model": "m"}}).encode()
    assert parse_alike([other], "/v1/responses", "m") == ["a"]


values = st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=2) | st.lists(st.integers(), max_size=2)


@given(values, values, st.booleans() | st.none())
def test_what_is_taken_among_others_is_what_is_taken_alone(limit: Any, turns: Any, stream: bool | None) -> None:
    text = line({**BODY, "max_tokens": limit, "messages": turns, "stream": stream})
    assert (parse_alike([text], MESSAGES, "claude") is not None) == isinstance(looked_at(text), Line)
