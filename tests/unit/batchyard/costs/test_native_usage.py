"""Tokens in the words of the models on Bedrock; a shape that is not known tells none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_client import PROFILES
from batchyard.costs.cost import Price, cost_of
from batchyard.costs.native_usage import usage_in_body
from batchyard.costs.price_list import Sellers, listed
from batchyard.costs.usage import Usage
from batchyard.domain.outcomes import usage_in_line

SEVEN = Usage(5, 0, 2, 0, 7)


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}}, SEVEN),
        ({"usage": {"inputTokens": 5, "outputTokens": 2}}, SEVEN),
        (
            {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 20}},
            Usage(35, 10, 2, 0, 37, written_tokens=20),
        ),
        (
            {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheWriteInputTokens": 20, "cacheDetails": [
                {"ttl": "1h", "inputTokens": 12}, {"ttl": "5m", "inputTokens": 8},
            ]}},
            Usage(25, 0, 2, 0, 27, written_tokens=20, written_hour_tokens=12),
        ),
        (
            {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheWriteInputTokens": 20,
                       "cacheDetails": [7, {"ttl": "1h"}, {"ttl": "1h", "inputTokens": "12"}]}},
            Usage(25, 0, 2, 0, 27, written_tokens=20),
        ),
        ({"usage": {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokenCount": 10}}, Usage(15, 10, 2, 0, 17)),
        (
            {"usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 1, "cache_creation_input_tokens": 3}},
            Usage(9, 1, 2, 0, 11, written_tokens=3),
        ),
        (
            {"usage": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}},
            Usage(5, 4, 2, 0, 7),
        ),
        ({"generation": "x", "prompt_token_count": 5, "generation_token_count": 2}, SEVEN),
        ({"inputTextTokenCount": 5, "results": [{"tokenCount": 2, "outputText": "x"}]}, SEVEN),
        ({"inputTextTokenCount": 5, "embedding": [0.1]}, Usage(5, 0, 0, 0, 5)),
    ],
)  # fmt: skip
def test_each_shape_tells_its_tokens(body: dict[str, Any], usage: Usage) -> None:
    assert usage_in_body(json.dumps(body).encode()) == usage
    line = json.dumps({"custom_id": "a", "response": {"status_code": 200, "body": body}}).encode()
    assert usage_in_line(line) == usage
    odd = line.replace(b'"a"', b'"\\ud800"')
    assert usage_in_line(odd[:-2] + b', "x": NaN}}') == usage, "a line that is to be mended tells the same"


def test_what_is_written_to_the_cache_costs_what_the_list_of_aws_has_for_it() -> None:
    model, told = "us.anthropic.claude-haiku-4-5-20251001-v1:0", {"inputTokens": 5, "outputTokens": 0}
    details = [{"ttl": "1h", "inputTokens": 1_000_000}, {"ttl": "5m", "inputTokens": 1_000_000}]
    wrote = {**told, "inputTokens": 0, "cacheWriteInputTokens": 2_000_000, "cacheDetails": details}
    used = usage_in_body(json.dumps({"usage": wrote}).encode())
    assert used is not None
    found = listed(Sellers(PROFILES["bedrock"].facts.sellers), model)
    assert found is not None
    assert found.written is not None
    assert found.written_hour is not None
    price = Price(found.input, found.input, found.output, "full", found.written, found.written_hour)
    assert cost_of(used, price).shape()["usd"] == float(found.written + found.written_hour) == 1.375 + 2.2


@pytest.mark.parametrize(
    "body",
    [
        {}, [], None, "x", 7, {"usage": None}, {"usage": {}}, {"usage": []}, {"usage": "5"}, {"usage": {"inputTokens": 5}},
        {"usage": {"outputTokens": 2}}, {"usage": {"inputTokens": "5", "outputTokens": 2}}, {"outputs": [{"text": "x"}]},
        {"usage": {"inputTokens": -5, "outputTokens": 2}}, {"usage": {"inputTokens": True, "outputTokens": 2}},
        {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": "many"}}, {"usage": {"total_tokens": 7}},
        {"usage": {"inputTokens": 5, "outputTokens": 2**60}}, {"usage": {"input_tokens": 5}}, {"usage": {"prompt_tokens": 5}},
        {"prompt_token_count": 5}, {"generation_token_count": 2}, {"inputTextTokenCount": 5, "results": []},
        {"inputTextTokenCount": 5, "results": [{"tokenCount": None}]}, {"inputTextTokenCount": 5, "results": "x"},
        {"usage": {"units": 3}, "prompt_token_count": 5, "generation_token_count": 2},
    ],
)  # fmt: skip
def test_a_shape_that_is_not_known_tells_nothing(body: object) -> None:
    assert usage_in_body(json.dumps(body).encode()) is None


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"usage":{"inputTokens":' + b"9" * 5_000 + b"}}", b"[" * 100_000, b"\xff"]
)
def test_what_is_no_json_tells_nothing(text: bytes) -> None:
    assert usage_in_body(text) is None
    assert usage_in_line(text) is None


WORD = st.sampled_from([
    "usage", "inputTokens", "outputTokens", "totalTokens", "cacheReadInputTokens", "input_tokens", "output_tokens",
    "prompt_tokens", "completion_tokens", "prompt_token_count", "generation_token_count", "inputTextTokenCount", "results",
    "tokenCount",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORD, inner, max_size=5), max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_any_body_is_read_without_an_error_and_counts_are_sound(body: object) -> None:
    usage = usage_in_body(json.dumps(body).encode())
    if usage is not None:
        assert 0 <= usage.cached_tokens <= usage.input_tokens
        assert usage.total_tokens >= 0
        assert usage.output_tokens >= 0
