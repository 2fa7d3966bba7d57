import json
from pathlib import Path
from typing import Any

import pytest

from local.emulator.faults import Scenario
from local.emulator.validator import Validation, ordered_problems

CHAT = "/v1/chat/completions"


def line(custom_id: object = "a", **changes: object) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body, **changes}


def chat(**members: object) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **members}


def validate(tmp_path: Path, *lines: object, endpoint: str = CHAT, limits: Scenario | None = None) -> Validation:
    path = tmp_path / "input.jsonl"
    path.write_bytes(
        b"".join((item if isinstance(item, bytes) else json.dumps(item).encode()) + b"\n" for item in lines)
    )
    return Validation(endpoint, limits or Scenario()).read(path)


def codes(found: Validation) -> list[tuple[str, str | None, int | None]]:
    return [(item["code"], item["param"], item["line"]) for item in found.problems]


def test_a_good_file_has_its_lines_model_and_tokens_counted(tmp_path: Path) -> None:
    found = validate(tmp_path, line("a"), line("b"))
    assert (found.problems, found.total, found.model, found.tokens) == ([], 2, "m", 6)


def test_a_last_line_without_a_line_feed_counts(tmp_path: Path) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(json.dumps(line("a")).encode() + b"\r\n" + json.dumps(line("b")).encode())
    found = Validation(CHAT, Scenario()).read(path)
    assert (found.problems, found.total) == ([], 2)


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        (b"{broken", "invalid_json_line", None),
        (b"", "invalid_json_line", None),
        (b"[1]", "invalid_json_line", None),
        (b'\xef\xbb\xbf{"custom_id": "a"}', "invalid_json_line", None),
        (b'{"custom_id": "\xff"}', "invalid_json_line", None),
        (b'{"custom_id": NaN}', "invalid_json_line", None),
        (b"[" * 100_000, "invalid_json_line", None),
        ({"method": "POST"}, "missing_required_parameter", "custom_id"),
        (line(method=None), "missing_required_parameter", "method"),
        (line(url=None), "missing_required_parameter", "url"),
        (line(body=None), "missing_required_parameter", "body"),
        (line(custom_id=7), "invalid_type", "custom_id"),
        (line(body="text"), "invalid_type", "body"),
        (line(method="GET"), "invalid_method", "method"),
        (line(url="/v1/responses"), "invalid_url", "url"),
        (line(body={"messages": []}), "invalid_request", "body.model"),
        (line(body={"model": "m"}), "invalid_request", "body.messages"),
        (line(body=chat(stream=True)), "streaming_unsupported", "body.stream"),
        (line(body=chat(model="other")), "mismatched_model", "body.model"),
        (line("first"), "duplicate_custom_id", "custom_id"),
    ],
)
def test_a_bad_line_is_named_with_the_providers_code(tmp_path: Path, bad: object, code: str, param: str | None) -> None:
    assert codes(validate(tmp_path, line("first"), bad)) == [(code, param, 2)]


def test_every_bad_line_is_reported(tmp_path: Path) -> None:
    found = validate(tmp_path, b"x", line("a"), line("a"), line("b", url="/v1/embeddings"))
    assert [(code, number) for code, _, number in codes(found)] == [
        ("invalid_json_line", 1),
        ("duplicate_custom_id", 3),
        ("invalid_url", 4),
    ]


def test_a_model_the_provider_does_not_have_is_not_found(tmp_path: Path) -> None:
    found = validate(tmp_path, line(), limits=Scenario(models=["other"]))
    assert codes(found) == [("model_not_found", "body.model", 1)]


def test_more_lines_than_allowed_fail_the_file(tmp_path: Path) -> None:
    found = validate(tmp_path, line("a"), line("b"), line("c"), limits=Scenario(max_lines=2))
    assert codes(found) == [("too_many_requests_in_batch", None, None)]


def test_a_file_over_the_size_limit_is_not_even_read(tmp_path: Path) -> None:
    found = validate(tmp_path, b"not json", limits=Scenario(max_file_bytes=3))
    assert codes(found) == [("invalid_request", None, None)]


def test_an_empty_file_has_its_own_code(tmp_path: Path) -> None:
    assert codes(validate(tmp_path)) == [("empty_file", None, None)]


def test_embedding_inputs_are_summed_over_the_file(tmp_path: Path) -> None:
    url = "/v1/embeddings"
    bodies = [
        {"model": "m", "input": ["x"] * 25_000},
        {"model": "m", "input": ["x"] * 25_000},
        {"model": "m", "input": "x"},
    ]
    lines = [line(str(n), url=url, body=body) for n, body in enumerate(bodies)]
    assert validate(tmp_path, *lines[:2], endpoint=url).problems == []
    assert codes(validate(tmp_path, *lines, endpoint=url)) == [("too_many_embedding_inputs", None, None)]


def test_a_list_of_token_ids_is_one_embedding_input(tmp_path: Path) -> None:
    url = "/v1/embeddings"
    found = validate(tmp_path, line(url=url, body={"model": "m", "input": [1, 2, 3]}), endpoint=url)
    assert found.embedding_inputs == 1


def test_problems_can_be_ordered_by_code_or_whole() -> None:
    whole = {"code": "x", "message": "y", "param": None, "line": 3}
    named = ordered_problems(
        ["token_limit_exceeded", "file_not_found", "billing_hard_limit_reached", whole], "file-1", "m"
    )
    assert [item["code"] for item in named] == [
        "token_limit_exceeded",
        "invalid_request",
        "billing_hard_limit_reached",
        "x",
    ]
    assert "Limit: 90,000 enqueued tokens" in named[0]["message"]
    assert named[1]["param"] == "file_id"
    assert ordered_problems(None, "file-1", "m") == []
