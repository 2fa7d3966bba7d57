"""A line of our results in Anthropic's shape is what Anthropic's own client reads."""

import json
from typing import Any

import pytest
from anthropic.types.messages import MessageBatchIndividualResponse

from batchyard.domain.batch import BatchError
from batchyard.domain.outcomes import answer_line
from batchyard.message_batches.result_lines import result_line
from tests.fakes.nested import nested

MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "é\n"}], "usage": {"input_tokens": 1, "output_tokens": 2},
}  # fmt: skip
NATIVE = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}


def line(body: object, status: Any = 200, error: object = None, custom_id: str | None = "a") -> bytes:
    response = {"status_code": status, "request_id": "req_2", "body": body}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": response, "error": error}).encode() + b"\n"


def ours(code: str, message: str = "Why.", number: int | None = None, custom_id: str | None = "a") -> bytes:
    return answer_line("batch_1", 0, custom_id, BatchError(code, message), number)


def read(text: bytes) -> tuple[str, Any]:
    """Read as Anthropic's client does."""
    made = result_line(text)
    assert made.endswith(b"\n")
    assert made.count(b"\n") == 1
    found = MessageBatchIndividualResponse.model_validate_json(made)
    return found.custom_id, found.result.model_dump(mode="json", exclude_unset=True)


def test_a_message_stays_as_it_is_to_the_byte() -> None:
    body = b'{"type":"message","x":1.10,"content":[{"type":"text","text":"\\u00e9"}]}'
    text = b'{"id":"x","custom_id":"a","response":{"status_code":200,"request_id":"r","body":%s},"error":null}\n' % body
    assert result_line(text) == b'{"custom_id":"a","result":{"type":"succeeded","message":%s}}\n' % body
    custom_id, result = read(line(MESSAGE))
    assert (custom_id, result["type"]) == ("a", "succeeded")
    assert result["message"]["content"][0]["text"] == "é\n"


@pytest.mark.parametrize("status", [201, "200", 200.0])
def test_a_success_that_is_told_otherwise_is_one_here_too(status: object) -> None:
    assert read(line(MESSAGE, status))[1]["type"] == "succeeded"


def test_a_success_that_nests_without_end_is_one_with_what_can_be_read() -> None:
    text = line({**MESSAGE, "x": 0}).replace(b'"x": 0', b'"x": ' + nested(100_000))
    assert b'"type":"succeeded"' in result_line(text)  # some Pythons keep all levels, and cannot read them again


def test_an_error_of_anthropic_s_stays_as_it_is() -> None:
    assert read(line(NATIVE, 529)) == ("a", {"type": "errored", "error": NATIVE})


def test_a_line_that_was_cancelled_has_no_error() -> None:
    assert read(ours("batch_cancelled")) == ("a", {"type": "canceled"})


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (ours("no_answer", "The provider answered none."), "api_error", "The provider answered none. (no_answer)"),
        (ours("outcome_unknown"), "invalid_request_error", "Why. (outcome_unknown)"),
        (ours("batch_expired"), "api_error", "Why. (batch_expired)"),  # as the counts of the batch have it
        (ours("invalid_value"), "invalid_request_error", "Why. (invalid_value)"),
        (ours("budget_exceeded"), "billing_error", "Why. (budget_exceeded)"),
        (
            line(MESSAGE, 200, {"code": "answer_not_accepted", "message": "Cut."}),
            "api_error",
            "Cut. (answer_not_accepted)",
        ),
        (
            line({"error": {"message": "Slow down", "type": "x", "code": "rate"}}, 429),
            "rate_limit_error",
            "Slow down (rate)",
        ),
        (line({"error": {"message": "No", "type": "bad"}}, 400), "invalid_request_error", "No (bad)"),
        (line({"detail": "odd"}, 503), "api_error", "No reason was given. (http_503)"),
        (line(None, 999), "api_error", "No reason was given. (http_999)"),
        (line(None, 200.5), "api_error", "No reason was given. (no_response)"),
        (b'{"custom_id":"a","response":null,"error":null}', "api_error", "No reason was given. (no_response)"),
        (b'{"custom_id":"a","response":null,"error":"odd"}', "api_error", "No reason was given. (no_response)"),
    ],
)
def test_any_other_error_has_a_kind_of_anthropic_s_and_its_code(text: bytes, kind: str, message: str) -> None:
    custom_id, result = read(text)
    assert (custom_id, result["type"], result["error"]["type"]) == ("a", "errored", "error")
    assert result["error"]["error"] == {"type": kind, "message": message}


def test_a_line_that_was_skipped_without_an_id_is_named_by_its_number() -> None:
    assert read(ours("invalid_json_line", number=7, custom_id=None))[0] == "line-7"
    assert read(ours("invalid_value", number=7, custom_id="b"))[0] == "b"
