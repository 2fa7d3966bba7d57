"""Requests of Anthropic's API become lines that the plan takes, or are refused with their place and a remedy."""

import json
from typing import Any

import pytest

from batchyard.domain.errors import ApiError
from batchyard.lines import messages
from batchyard.lines.line import fault_of, parse
from batchyard.lines.messages import MESSAGES
from batchyard.message_batches.requests import lines_of

PARAMS: dict[str, Any] = {"model": "claude", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}


def made(requests: Any, **how: Any) -> list[bytes]:
    body = json.dumps({"requests": requests}, **how).encode()
    return lines_of(json.loads(body)["requests"], body)


def request(custom_id: object = "a", **params: object) -> dict[str, Any]:
    return {"custom_id": custom_id, "params": {**PARAMS, **params}}


def refusal(requests: Any) -> str:
    with pytest.raises(ApiError) as caught:
        made(requests)
    assert caught.value.status == 400
    return str(caught.value)


def test_each_request_is_a_line_that_the_plan_takes() -> None:
    lines = made([request("a-1_Z"), request("b" * 64, system="Sei kurz. 🚂")])
    assert [json.loads(line)["custom_id"] for line in lines] == ["a-1_Z", "b" * 64]
    assert [json.loads(line)["body"] for line in lines] == [PARAMS, {**PARAMS, "system": "Sei kurz. 🚂"}]
    for line in lines:
        assert line.endswith(b"}\n")
        assert line.count(b"\n") == 1
        assert fault_of(parse(line), MESSAGES) is None
        assert messages.fault_in(line) is None


def test_params_stay_as_they_are_to_the_byte_even_where_numbers_are_odd() -> None:
    params = (
        b'{"model":"claude","max_tokens":16,"messages":[{"role":"user","content":"\\u00e9\\n"}],"temperature":0.10}'
    )
    body = b'{"requests":[{"params":%s,"custom_id":"a"}]}' % params
    assert made_raw(body) == [b'{"custom_id":"a","method":"POST","url":"/v1/messages","body":%s}\n' % params]


def made_raw(body: bytes) -> list[bytes]:
    return lines_of(json.loads(body)["requests"], body)


@pytest.mark.parametrize("indent", [1, 4])
def test_a_body_with_line_breaks_makes_one_line_of_a_request(indent: int) -> None:
    lines = made([request("a"), request("b", system="two\nlines\r\n")], indent=indent)
    assert [line.count(b"\n") for line in lines] == [1, 1]
    assert json.loads(lines[1])["body"]["system"] == "two\nlines\r\n"


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        (None, "requests: Give a list of at least one request"),
        ([], "requests: Give a list of at least one request"),
        ({}, "requests: Give a list of at least one request"),
        ([1], "requests.0: It must be an object"),
        ([request(), {"params": PARAMS}], "requests.1.custom_id: It must be a text of 1 to 64"),
        ([request(7)], "requests.0.custom_id: It must be a text of 1 to 64"),
        ([request("")], "requests.0.custom_id: '' is none. It must be a text of 1 to 64"),
        ([request("a b")], "requests.0.custom_id: 'a b' is none."),
        ([request("a\n")], "requests.0.custom_id: 'a\\n' is none."),
        ([request("é")], "requests.0.custom_id: 'é' is none."),
        ([request("a" * 65)], "requests.0.custom_id: "),
        ([request("a"), request("b"), request("a")], "requests.2.custom_id: It is that of requests.0, too."),
        ([{"custom_id": "a"}], "requests.0.params: It must be the body of a request"),
        ([{"custom_id": "a", "params": []}], "requests.0.params: It must be the body of a request"),
        (
            [request(), request("b", max_tokens=0)],
            "requests.1.params.max_tokens: The parameter 'params.max_tokens' must be at",
        ),
        (
            [request("a", max_tokens=None)],
            "requests.0.params.max_tokens: The parameter 'params.max_tokens' is missing.",
        ),
        ([request("a", messages=[])], "requests.0.params.messages: The parameter 'params.messages' must be a list"),
        ([request("a", model=None)], "requests.0.params.model: The model is missing"),
        ([request("a", model=7)], "requests.0.params.model: The parameter 'params.model' must be a string."),
        ([request("a", stream=True)], "requests.0.params.stream: A batch cannot stream. Remove `stream`"),
    ],
)
def test_a_fault_is_told_with_its_place_and_the_remedy(requests: Any, told: str) -> None:
    assert refusal(requests).startswith(told)
