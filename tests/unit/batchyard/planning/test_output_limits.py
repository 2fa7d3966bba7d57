"""How many tokens of output lines allow is summed up per endpoint and model."""

import json
from typing import Any

import msgspec
import pytest

from batchyard.lines.line import parse
from batchyard.planning.output_limits import Meter, OutputLimits


def metered(*bodies: dict[str, Any], url: str = "/v1/chat/completions") -> list[OutputLimits]:
    outputs: list[OutputLimits] = []
    meter = Meter(outputs)
    for body in bodies:
        line = {"custom_id": "a", "method": "POST", "url": url, "body": {"model": "m", **body}}
        text = json.dumps(line).encode()
        meter.add(parse(text), text)
    return outputs


@pytest.mark.parametrize(
    ("body", "tokens", "unlimited"),
    [
        ({"max_tokens": 7}, 7, 0),
        ({"max_completion_tokens": 8, "max_tokens": 7}, 8, 0),
        ({"max_output_tokens": 9}, 9, 0),
        ({"max_tokens": 7, "n": 3}, 21, 0),
        ({}, 0, 1),
        ({"n": 2}, 0, 2),
        ({"max_tokens": None, "n": None}, 0, 1),
        ({"max_tokens": "7"}, 0, 1),
        ({"max_tokens": -1, "n": 0}, 0, 1),
        ({"max_tokens": True, "n": True}, 0, 1),
        ({"max_tokens": 2**40}, 0, 1),
    ],
)
def test_a_line_allows_what_it_names_for_each_of_its_answers(body: dict[str, Any], tokens: int, unlimited: int) -> None:
    assert metered(body) == [OutputLimits("/v1/chat/completions", "m", 1, tokens, unlimited)]


@pytest.mark.parametrize("number", ["9" * 5_000, "1e999"])
def test_a_number_too_large_to_read_is_no_limit(number: str) -> None:
    body = f'{{"model":"m","max_tokens":{number}}}'
    text = f'{{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{body}}}'.encode()
    outputs: list[OutputLimits] = []
    Meter(outputs).add(parse(text), text)
    assert outputs == [OutputLimits("/v1/chat/completions", "m", 1, 0, 1)]


def test_no_sum_outgrows_what_a_checkpoint_can_hold() -> None:
    largest = {"max_tokens": 2**31 - 1, "n": 2**31 - 1}
    outputs = metered(*[largest] * 10)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(outputs), type=list[OutputLimits]) == outputs


@pytest.mark.parametrize("url", ["/v1/embeddings", "/v1/moderations"])
def test_an_embedding_has_no_tokens_of_output(url: str) -> None:
    assert metered({"max_tokens": 7}, {}, url=url) == [OutputLimits(url, "m", 2)]


def test_sums_are_kept_apart_by_model_and_gone_on_with() -> None:
    outputs = [OutputLimits("/v1/responses", "m", 1, 5, 0)]
    text = b'{"custom_id":"a","method":"POST","url":"/v1/responses","body":{"model":"m","max_output_tokens":6}}'
    for _ in range(2):
        Meter(outputs).add(parse(text), text)
    assert outputs == [OutputLimits("/v1/responses", "m", 3, 17, 0)]


@pytest.mark.parametrize(
    ("body", "tokens", "unlimited"),
    [
        ({"inferenceConfig": {"maxTokens": 7}}, 7, 0),
        ({"inferenceConfig": {"max_new_tokens": 7}}, 7, 0),
        ({"textGenerationConfig": {"maxTokenCount": 7}}, 7, 0),
        ({"max_gen_len": 7}, 7, 0),
        ({"max_tokens": 7, "n": 3}, 7, 0),
        ({"max_completion_tokens": 8, "max_tokens": 7}, 8, 0),
        ({"inferenceConfig": None, "max_tokens": 7}, 7, 0),
        ({"inferenceConfig": "7"}, 0, 1),
        ({"inferenceConfig": {"maxTokens": "7"}}, 0, 1),
        ({}, 0, 1),
    ],
)
def test_a_line_with_its_model_in_the_url_allows_what_it_names_in_the_words_of_the_model(
    body: dict[str, Any], tokens: int, unlimited: int
) -> None:
    url = "/model/m/invoke"
    assert metered(body, url=url) == [OutputLimits(url, "m", 1, tokens, unlimited)]


def test_an_embedding_of_a_model_in_the_url_has_no_tokens_of_output() -> None:
    url, model = "/model/amazon.titan-embed-text-v2:0/invoke", "amazon.titan-embed-text-v2:0"
    assert metered({"model": model}, url=url) == [OutputLimits(url, model, 1)]
