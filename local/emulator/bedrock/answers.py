"""Answers in the words of the models on Bedrock, made up from the request alone; a body that does not fit is refused.

Source: AWS's API reference, Converse; the user guide's pages of the models for InvokeModel, 2026.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from local.emulator import messages, vectors
from local.emulator.answering import Answer
from local.emulator.answers import Question, answer
from local.emulator.batches import Usage
from local.emulator.faults import Scenario
from local.emulator.prompts import MESSAGES, tokens

INVOKE, CONVERSE = "InvokeModel", "Converse"
_CHAT: Final = "/v1/chat/completions"
_FAMILY: Final = re.compile(r"(?:[a-z-]+\.)??(anthropic|amazon\.nova|amazon\.titan-embed|amazon\.titan|meta|openai)\b")
_VERSION: Final = "bedrock-2023-05-31"


def ask(model: str, kind: str, body: dict[str, Any], scenario: Scenario, *, in_batch: bool) -> Answer:
    """Return the answer of a model to a body of InvokeModel or Converse, or the 400 of one that does not fit."""
    found = _FAMILY.match(model.rpartition("/")[2])
    family = "" if found is None else found[1]
    try:
        if kind == CONVERSE:
            if in_batch and "toolConfig" in body:
                return _refused("toolConfig is not supported in batch inference")
            return Answer(200, _conversed(body, scenario))
        return _INVOKED.get(family, _other)(model, body, scenario)
    except (KeyError, TypeError, IndexError) as error:
        return _refused(f"Malformed input request: {error!s:.80}, please reformat your input and try again.")


def used(body: dict[str, Any]) -> Usage:
    """Return the tokens that an answer tells, in whichever words."""
    told, found = body.get("usage") or {}, Usage()
    found.add(told)
    found.input_tokens += (
        told.get("inputTokens", 0) + body.get("prompt_token_count", 0) + body.get("inputTextTokenCount", 0)
    )
    found.output_tokens += told.get("outputTokens", 0) + body.get("generation_token_count", 0)
    found.output_tokens += sum(each.get("tokenCount", 0) for each in body.get("results", ()))
    return found


def _refused(message: str) -> Answer:
    return Answer(400, {"message": message})


def _asked(turns: object, scenario: Scenario) -> Question:
    if not isinstance(turns, list) or not turns or not all("role" in turn for turn in turns):
        raise KeyError("messages")
    return Question(_CHAT, {"messages": turns}, 0, scenario.answer_bytes)


def _conversed(body: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    question = _asked(body["messages"], scenario)
    prompt, written = question.prompt_tokens, tokens(question.text)
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": question.text}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": prompt, "outputTokens": written, "totalTokens": prompt + written},
    }  # fmt: skip


def _anthropic(model: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    if body.get("anthropic_version") != _VERSION:
        return _refused(f"anthropic_version: it must be {_VERSION}")
    if (wrong := messages.fault(body)) is not None:
        return _refused(str(wrong["error"]["message"]))
    return Answer(200, answer(Question(MESSAGES, {**body, "model": model}, 0, scenario.answer_bytes)))


def _nova(_: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    return Answer(200, _conversed(body, scenario))


def _llama(_: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    question = Question("/v1/completions", {"prompt": body["prompt"] + ""}, 0, scenario.answer_bytes)
    return Answer(200, {
        "generation": question.text, "prompt_token_count": question.prompt_tokens,
        "generation_token_count": tokens(question.text), "stop_reason": "stop",
    })  # fmt: skip


def _titan(_: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    question = Question("/v1/completions", {"prompt": body["inputText"] + ""}, 0, scenario.answer_bytes)
    told = {"tokenCount": tokens(question.text), "outputText": question.text, "completionReason": "FINISH"}
    return Answer(200, {"inputTextTokenCount": question.prompt_tokens, "results": [told]})


def _embedded(_: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    size = int(body.get("dimensions") or scenario.embedding_dimensions)
    (found,) = vectors.embeddings(body["inputText"] + "", size, encoded=False)
    return Answer(200, {"embedding": found["embedding"], "inputTextTokenCount": tokens(body["inputText"])})


def _openai(model: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    question = _asked(body["messages"], scenario)
    return Answer(200, answer(Question(_CHAT, {**question.body, "model": model}, 0, scenario.answer_bytes)))


def _other(_: str, body: dict[str, Any], scenario: Scenario) -> Answer:
    """Answer for a model whose words nobody here knows: some text, and no tokens."""
    question = Question(
        "/v1/completions", {"prompt": body.get("prompt") or body.get("messages")}, 0, scenario.answer_bytes
    )
    return Answer(200, {"outputs": [{"text": question.text, "stop_reason": "stop"}]})


_INVOKED: Final[dict[str, Callable[[str, dict[str, Any], Scenario], Answer]]] = {
    "anthropic": _anthropic, "amazon.nova": _nova, "amazon.titan-embed": _embedded, "amazon.titan": _titan, "meta": _llama,
    "openai": _openai,
}  # fmt: skip
