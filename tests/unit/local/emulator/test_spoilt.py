import json
from typing import Any

import pytest

from batchyard.acceptance import rules, verdict
from local.emulator import lines
from local.emulator.answers import Question, answer
from local.emulator.lines import InputLine
from local.emulator.spoilt import spoil

ACCEPT = rules.read({"finish_reason": ["stop"], "not_empty": True, "json": True, "schema": True})
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
CHAT = {
    "model": "m", "messages": [{"role": "user", "content": "x"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
}  # fmt: skip
RESPONSE = {
    "model": "m", "input": "x", "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
}  # fmt: skip
MESSAGE = {
    "model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "x"}],
    "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
}  # fmt: skip


def judged(endpoint: str, request: dict[str, Any], says: str | None) -> str | None:
    body = answer(Question(endpoint, request, 1))
    spoilt = body if says is None else spoil(body, says)
    assert spoilt.get("usage") == body.get("usage")
    asked = json.dumps({"body": request}).encode()
    return verdict.why_not(ACCEPT, endpoint, lines.answered("b", InputLine(1, "a", request), 200, spoilt, None), asked)


@pytest.mark.parametrize(("endpoint", "request_"), [("/v1/chat/completions", CHAT), ("/v1/responses", RESPONSE)])
@pytest.mark.parametrize(
    ("says", "why"),
    [
        (None, "None"), ("cut_off", "finish_reason is length"), ("filtered", "finish_reason is content_filter"),
        ("refused", "the model refused: I cannot help with that."), ("nothing", "the answer is empty"),
        ("broken_schema", "the text does not fit the schema"), ("broken_json", "the text is not valid JSON"),
    ],
)  # fmt: skip
def test_an_answer_is_spoilt_as_ordered(endpoint: str, request_: dict[str, Any], says: str | None, why: str) -> None:
    assert str(judged(endpoint, request_, says)).startswith(why)


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (None, "None"), ("cut_off", "finish_reason is max_tokens"), ("filtered", "finish_reason is refusal"),
        ("refused", "finish_reason is refusal"), ("nothing", "the answer is empty"),
        ("broken_schema", "the text does not fit the schema"), ("broken_json", "the text is not valid JSON"),
    ],
)  # fmt: skip
def test_a_message_is_spoilt_as_ordered(says: str, why: str) -> None:
    assert str(judged("/v1/messages", MESSAGE, says)).startswith(why)


def test_an_empty_embedding_is_ordered_too() -> None:
    request = {"model": "m", "input": ["x", "y"]}
    assert judged("/v1/embeddings", request, None) is None
    assert judged("/v1/embeddings", request, "nothing") == "embedding 0 is empty"
