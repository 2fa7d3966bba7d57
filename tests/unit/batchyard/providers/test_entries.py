"""The providers of a stack, as its settings describe them."""

import json
from typing import Any

import pytest

from batch_client import OPENAI_URLS
from batchyard.domain.errors import SettingsError
from batchyard.lines.line import ENDPOINTS
from batchyard.providers.entries import LIMITS, MOST, Entry, entries, has_key
from batchyard.providers.routing import choose, takes
from tests.fakes.services import made_up_settings

OPENAI = {"base_url": "https://api.openai.com/v1", "models": ["gpt-*"]}
LOCAL = {"base_url": "http://127.0.0.1:9/v1"}
CLAUDE = {"base_url": "https://api.anthropic.com"}
WORKSPACE = {"anthropic-workspace-id": "wrkspc_1"}
MISTRAL = {"base_url": "https://api.mistral.ai"}
CHAT, MESSAGES, FIM = "/v1/chat/completions", "/v1/messages", "/v1/fim/completions"


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
        ('{"a": {"base_url": "https://h/v1", "base_url": "https://g/v1"}}', "'base_url' is named twice"),
        ("[]", "must be a JSON object with a member for each provider"),
        ("{}", "must be a JSON object with a member for each provider"),
        ('{"OpenAI": {}}', "'OpenAI' is no name of a provider"),
        ('{"a": 7}', "'a' must be an object"),
        ('{"a": {}}', "has no 'base_url'"),
        ('{"a": {"base_url": "https://h/v1", "modles": []}}', "unknown member 'modles'. Did you mean 'models'?"),
        ('{"a": {"base_url": "https://h/v1", "zzz": 1}}', "There are: base_url, profile"),
        ('{"a": {"base_url": "https://h/v1", "models": "gpt-*"}}', "'a': models must be a list of names or patterns, such"),
        ('{"a": {"base_url": "https://h/v1", "models": []}}', "models and urls are lists"),
        ('{"a": {"base_url": "h/v1"}}', "base_url must begin with https://"),
        ('{"a": {"base_url": "https://me:word@h/v1"}}', "without a user or a key"),
        ('{"a": {"base_url": "https://h/v1", "profile": "opnai"}}', "No profile is called 'opnai'; there are anthropic"),
        ('{"a": {"base_url": "https://h/v1", "max_creates_per_hour": -1}}', "max_creates_per_hour must be at least 0"),
        ('{"a": {"base_url": "https://h/v1", "max_requests_per_shard": 0}}', "must be at least 1, not 0"),
        ('{"a": {"base_url": "https://h/v1", "max_enqueued_tokens": "x"}}', "number or model=number"),
        ('{"a": {"base_url": "https://h/v1", "completion_window": "soon"}}', "must look like 24h or 7d"),
        ('{"a": {"base_url": "https://api.openai.com/v1", "completion_window": "7d"}}',
         "completion_window must be '24h', not '7d'"),
        ('{"a": {"base_url": "https://api.groq.com/openai/v1", "completion_window": "8d"}}', "must be '24h' to '7d', not '8d'"),
        ('{"a": {"base_url": "https://h", "profile": "anthropic", "urls": ["/v1/messages", "/v1/chat/completions"]}}',
         "'a': urls: anthropic takes /v1/messages alone, and not '/v1/chat/completions'"),
        ('{"a": {"base_url": "https://api.openai.com/v1", "urls": ["/v1/messages"]}}',
         "'a': urls: openai does not take '/v1/messages', which is a url of another service"),
        ('{"a": {"base_url": "https://h/v1", "role": "batches"}}', "'a': role must be the ARN of a role, such as arn:aws:"),
        ('{"a": {"base_url": "https://api.mistral.ai", "urls": ["/v1/responses"]}}', "mistral takes /v1/chat/completions, "),
        ('{"a": {"base_url": "https://api.openai.com/v1", "urls": ["/v1/ocr"]}}', "openai does not take '/v1/ocr'"),
        ('{"a": {"base_url": "https://gateway.example", "profile": "bedrock"}}', "names no region of AWS"),
        ('{"a": {"base_url": "https://h/v1", "foreign_urls": []}}', "unknown member 'foreign_urls'"),
        ('{"a": {"base_url": "https://h/v1", "price_list": {"m": {"output": 1}}}}',
         "'a': price_list: 'm': Object missing required field `input`"),
        ('{"a": {"base_url": "https://h/v1", "price_list": {"m": {"input": -1}}}}', "price_list: 'm': a price is at least 0"),
        ('{"a": {"base_url": "https://h/v1", "urls": [7]}}', "'a': urls must be a list of names or patterns, such as ["),
        ('{"a": {"base_url": "https://api.openai.com/v1", "role": "arn:aws:iam::123456789012:role/x"}}',
         "'a': role is for a service that reads and writes the bucket by itself; openai does not. Take it out."),
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


