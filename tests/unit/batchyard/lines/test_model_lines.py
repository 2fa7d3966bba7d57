"""A line whose url names its model: how it is read, what is refused, and that lines read together say the same."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.batch import BatchError
from batchyard.lines import model_lines, model_urls
from batchyard.lines.line import Line, diagnose, parse_alike

CLAUDE = "anthropic.claude-3-5-haiku-20241022-v1:0"
ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-v1:0"
BODY: dict[str, Any] = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 16, "messages": [{"role": "user"}]}
URL = f"/model/{CLAUDE}/invoke"


def line(url: object = URL, body: object = BODY, custom_id: object = "a", **members: object) -> bytes:
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body, **members}).encode() + b"\n"


@pytest.mark.parametrize(
    ("url", "model", "same"),
    [
        (URL, CLAUDE, URL),
        (f"/model/{quote(CLAUDE)}/invoke", CLAUDE, URL),
        (f"/model/{quote(CLAUDE)}/converse", CLAUDE, f"/model/{CLAUDE}/converse"),
        (f"/model/{quote(ARN, safe='')}/invoke", ARN, f"/model/{quote(ARN, safe=':')}/invoke"),
        (f"/model/{ARN}/invoke", ARN, f"/model/{quote(ARN, safe=':')}/invoke"),
    ],
)
def test_every_spelling_of_a_url_is_one_target(url: str, model: str, same: str) -> None:
    found = model_lines.read(line(url), None)
    assert isinstance(found, Line)
    assert (found.url, found.body.model, found.custom_id) == (same, model, "a")
    assert model_lines.read(line(same), None) == found
    told = parse_alike([line(url), line(same, custom_id="b")], same, model)
    assert told == ["a", "b"], "the usual spellings need no look of their own"


@pytest.mark.parametrize("other", ["/v1/chat/completions", "/models/x/invoke", "/model/x/invoke?a=b", "/model"])
def test_other_urls_are_not_read(other: str) -> None:
    assert model_lines.read(line(other), None) is None
    assert model_urls.operation_of(other) is None


@pytest.mark.parametrize(
    ("text", "code", "param", "remedy"),
    [
        (line("/model/invoke"), "invalid_url", "url", "Write the model's id, as in /model/amazon.nova-lite-v1:0/invoke"),
        (line("/model//invoke"), "invalid_url", "url", "Write the model's id"),
        (line("/model/%20/converse"), "invalid_url", "url", "Write the model's id"),
        (line("/model/%ff/converse"), "invalid_url", "url", "Write the model's id"),
        (line("/model/*/invoke"), "invalid_url", "url", "Write the model's id"),
        (line("/model/x/invoke-with-response-stream"), "streaming_unsupported", "url", "End `url` with /invoke"),
        (line("/model/x/converse-stream"), "streaming_unsupported", "url", "or /converse"),
        (line("/model/x"), "invalid_url", "url", "is not /model/*/invoke or"),
        (line("/model/x/count-tokens"), "invalid_url", "url", "is not /model/*/invoke or /model/*/converse"),
        (line(body={**BODY, "stream": True}), "streaming_unsupported", "body.stream", "Remove `stream`"),
        (line(body={"modelId": "amazon.nova-lite-v1:0"}), "invalid_value", "body.modelId", "Remove `modelId`"),
        (line(body={"model": "gpt-4o"}), "invalid_value", "body.model", "Remove `model`"),
        (line(custom_id=""), "invalid_value", "custom_id", "Give the line a unique one"),
        (line(f"/model/{'x' * 1001}/invoke"), "invalid_request", "body.model", "longer than 1,000"),
    ],
)  # fmt: skip
def test_a_bad_line_is_told_with_its_member_and_the_remedy(text: bytes, code: str, param: str, remedy: str) -> None:
    found = model_lines.read(text, None)
    assert isinstance(found, BatchError)
    assert (found.code, found.param) == (code, param)
    assert remedy in found.message


@pytest.mark.parametrize("told", [CLAUDE, f"us.{CLAUDE}", "claude-3-5-haiku", None, 7])
def test_a_body_may_name_the_model_of_the_url(told: object) -> None:
    assert isinstance(model_lines.read(line(body={**BODY, "model": told}), None), Line)


@pytest.mark.parametrize(
    ("endpoint", "taken"),
    [
        (URL, True), (f"/model/{quote(CLAUDE)}/invoke", True), ("/model/*/invoke", True), ("/model/*/converse", False),
        (f"/model/{CLAUDE}/converse", False), ("/model/other/invoke", False), ("/v1/chat/completions", False),
    ],
)  # fmt: skip
def test_the_endpoint_of_a_batch_names_one_model_or_any(endpoint: str, taken: bool) -> None:
    found = model_lines.read(line(), endpoint)
    assert isinstance(found, Line if taken else BatchError)
    assert taken or (isinstance(found, BatchError) and endpoint in found.message)


@pytest.mark.parametrize(
    ("text", "param"),
    [
        (line(body=None), "body"), (line(custom_id=7), "custom_id"), (line().replace(b"POST", b"GET"), "method"),
        (line(url=None), "url"), (line(body=[]), "body"),
    ],
)  # fmt: skip
def test_a_line_that_is_not_well_formed_is_diagnosed_as_any(text: bytes, param: str) -> None:
    assert model_lines.read(text, None) is None
    assert diagnose(text).param == param


def test_half_a_surrogate_pair_is_not_taken_for_a_missing_model() -> None:
    assert model_lines.read(line(custom_id="@").replace(b"@", b"\\ud800"), None) is None
    assert "lone surrogate" in diagnose(line(custom_id="@").replace(b"@", b"\\ud800")).message


def test_a_record_of_bedrock_is_recognised() -> None:
    told = diagnose(b'{"recordId":"1","modelInput":{}}')
    assert "a record of Bedrock's batch inference" in told.message
    assert "/model/{modelId}/invoke" in told.message


@given(st.lists(st.sampled_from([
    line(), line(custom_id="b"), line(f"/model/{quote(CLAUDE)}/invoke"), line(body={"stream": True}), line(custom_id=""),
    line(body={"model": CLAUDE}), line(body={"model": "x"}), line("/model/other/invoke"), line("/v1/messages"), line()[:-9],
    line(f"/model/{CLAUDE}/converse"), line(body={"stream": False, "modelId": None}),
]), min_size=1, max_size=4))  # fmt: skip
def test_lines_read_together_say_what_each_says_alone(lines: list[bytes]) -> None:
    together = parse_alike(lines, URL, CLAUDE)
    if together is not None:
        alone = [model_lines.read(each, None) for each in lines]
        assert together == [each.custom_id for each in alone if isinstance(each, Line) and each.url == URL]
        assert len(together) == len(lines)


@given(st.text(max_size=40))
def test_any_url_is_read_or_not_and_one_spelling_stays(url: str) -> None:
    found = model_urls.read(url)
    if found is not None and found.model:
        assert model_urls.read(found.url) == found
        assert model_urls.same(url) == found.url
        assert all(model_urls.read(each) == found for each in found.spellings)
    else:
        assert model_urls.same(url) == url
