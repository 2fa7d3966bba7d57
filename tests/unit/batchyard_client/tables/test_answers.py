"""What stands in a result line."""

import json
from typing import Any

import pytest

from batchyard_client.tables import Reader, Recipe
from tests.unit.batchyard_client.tables.made import ASK, chat, expired, line, refused

EMBED = Recipe(model="e", embed="text")
MESSAGES = Recipe(model="m", prompt="{text}", endpoint="/v1/messages")
RESPONSES = Recipe(model="m", prompt="{text}", endpoint="/v1/responses")
SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["mood", "score"],
    "additionalProperties": False,
}
SHAPED = Recipe(model="m", prompt="{text}", schema=SCHEMA)


def read(recipe: Recipe, found: bytes, price: Any = None) -> tuple[Any, ...]:
    return Reader(recipe, price).read(json.loads(found)).row


def body(recipe: Recipe, content: Any) -> tuple[Any, ...]:
    return read(recipe, line(1, content))


def test_a_chat() -> None:
    assert read(ASK, chat(1, "yes")) == ("yes", "stop", None, 3, 4, None)
    assert read(ASK, chat(1, "")) == ("", "stop", None, 3, 4, None)


def test_a_refusal_and_a_call_of_a_tool() -> None:
    assert read(ASK, chat(1, None, refusal="No.")) == (None, "stop", "refusal: No.", 3, 4, None)
    called = [{"id": "c", "function": {"name": "f"}}]
    assert read(ASK, chat(1, None, tool_calls=called))[0] == '[{"id":"c","function":{"name":"f"}}]'


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (refused(1), "context_length_exceeded: Too long"),
        (expired(1), "batch_expired: Not done in time"),
        (b'{"custom_id":"row-1","response":null,"error":null}', "no answer came"),
        (b'{"custom_id":"row-1"}', "no answer came"),
        (line(1, {}, 500), "500"),
        (line(1, {"error": {"message": "Odd"}}, 503), "503: Odd"),
        (line(1, {"error": {"type": "server_error", "message": None}}, 500), "server_error"),
        (b'{"response":{"status_code":"200","body":[]},"error":"odd"}', "200"),
    ],
)
def test_an_error_is_one_text(found: bytes, error: str) -> None:
    assert read(ASK, found) == (None, None, error, None, None, None)


def test_an_answer_that_was_not_accepted_is_shown_with_its_error() -> None:
    told = {"code": "answer_not_accepted", "message": "The answer is not accepted"}
    found = json.loads(chat(1, "half"))
    assert Reader(ASK).read({**found, "error": told}).row[:3] == (
        "half",
        "stop",
        "answer_not_accepted: The answer is not accepted",
    )


@pytest.mark.parametrize("content", [{}, {"choices": []}, {"choices": [None]}, {"choices": 5}, {"choices": [{}]}])
def test_an_odd_body_has_no_answer_and_breaks_nothing(content: Any) -> None:
    assert body(ASK, content)[0] is None


def test_a_response() -> None:
    message = {
        "type": "message",
        "content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}],
    }
    usage = {"input_tokens": 1, "output_tokens": 2}
    content = {"status": "completed", "output": [{"type": "reasoning"}, message], "usage": usage}
    assert body(RESPONSES, content) == ("ab", "completed", None, 1, 2, None)
    cut = {**content, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert body(RESPONSES, cut)[1] == "max_output_tokens"
    refusing = {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No"}]}]}
    assert body(RESPONSES, refusing)[2] == "refusal: No"


def test_a_message() -> None:
    blocks = [{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4, "output_tokens": 8}
    content = {"type": "message", "model": "claude", "content": blocks, "stop_reason": "end_turn", "usage": usage}
    assert body(MESSAGES, content) == ("ab", "end_turn", None, 7, 8, None)
    priced = read(MESSAGES, line(1, content), lambda _, sent, cached, got: sent * 100 + cached * 10 + got)
    assert priced[-1] == 748
    assert body(MESSAGES, {**content, "content": [{"type": "tool_use", "name": "f", "input": {}}]})[0] == (
        '[{"type":"tool_use","name":"f","input":{}}]'
    )
    refusing = {**content, "content": [{"type": "text", "text": "No."}], "stop_reason": "refusal"}
    assert body(MESSAGES, refusing)[1:3] == ("refusal", "refusal: No.")
    assert body(MESSAGES, {"content": 5})[:3] == (None, None, None)
    failed = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "r"}
    assert read(MESSAGES, line(1, failed, 529))[2] == "overloaded_error: Overloaded"


def test_vectors() -> None:
    def of(vector: Any) -> tuple[Any, ...]:
        return body(EMBED, {"data": [{"embedding": vector}], "usage": {"prompt_tokens": 2, "total_tokens": 2}})

    assert of([0.5, -1]) == ([0.5, -1], None, None, 2, None, None)
    assert of("AAAAPwAAgL8=")[0] == [0.5, -1.0]
    odds: list[Any] = ["???", "AAAA", None, ["a"], {}]
    for odd in odds:
        assert of(odd)[:3] == (None, None, "the answer has no vector")


def test_completions_and_endpoints_that_are_not_known() -> None:
    recipe = Recipe(model="m", prompt="{text}", endpoint="/v1/completions")
    assert body(recipe, {"choices": [{"text": "t", "finish_reason": "length"}]})[:2] == ("t", "length")
    recipe = Recipe(model="m", prompt="{text}", endpoint="/v1/moderations")
    assert body(recipe, {"results": [{"flagged": True}]})[0] == '{"results":[{"flagged":true}]}'


def test_an_answer_of_a_schema_becomes_its_members() -> None:
    assert read(SHAPED, chat(1, '{"score":5,"mood":"good"}'))[:4] == ("good", 5, "stop", None)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('{"mood":"goo', "the answer is no JSON: "),
        ("[1]", "the answer is no object: "),
        ('{"mood":"good","score":"5"}', "the answer does not fit the schema in score: "),
        ('{"mood":1,"score":1.5}', "the answer does not fit the schema in mood, score: "),
    ],
)
def test_an_answer_that_does_not_fit_is_kept_in_the_error(content: str, error: str) -> None:
    assert read(SHAPED, chat(1, content))[:4] == (None, None, "stop", f"{error}{content}")


def test_dollars_are_those_of_the_gateway_or_of_the_price() -> None:
    def price(model: str, sent: int, cached: int, got: int) -> float | None:
        assert (model, sent, cached, got) == ("m-1", 3, 2, 4)
        return 0.5

    assert read(ASK, chat(1), price)[-1] == 0.5
    assert read(ASK, line(1, {"model": "m", "usage": {"cost": 2}}), price)[-1] == 2.0
    assert read(ASK, line(1, {"model": "m"}), price)[-1] is None
    assert read(ASK, refused(1), price)[-1] is None
