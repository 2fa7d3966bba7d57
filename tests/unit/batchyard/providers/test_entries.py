"""The providers of a stack, as its settings describe them."""

import json
from typing import Any

import pytest

from batchyard.domain.errors import SettingsError
from batchyard.providers.entries import LIMITS, MOST, Entry, entries
from tests.fakes.services import made_up_settings

OPENAI = {"base_url": "https://api.openai.com/v1", "models": ["gpt-*"]}
LOCAL = {"base_url": "http://127.0.0.1:9/v1"}


def described(**providers: Any) -> list[Entry]:
    return entries(made_up_settings(providers=json.dumps(providers)))


def test_the_name_of_the_one_provider_is_that_of_its_host_and_port() -> None:
    settings = made_up_settings(provider_base_url="https://user:word@API.Example.com:8443/v1?api-version=1")
    (entry,) = entries(settings)
    assert entry.name == "api.example.com:8443"
    assert entry.base_url == settings.provider_base_url
    assert (entry.models, entry.urls) == (("*",), ("*",))


def test_the_one_provider_has_the_limits_of_the_stack() -> None:
    (entry,) = entries(made_up_settings(max_creates_per_hour=7, max_enqueued_tokens="m=5", max_bytes_per_shard=99))
    assert (entry.max_creates_per_hour, entry.max_enqueued_tokens, entry.max_bytes_per_shard) == (7, "m=5", 99)


def test_several_providers_keep_their_order_and_have_the_limits_of_the_stack_but_for_their_own() -> None:
    settings = made_up_settings(
        providers=json.dumps({"b": {**OPENAI, "max_requests_per_shard": 7, "max_enqueued_tokens": 90_000}, "a": LOCAL}),
        max_creates_per_hour=70,
    )
    first, second = entries(settings)
    assert (first.name, first.models, first.max_requests_per_shard) == ("b", ("gpt-*",), 7)
    assert (second.name, second.models, second.max_requests_per_shard) == ("a", ("*",), 50_000)
    assert (first.max_enqueued_tokens, first.max_creates_per_hour) == ("90000", 70)


def test_the_workers_that_may_submit_at_once_are_shared() -> None:
    settings = made_up_settings(
        providers=json.dumps({"a": LOCAL, "b": LOCAL, "c": {**LOCAL, "max_concurrent_submits": 9}})
    )
    assert [entry.max_concurrent_submits for entry in entries(settings)] == [33, 33, 9]


@pytest.mark.parametrize(
    ("providers", "told"),
    [
        ("[", "Providers is no JSON"),
        ("[]", "must be a JSON object with a member for each provider"),
        ("{}", "must be a JSON object with a member for each provider"),
        ('{"OpenAI": {}}', "'OpenAI' is no name of a provider"),
        ('{"a": 7}', "'a' must be an object"),
        ('{"a": {}}', "has no 'base_url'"),
        ('{"a": {"base_url": "https://h/v1", "modles": []}}', "unknown member 'modles'. Did you mean 'models'?"),
        ('{"a": {"base_url": "https://h/v1", "zzz": 1}}', "There are: base_url, profile"),
        ('{"a": {"base_url": "https://h/v1", "models": "gpt-*"}}', "'a': Expected `array`, got `str`"),
        ('{"a": {"base_url": "https://h/v1", "models": []}}', "models and urls are lists"),
        ('{"a": {"base_url": "h/v1"}}', "base_url must begin with https://"),
        ('{"a": {"base_url": "https://me:word@h/v1"}}', "without a user or a key"),
        ('{"a": {"base_url": "https://h/v1", "profile": "opnai"}}', "No profile is called 'opnai'; there are anthropic"),
        ('{"a": {"base_url": "https://h/v1", "max_creates_per_hour": -1}}', "max_creates_per_hour must be at least 0"),
        ('{"a": {"base_url": "https://h/v1", "max_requests_per_shard": 0}}', "must be at least 1, not 0"),
        ('{"a": {"base_url": "https://h/v1", "max_enqueued_tokens": "x"}}', "number or model=number"),
        ('{"a": {"base_url": "https://h/v1", "completion_window": "soon"}}', "must look like 24h or 7d"),
        ('{"a": {"base_url": "https://h/v1", "price_list": {"m": {"output": 1}}}}', "missing required field `input`"),
        (json.dumps({f"p{at}": LOCAL for at in range(MOST + 1)}), "at most 20 are allowed"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told_in_one_sentence_that_names_the_provider(providers: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        entries(made_up_settings(providers=providers))
    assert told in str(caught.value)


def test_a_key_in_the_setting_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        described(a={**LOCAL, "api_key": "sk-very-secret"})
    assert "holds a key" in str(caught.value)
    assert "sk-very-secret" not in str(caught.value)


def test_every_limit_of_an_entry_is_a_setting_of_the_stack() -> None:
    settings = made_up_settings()
    assert all(hasattr(settings, name) for name in LIMITS)
