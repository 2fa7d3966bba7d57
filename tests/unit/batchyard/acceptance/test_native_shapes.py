"""Answers in the shapes of the models on Bedrock: what is accepted of them, and what is not."""

import json
from typing import Any

import msgspec
import pytest

from batchyard.acceptance import rules, verdict
from batchyard.acceptance.native_shapes import of_body

URL = "/model/amazon.nova-lite-v1:0/converse"
TOOL = {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}}
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "no JSON"}}}


def line(body: object) -> bytes:
    return (
        json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}).encode() + b"\n"
    )


def converse(reason: str, *blocks: object) -> dict[str, Any]:
    content = [{"text": block} if isinstance(block, str) else block for block in blocks]
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason}


def claude(reason: str, text: str) -> dict[str, Any]:
    return {"type": "message", "content": [{"type": "text", "text": text}], "stop_reason": reason}


def llama(reason: str, text: str) -> dict[str, Any]:
    return {"generation": text, "prompt_token_count": 3, "generation_token_count": 4, "stop_reason": reason}


def titan(reason: str, text: str) -> dict[str, Any]:
    return {"inputTextTokenCount": 3, "results": [{"tokenCount": 4, "outputText": text, "completionReason": reason}]}


def mistral(reason: str, text: str) -> dict[str, Any]:
    return {"outputs": [{"text": text, "stop_reason": reason}]}


def gpt(reason: str, text: str) -> dict[str, Any]:
    return {"choices": [{"finish_reason": reason, "message": {"content": text}}]}


def deepseek(reason: str, text: str) -> dict[str, Any]:
    return {"choices": [{"stop_reason": reason, "text": text}]}


def mistral_large(reason: str, text: str) -> dict[str, Any]:
    return {"choices": [{"stop_reason": reason, "message": {"role": "assistant", "content": text}}]}


def why_not(body: object, **option: Any) -> str | None:
    return verdict.why_not(msgspec.convert(option, rules.Accept), URL, line(body))


KINDS = [
    (converse, "end_turn", "max_tokens"), (claude, "end_turn", "max_tokens"), (llama, "stop", "length"),
    (titan, "FINISH", "LENGTH"), (mistral, "stop", "length"), (gpt, "stop", "length"),
    (deepseek, "stop", "length"), (mistral_large, "stop", "length"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "whole", "cut"), KINDS)
def test_each_shape_says_why_it_ended_in_its_words_and_in_those_of_chat(made: Any, whole: str, cut: str) -> None:
    for wanted in ("stop", whole):
        assert why_not(made(whole, "{}"), finish_reason=[wanted], json=True, not_empty=True) is None
        assert why_not(made(cut, "{}"), finish_reason=[wanted]) == f"finish_reason is {cut}"
    assert str(why_not(made(whole, "no"), json=True)).startswith("the text is not valid JSON: ")
    assert why_not(made(whole, " "), not_empty=True) == "the answer is empty"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (converse("guardrail_intervened", "Sorry."), "the model refused: Sorry."),
        (converse("content_filtered"), "the model refused: the stop reason is content_filtered"),
        (titan("CONTENT_FILTERED", ""), "the model refused: the stop reason is CONTENT_FILTERED"),
        (claude("refusal", "No."), "the model refused: No."),
    ],
)
def test_a_refusal_is_not_accepted(body: object, said: str) -> None:
    assert why_not(body, not_empty=True) == said
    assert why_not(body, finish_reason=["content_filter"]) is None


def test_calls_and_thoughts_of_converse() -> None:
    assert why_not(converse("tool_use", THOUGHT, TOOL), finish_reason=["tool_calls"], json=True, not_empty=True) is None
    assert why_not(converse("end_turn", THOUGHT, '{"a": 1}'), json=True) is None
    assert why_not(converse("end_turn", THOUGHT), not_empty=True) == "the answer is empty"
    assert why_not(converse("end_turn", {"image": {}}), not_empty=True) is None


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": [0.1], "inputTextTokenCount": 3}, {"results": [{"x": 1}]}, {"outputs": [7]}, {"output": "text"},
        {"output": None, "content": "text"}, {"a": 1},
    ],
)  # fmt: skip
def test_of_a_shape_that_is_not_known_only_a_body_is_asked(body: dict[str, Any]) -> None:
    assert of_body(body) is None
    assert why_not(body, finish_reason=["stop"], json=True, not_empty=True) is None
    assert why_not({}, not_empty=True) == "the answer is empty"


def test_the_schema_of_converse_is_a_text_in_its_request() -> None:
    schema = json.dumps({"type": "object", "required": ["a"]})
    told = {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema, "name": "n"}}}
    request = json.dumps({"body": {"messages": [], "outputConfig": {"textFormat": told}}}).encode()
    accept = rules.Accept(schema=True)
    assert verdict.why_not(accept, URL, line(converse("end_turn", '{"a": 1}')), request) is None
    assert "required" in str(verdict.why_not(accept, URL, line(converse("end_turn", "{}")), request))
    assert (
        verdict.why_not(
            accept, URL, line(converse("end_turn", "{}")), b'{"body":{"outputConfig":{"textFormat":"json_schema"}}}'
        )
        is None
    )