@pytest.mark.parametrize("urls", [None, ["*"], ["/v1/*"], ["/v1/messages", "/v1/mess*"]])
def test_a_service_of_another_dialect_gets_the_urls_of_that_dialect_alone(urls: list[str] | None) -> None:
    entry, _ = described(a={**CLAUDE, **({} if urls is None else {"urls": urls})}, b=LOCAL)
    assert takes(entry, MESSAGES, "m")
    assert not takes(entry, CHAT, "m")
    assert entry.urls == (MESSAGES,)


@pytest.mark.parametrize("urls", [None, ["*"], ["/v1/*"]])
def test_a_service_of_openais_dialect_gets_no_url_of_another_dialect(urls: list[str] | None) -> None:
    (entry,) = described(a={**OPENAI, "models": ["*"], **({} if urls is None else {"urls": urls})})
    assert takes(entry, CHAT, "m")
    assert not takes(entry, MESSAGES, "m")


@pytest.mark.parametrize("urls", [None, ["*"], ["/v1/*"]])
def test_a_service_that_has_some_of_openais_urls_gets_these_and_takes_none_from_openai(urls: list[str] | None) -> None:
    given = {} if urls is None else {"urls": urls}
    mistral, openai, gateway = described(a={**MISTRAL, **given}, b={**OPENAI, **given}, c={**LOCAL, **given})
    for url, takers in {
        CHAT: (True, True, True), "/v1/embeddings": (True, True, True), "/v1/responses": (False, True, True),
        "/v1/images/generations": (False, True, True), FIM: (True, False, False), "/v1/ocr": (True, False, False),
        MESSAGES: (False, False, True),
    }.items():  # fmt: skip
        assert tuple(takes(each, url, "gpt-4o") for each in (mistral, openai, gateway)) == takers, url


def test_lines_of_one_url_go_by_their_models() -> None:
    both = described(a={**MISTRAL, "models": ["mistral-*", "codestral-*"]}, b=OPENAI)
    for model, name in {"mistral-small": "a", "codestral-latest": "a", "gpt-4o": "b"}.items():
        chosen = choose(both, CHAT, model)
        assert chosen is not None
        assert chosen.name == name
    assert choose(both, FIM, "gpt-4o") is None
    assert choose(both, "/v1/responses", "mistral-small") is None


def test_openais_urls_are_those_that_a_line_may_have_anywhere() -> None:
    assert {*OPENAI_URLS, MESSAGES} == ENDPOINTS


@pytest.mark.parametrize(
    ("urls", "by_itself", "beside_claude"),
    [
        (None, True, False), (["*"], True, False), (["/v1/*"], True, False), ([MESSAGES], True, True),
        (["/v1/chat/*"], False, False),
    ],
)  # fmt: skip
def test_a_gateway_may_take_any_but_those_of_a_service_beside_it_only_if_it_names_them(
    urls: list[str] | None, by_itself: bool, beside_claude: bool
) -> None:
    gateway = {**LOCAL, **({} if urls is None else {"urls": urls})}
    (alone,) = described(a=gateway)
    assert takes(alone, MESSAGES, "m") is by_itself
    (beside, _) = described(a=gateway, b=CLAUDE)
    assert takes(beside, MESSAGES, "m") is beside_claude


