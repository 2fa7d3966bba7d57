import json
from collections.abc import Iterator
from typing import Any

import pytest

from batchyard_client.answers import Answers, Rates, answer_of, rates_of
from batchyard_client.errors import Refused
from batchyard_client.ordering import with_gaps


def line(body: dict[str, Any] | None, status: int = 200, error: object = None, name: str = "row-1") -> bytes:
    response = None if body is None else {"status_code": status, "body": body}
    return json.dumps({"custom_id": name, "response": response, "error": error}).encode()


CHAT = {"choices": [{"message": {"content": '{"mood": "good"}'}, "finish_reason": "stop"}], "model": "m-2026"}
RESPONSE = {
    "status": "completed", "model": "m",
    "output": [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "yes"}]}],
}  # fmt: skip
MESSAGE = {
    "type": "message", "model": "claude", "stop_reason": "end_turn",
    "content": [{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "y"}, {"type": "text", "text": "es"}],
    "usage": {"input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4, "output_tokens": 8},
}  # fmt: skip


@pytest.mark.parametrize(
    ("body", "text", "data", "finish"),
    [
        (MESSAGE, "yes", None, "end_turn"),
        (CHAT, '{"mood": "good"}', {"mood": "good"}, "stop"),
        (RESPONSE, "yes", None, "completed"),
        ({"choices": [{"text": "{no json", "finish_reason": "length"}]}, "{no json", None, "length"),
        ({"data": [{"embedding": [0.5, 1.0]}]}, None, [0.5, 1.0], None),
        ({"results": [{"flagged": False}]}, None, None, None),
    ],
)
def test_text_and_data_of_each_endpoint(body: dict[str, Any], text: str | None, data: object, finish: str) -> None:
    found = answer_of(line(body), None, None)
    assert (found.text, found.data, found.finish_reason, found.error) == (text, data, finish, None)
    assert found.body == body


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (line({"error": {"code": "too_long", "message": "too long"}}, 400), "too_long", "too long"),
        (line(None, error={"code": "batch_expired", "message": "late"}), "batch_expired", "late"),
        (line(CHAT, error={"code": "answer_not_accepted", "message": "cut"}), "answer_not_accepted", "cut"),
        (line(None), None, "no reason was given"),
    ],
)
def test_an_error_has_its_code_and_no_text(raw: bytes, code: str | None, words: str) -> None:
    found = answer_of(raw, None, None)
    assert found.text is None
    assert found.error is not None
    assert found.error.code == code
    assert words in str(found.error)


def test_an_answer_costs_what_its_tokens_cost_in_the_batch() -> None:
    part = {
        "usd": 3.0,
        "input_usd": 1.0,
        "cached_usd": 0.0,
        "output_usd": 2.0,
        "input_tokens": 100,
        "output_tokens": 50,
    }
    rates = rates_of({"usd": 3.0, "by_model": {"m": part, "m-2026": {**part, "input_usd": 5.0}, "x": {"usd": None}}})
    assert isinstance(rates, Rates)
    assert rates.cost("m-1", 100, 50) == pytest.approx(3.0)
    assert rates.cost("m-2026-11", 100, 50) == pytest.approx(7.0)  # the longer name is the nearer one
    assert rates.cost("other", 1, 1) is None
    assert rates_of({"usd": None, "by_model": {"x": {"usd": None}}}) is None
    assert rates_of(None) is None


def answers(names: list[str], rows: int, *, gaps: bool) -> Answers:
    def lines() -> Iterator[bytes | None]:
        return with_gaps(line(CHAT, name=name) for name in names)

    return Answers(
        lines, lambda: [{"id": at} for at in range(rows)], None, rows, 0, None, needed=("text",) if gaps else ()
    )


def test_rows_that_were_not_asked_keep_their_places() -> None:
    found = [*answers(["row-2"], 3, gaps=True)]
    assert [answer.error and answer.error.code for answer in found] == ["skipped", None, "skipped"]


@pytest.mark.parametrize(
    ("names", "words"), [(["row-2"], "fewer"), (["row-1"], "fewer"), (["row-1", "row-2", "row-3"], "more")]
)
def test_a_result_that_is_missing_is_never_passed_off_as_a_row_that_was_not_asked(names: list[str], words: str) -> None:
    with pytest.raises(Refused, match=words):
        [*answers(names, 2, gaps=False)]


def test_the_tokens_of_the_cache_are_among_those_that_a_message_costs() -> None:
    rates = rates_of({"by_model": {"claude": {"usd": 1.0, "input_usd": 7.0, "input_tokens": 7, "output_usd": 16.0,
                                              "output_tokens": 8}}})  # fmt: skip
    assert answer_of(line(MESSAGE), None, rates).cost == 7 + 16
