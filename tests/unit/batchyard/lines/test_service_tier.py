"""The service tier that a request asks for, and that its answer came by."""

import json

import pytest

from batchyard.lines.service_tier import is_by_flex, with_flex


@pytest.mark.parametrize("body", [b'{"model": "o3", "n": 1}', b' {"model":"o3"}', b"{ }", b'{"user": "service_tier"}'])
def test_a_request_without_a_tier_gets_one_and_is_else_as_it_was(body: bytes) -> None:
    asked = with_flex(body)
    assert asked is not None
    assert json.loads(asked) == {"service_tier": "flex", **json.loads(body)}


@pytest.mark.parametrize("tier", ['"auto"', '"priority"', '"flex"', "null", "7"])
def test_a_request_that_names_its_own_tier_keeps_it(tier: str) -> None:
    assert with_flex(b'{"model": "o3", "service_tier": %s}' % tier.encode()) is None
    assert with_flex(b'{"model": "o3", "service\\u005ftier": %s}' % tier.encode()) is None


def answer(body: str) -> bytes:
    return b'{"id": "x", "custom_id": "a", "response": {"status_code": 200, "body": %s}, "error": null}' % body.encode()


@pytest.mark.parametrize(
    ("body", "by_flex"),
    [
        ('{"service_tier": "flex"}', True),
        ('{"service_tier": "default"}', False),
        ('{"service_tier": null}', False),
        ('{"service_tier": 7}', False),
        ('{"metadata": {"service_tier": "flex"}}', False),
        ('{"logprob": NaN, "service_tier": "flex"}', True),
        ('{"logprob": NaN, "service_tier": 7}', False),
        ("[]", False),
        ("null", False),
    ],
)
def test_an_answer_says_what_it_came_by(body: str, by_flex: bool) -> None:
    assert is_by_flex(answer(body)) is by_flex


def test_a_line_without_an_answer_came_by_no_tier() -> None:
    assert not is_by_flex(b'{"custom_id": "a", "response": null, "error": {"code": "outcome_unknown"}}')