def test_the_one_provider_gets_the_urls_of_its_dialect_too() -> None:
    (claude,) = entries(made_up_settings(provider_base_url="https://h", provider_profile="anthropic"))
    assert (takes(claude, MESSAGES, "m"), takes(claude, CHAT, "m")) == (True, False)
    (openai,) = entries(made_up_settings(provider_base_url="https://api.openai.com/v1"))
    assert (takes(openai, MESSAGES, "m"), takes(openai, CHAT, "m")) == (False, True)
    with pytest.raises(SettingsError, match="ProviderProfile: No profile is called 'opnai'"):
        entries(made_up_settings(provider_profile="opnai"))


def test_headers_are_kept_by_their_small_names() -> None:
    first, second = described(a={**LOCAL, "headers": {"Anthropic-Beta": "x-1, y-2"}}, b=LOCAL)
    assert (first.headers, second.headers) == ({"anthropic-beta": "x-1, y-2"}, {})


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"Authorization": "Bearer s3cret"}, "'authorization' would hold a secret"),
        ({"x-api-key": "s3cret"}, "would hold a secret"),
        ({"x-goog-access-token": "s3cret"}, "would hold a secret"),
        ({"Host": "s3cret"}, "is said by Batchyard itself"),
        ({"content-length": "7"}, "is said by Batchyard itself"),
        ({"x-amz-date": "s3cret"}, "is said by Batchyard itself"),
        ({"a b": "x"}, "is no name of a header"),
        ({"": "x"}, "is no name of a header"),
        ({"h\n": "x"}, "is no name of a header"),
        ({"h": "s3cret\r\nx: y"}, "1 to 512 printable"),
        ({"h": "s3cret\n"}, "1 to 512 printable"),
        ({"h": ""}, "1 to 512 printable"),
        ({"h": " s3cret"}, "1 to 512 printable"),
        ({"h": "é"}, "1 to 512 printable"),
        ({"h": "x" * 513}, "1 to 512 printable"),
        ({f"h{at}": "x" for at in range(11)}, "at most 10"),
        ({"h": 7}, "Expected `str`"),
        (["h"], "Expected `object`"),
    ],
)
def test_a_header_that_cannot_be_sent_or_holds_a_key_is_refused_and_not_shown(headers: Any, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        described(a={**LOCAL, "headers": headers})
    assert told in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_longest_header_is_taken() -> None:
    (entry,) = described(a={**LOCAL, "headers": {"h" * 64: "x" * 512}})
    assert len(entry.headers) == 1


@pytest.mark.parametrize("window", ["24h", "25h", "3d", "7d"])
def test_a_window_that_the_service_has_is_taken(window: str) -> None:
    (entry,) = described(a={"base_url": "https://api.groq.com/openai/v1", "completion_window": window})
    assert entry.completion_window == window


def test_a_service_that_is_called_with_a_role_has_no_key() -> None:
    first, second = described(a={**LOCAL, "profile": "anthropic-aws", "headers": WORKSPACE}, b=LOCAL)
    assert (has_key(first), has_key(second)) == (False, True)


def test_a_header_that_the_service_needs_must_be_named() -> None:
    with pytest.raises(
        SettingsError, match=r"'a': anthropic-aws needs the header 'anthropic-workspace-id': name it in headers"
    ):
        described(a={**LOCAL, "profile": "anthropic-aws", "headers": {"anthropic-beta": "x"}})
    (entry,) = described(a={**LOCAL, "profile": "anthropic-aws", "headers": {"Anthropic-Workspace-Id": "wrkspc_1"}})
    assert entry.headers == WORKSPACE
    with pytest.raises(SettingsError, match=r"ProviderProfile: .*anthropic-workspace-id.*, as only Providers can"):
        entries(made_up_settings(provider_profile="anthropic-aws"))
