import base64
import json
from array import array
from typing import Any

import msgspec
import pytest

from batchyard.acceptance import rules, verdict
from batchyard.domain import outcomes

CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES = (
    f"/v1/{name}" for name in ("chat/completions", "completions", "responses", "embeddings", "messages")
)
ALL: dict[str, Any] = {"finish_reason": ["stop", "tool_calls"], "json": True, "not_empty": True}


def line(body: object) -> bytes:
    response = {"status_code": 200, "request_id": "req-1", "body": body}
    return json.dumps({"id": "b-1", "custom_id": "a", "response": response, "error": None}).encode() + b"\n"


def chat(content: object, reason: str | None = "stop", **message: object) -> dict[str, Any]:
    return {"choices": [{"finish_reason": reason, "message": {"content": content, **message}}]}


def response(text: str | None, status: str = "completed", reason: str | None = None, *items: object) -> dict[str, Any]:
    said = [] if text is None else [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
    details = {"reason": reason} if reason else None
    return {"status": status, "incomplete_details": details, "output": [{"type": "reasoning"}, *said, *items]}


def message(reason: str | None, *blocks: object) -> dict[str, Any]:
    content = [{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks]
    return {"type": "message", "role": "assistant", "content": content, "stop_reason": reason}


def embeddings(*vectors: object) -> dict[str, Any]:
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)]}


def packed(*numbers: float) -> str:
    return base64.b64encode(array("f", numbers).tobytes()).decode()


CALL = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
THOUGHT = {"type": "thinking", "thinking": "no JSON", "signature": "s"}
NO_JSON = "the text is not valid JSON: "
TWO = {"choices": [*chat("1")["choices"], *chat("2", "length")["choices"]]}
CUT_CALL = {"type": "function", "function": {"name": "f", "arguments": '{"a": '}}


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (CHAT, chat('{"a": [1, "é"]}')), (CHAT, chat(" [] ")), (CHAT, chat("0")),
        (CHAT, chat(None, "tool_calls", tool_calls=[CALL])), (CHAT, chat([{"type": "text", "text": "{}"}])),
        (COMPLETIONS, {"choices": [{"finish_reason": "stop", "text": "{}"}]}),
        (RESPONSES, response("{}")),
        (RESPONSES, response(None, "completed", None, {"type": "function_call", "arguments": "{}"})),
        (RESPONSES, response(None, "completed", None, {"type": "image_generation_call", "result": "x"})),
        (MESSAGES, message("end_turn", '{"a":', " 1}")), (MESSAGES, message("stop_sequence", THOUGHT, "[1]")),
        (MESSAGES, message("tool_use", TOOL_USE)), (MESSAGES, message("tool_use", "{}", TOOL_USE)),
        (EMBEDDINGS, embeddings([0.1, 1])), (EMBEDDINGS, embeddings([0.1], [-2e-3])), (EMBEDDINGS, embeddings(packed(1, 2))),
        ("/v1/moderations", {"results": [{}]}),
    ],
)  # fmt: skip
def test_a_good_answer_is_accepted(endpoint: str, body: dict[str, Any]) -> None:
    assert verdict.why_not(rules.read(ALL), endpoint, line(body)) is None


