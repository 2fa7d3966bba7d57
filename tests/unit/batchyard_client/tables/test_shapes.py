"""What the answers of models on Amazon Bedrock say: Converse, and the shapes of the families of models."""

from typing import Any

import pytest

from batchyard_client.answers import Rate, Rates, answer_of
from batchyard_client.html_report.sample import shown
from batchyard_client.tables import Reader, Recipe
from tests.unit.batchyard_client.tables.made import line

URL = "/model/amazon.nova-lite-v1:0/converse"
ASK = Recipe(body={"messages": [{"role": "user", "content": [{"text": "{text}"}]}]}, endpoint=URL)
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "hm"}}}
TOOL = {"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}}
USAGE = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}


def converse(reason: str, *blocks: Any, **usage: int) -> dict[str, Any]:
    content = [{"text": block} if isinstance(block, str) else block for block in blocks]
    told = {**USAGE, **usage}
    return {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason, "usage": told}


CLAUDE = {
    "type": "message", "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 4},
}  # fmt: skip
LLAMA = {"generation": "yes", "prompt_token_count": 3, "generation_token_count": 4, "stop_reason": "stop"}
TITAN = {
    "inputTextTokenCount": 3,
    "results": [{"tokenCount": 4, "outputText": "yes", "completionReason": "FINISH"}],
}
GPT = {
    "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
DEEPSEEK = {
    "choices": [{"text": "yes", "stop_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
MISTRAL = {
    "choices": [{"message": {"content": "yes"}, "stop_reason": "length"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}
SHAPES = [
    (converse("end_turn", THOUGHT, "y", "es"), "end_turn"),
    (CLAUDE, "end_turn"), (LLAMA, "stop"), (TITAN, "FINISH"), (GPT, "stop"), (DEEPSEEK, "stop"), (MISTRAL, "length"),
]  # fmt: skip


def read(body: dict[str, Any], price: Any = None) -> tuple[Any, ...]:
    return Reader(ASK, price).read({"response": {"status_code": 200, "body": body}, "error": None}).row


@pytest.mark.parametrize(("body", "reason"), SHAPES)
def test_text_reason_and_tokens_of_each_shape(body: dict[str, Any], reason: str) -> None:
    assert read(body) == ("yes", reason, None, 3, 4, None)


@pytest.mark.parametrize(("body", "reason"), SHAPES)
def test_the_python_call_and_the_page_of_samples_read_the_same(body: dict[str, Any], reason: str) -> None:
    found = answer_of(line(1, body), None, Rates({"nova": Rate(10.0, 1.0)}))
    assert (found.text, found.finish_reason, found.cost) == ("yes", reason, 34.0)
    page = shown(1, (None, line(1, body)))
    assert (page.answer, page.state) == ("yes", "answered")


@pytest.mark.parametrize(
    ("body", "answer", "refusal"),
    [
        (converse("guardrail_intervened", "Sorry."), "Sorry.", "refusal: Sorry."),
        (converse("content_filtered"), None, "refusal: content_filtered"),
        ({**TITAN, "results": [{"outputText": "", "completionReason": "CONTENT_FILTERED"}]}, "", "refusal: CONTENT_FILTERED"),
        ({**CLAUDE, "stop_reason": "refusal"}, "yes", "refusal: yes"),
    ],
)  # fmt: skip
def test_a_refusal_is_told(body: dict[str, Any], answer: str | None, refusal: str) -> None:
    assert (read(body)[0], read(body)[2]) == (answer, refusal)


def test_a_call_of_a_tool_is_the_answer_where_there_is_no_text() -> None:
    assert read(converse("tool_use", THOUGHT, TOOL))[:2] == (
        '[{"toolUse":{"toolUseId":"1","name":"f","input":{"a":1}}}]',
        "tool_use",
    )


def test_tokens_of_the_cache_are_counted_and_the_url_says_the_model() -> None:
    def price(model: str, sent: int, cached: int, got: int) -> float:
        assert (model, sent, cached, got) == ("amazon.nova-lite-v1:0", 8, 4, 4)
        return 0.5

    body = converse("end_turn", "yes", cacheReadInputTokens=4, cacheWriteInputTokens=1)
    assert read(body, price)[3:] == (8, 4, 0.5)
    nova = converse("end_turn", "yes", cacheReadInputTokenCount=4, cacheWriteInputTokenCount=1)
    assert read(nova, price)[3:] == (8, 4, 0.5)


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": [0.5], "inputTextTokenCount": 3},
        {"results": [{"x": 1}]},
        {"results": 5},
        {"output": "t"},
        {"content": "t", "stop_reason": "x"},
        {"content": [{"text": "t"}]},
        {"choices": [{"delta": "t"}]},
        {"a": 1},
    ],
)
def test_a_body_of_another_shape_is_shown_as_it_is(body: dict[str, Any]) -> None:
    assert str(read(body)[0]).startswith("{")


def test_an_answer_without_a_choice_says_nothing() -> None:
    assert read({"choices": []})[:3] == (None, None, None)
    assert shown(1, (None, line(1, {"choices": []}))).state == "empty"


@pytest.mark.parametrize("usage", [{"inputTokens": "3"}, {"inputTokens": True}, [], 7, {"outputTokens": None}])
def test_odd_tokens_are_not_known(usage: Any) -> None:
    assert read({**converse("end_turn", "yes"), "usage": usage})[:5] == ("yes", "end_turn", None, None, None)