@pytest.mark.parametrize(
    ("endpoint", "option", "body", "why"),
    [
        (CHAT, "finish_reason", chat("{}", "length"), "finish_reason is length"),
        (CHAT, "finish_reason", chat("{}", "content_filter"), "finish_reason is content_filter"),
        (CHAT, "finish_reason", chat("{}", None), "finish_reason is missing"),
        (CHAT, "finish_reason", TWO, "finish_reason is length"),
        (COMPLETIONS, "finish_reason", {"choices": [{"finish_reason": "length", "text": "x"}]}, "finish_reason is length"),
        (RESPONSES, "finish_reason", response("x", "incomplete", "max_output_tokens"), "finish_reason is length"),
        (RESPONSES, "finish_reason", response("x", "incomplete", "content_filter"), "finish_reason is content_filter"),
        (RESPONSES, "finish_reason", response("x", "failed"), "finish_reason is failed"),
        (MESSAGES, "finish_reason", message("max_tokens", "{}"), "finish_reason is max_tokens"),
        (MESSAGES, "finish_reason", message("refusal", "{}"), "finish_reason is refusal"),
        (MESSAGES, "finish_reason", message("pause_turn", "{}"), "finish_reason is pause_turn"),
        (MESSAGES, "finish_reason", message(None, "{}"), "finish_reason is missing"),
        (MESSAGES, "not_empty", message("end_turn"), "the answer is empty"),
        (MESSAGES, "not_empty", message("end_turn", " \n"), "the answer is empty"),
        (MESSAGES, "not_empty", message("end_turn", THOUGHT), "the answer is empty"),
        (MESSAGES, "not_empty", {}, "the answer is empty"),
        (MESSAGES, "not_empty", message("refusal", "I cannot."), "the model refused: I cannot."),
        (MESSAGES, "not_empty", message("refusal"), "the model refused: stop_reason is refusal"),
        (MESSAGES, "json", message("end_turn", "x"), NO_JSON),
        (MESSAGES, "json", message("end_turn"), "the answer has no text, so no JSON"),
        (CHAT, "not_empty", chat(""), "the answer is empty"), (CHAT, "not_empty", chat(None), "the answer is empty"),
        (CHAT, "not_empty", chat(" \n"), "the answer is empty"), (CHAT, "not_empty", {"choices": []}, "the answer is empty"),
        (CHAT, "not_empty", {}, "the answer is empty"), (CHAT, "not_empty", None, "the answer is empty"),
        (CHAT, "not_empty", chat(None, refusal="I cannot."), "the model refused: I cannot."),
        (COMPLETIONS, "not_empty", {"choices": [{"finish_reason": "stop", "text": ""}]}, "the answer is empty"),
        (RESPONSES, "not_empty", response(None), "the answer is empty"),
        (
            RESPONSES, "not_empty",
            response(None, "completed", None, {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}),
            "the model refused: No.",
        ),
        (EMBEDDINGS, "not_empty", embeddings(), "the answer has no embedding"),
        (EMBEDDINGS, "not_empty", embeddings([1.0], []), "embedding 1 is empty"),
        (EMBEDDINGS, "not_empty", embeddings([1.0, None]), "embedding 0 holds a value that is no number"),
        (EMBEDDINGS, "not_empty", embeddings([float("nan")]), "embedding 0 holds a value that is no number"),
        (EMBEDDINGS, "not_empty", embeddings(packed(1, float("nan"))), "embedding 0 holds a value that is no number"),
        (EMBEDDINGS, "not_empty", embeddings("?"), "embedding 0 is empty"),
        (EMBEDDINGS, "not_empty", embeddings([1.0], [1.0, 2.0]), "the embeddings have different dimensions"),
        ("/v1/moderations", "not_empty", {}, "the answer is empty"),
        (CHAT, "json", chat('{"a": '), NO_JSON), (CHAT, "json", chat("Sure! {}"), NO_JSON),
        (CHAT, "json", chat("```json\n{}\n```"), NO_JSON), (CHAT, "json", chat("NaN"), NO_JSON),
        (CHAT, "json", chat(""), "the answer has no text, so no JSON"),
        (CHAT, "json", chat("[" * 2_000 + "]" * 2_000), "the text is not valid JSON: it is nested too deeply"),
        (CHAT, "json", chat(None, "tool_calls", tool_calls=[CALL, CUT_CALL]), NO_JSON),
        (COMPLETIONS, "json", {"choices": [{"text": "yes"}]}, NO_JSON),
        (RESPONSES, "json", response("yes"), NO_JSON),
    ],
)  # fmt: skip
def test_a_bad_answer_is_refused_by_its_own_rule_alone(
    endpoint: str, option: str, body: dict[str, Any] | None, why: str
) -> None:
    assert (verdict.why_not(rules.read({option: ALL[option]}), endpoint, line(body)) or "").startswith(why)
    assert verdict.why_not(rules.read({}), endpoint, line(body)) is None


@pytest.mark.parametrize("vector", [[0.5, 1.0], packed(0.5, 1.0)])
def test_an_embedding_has_the_dimension_that_its_request_asks_for(vector: object) -> None:
    def why_not(option: dict[str, Any], request: bytes) -> str | None:
        return verdict.why_not(rules.read(option), EMBEDDINGS, line(embeddings(vector)), request)

    asked = b'{"custom_id": "a", "body": {"model": "m", "dimensions": %s}}\n'
    assert why_not(ALL, asked % b"2") is None
    assert why_not(ALL, asked % b"3") == "the embeddings have the dimension 2, not 3"
    assert why_not({"json": True}, asked % b"3") is None
    for nothing in (b"null", b'"3"', b"0", b"[]"):
        assert why_not(ALL, asked % nothing) is None
    assert why_not(ALL, b'{"body": {"user": "dimensions"}}') is None


def test_an_answer_that_nests_deeply_or_is_not_quite_json_is_read_all_the_same() -> None:
    deep = line(chat("", tool_calls=None)).replace(b'"req-1"', b"[" * 3_000 + b"]" * 3_000)
    assert verdict.why_not(rules.read({"not_empty": True}), CHAT, deep) == "the answer is empty"
    told = json.loads(verdict.error_line(line(chat("x")).replace(b'"b-1"', b"NaN"), "it is so"))
    assert told["response"]["body"] == chat("x")


def test_the_error_line_keeps_the_answer_byte_for_byte_and_counts_by_its_code() -> None:
    came = line(chat("x", "length"))
    kept = verdict.error_line(came, "finish_reason is length")
    assert kept.endswith(b"}\n")
    assert kept.count(b"\n") == 1
    raw = msgspec.json.decode(came, type=dict[str, msgspec.Raw])["response"]
    assert bytes(raw) in kept
    assert json.loads(kept) == {
        **json.loads(came),
        "error": {
            "code": "answer_not_accepted",
            "message": "The answer is not accepted: finish_reason is length.",
        },
    }
    answer = outcomes.parse(kept)
    assert answer is not None
    assert outcomes.code_of(answer) == "answer_not_accepted"


def test_the_words_of_a_refusal_end_with_one_full_stop() -> None:
    told = json.loads(verdict.error_line(line(chat("x")), "the model refused: I cannot."))
    assert told["error"]["message"] == "The answer is not accepted: the model refused: I cannot."


@pytest.mark.parametrize(
    ("option", "code", "param"),
    [
        ([], "invalid_type", "accept"), ("json", "invalid_type", "accept"), (True, "invalid_type", "accept"),
        ({"finish_reasons": ["stop"]}, "unknown_parameter", "accept.finish_reasons"),
        ({"notempty": True}, "unknown_parameter", "accept.notempty"), ({"": True}, "unknown_parameter", "accept."),
        ({"finish_reason": "stop"}, "invalid_value", "accept.finish_reason"),
        ({"finish_reason": []}, "invalid_value", "accept.finish_reason"),
        ({"finish_reason": [""]}, "invalid_value", "accept.finish_reason"),
        ({"finish_reason": ["x" * 65]}, "invalid_value", "accept.finish_reason"),
        ({"finish_reason": ["x"] * 17}, "invalid_value", "accept.finish_reason"),
        ({"json": 1}, "invalid_type", "accept.json"), ({"not_empty": None}, "invalid_type", "accept.not_empty"),
    ],
)  # fmt: skip
def test_an_option_that_cannot_be_followed_is_refused(option: object, code: str, param: str) -> None:
    error = rules.wrong(option)
    assert error is not None
    assert (error.code, error.param) == (code, param)


def test_a_misspelt_member_is_named_rightly() -> None:
    error = rules.wrong({"finishReasons": ["stop"]})
    assert error is not None
    assert error.message.endswith("Did you mean 'accept.finish_reason'?")
