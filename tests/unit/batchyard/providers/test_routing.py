"""Which provider a line goes to."""

from hypothesis import given
from hypothesis import strategies as st

from batchyard.providers.entries import Entry
from batchyard.providers.routing import choose, no_provider, takes, unknown

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
NAMES = st.sampled_from(["a", "b", "c", "d"])
PATTERN = st.sampled_from(["*", "gpt-*", "claude-*", "gpt-4o", "*mini", "mistral-?", ""]).filter(bool)
ENTRY = st.builds(
    Entry, name=NAMES, base_url=st.just("https://h/v1"), models=st.lists(PATTERN, min_size=1, max_size=3).map(tuple),
    urls=st.sampled_from([("*",), (CHAT,), (MESSAGES,), (CHAT, MESSAGES)]),
)  # fmt: skip
ENTRIES = st.lists(ENTRY, max_size=4, unique_by=lambda each: each.name)
MODEL = st.sampled_from(["gpt-4o", "gpt-4o-mini", "claude-haiku", "mistral-7", "GPT-4o", "o[1]", "*"]) | st.text(
    max_size=9
)
URL = st.sampled_from([CHAT, MESSAGES, "/v1/embeddings"])


def entry(name: str, *models: str, urls: tuple[str, ...] = ("*",)) -> Entry:
    return Entry(name=name, base_url="https://h/v1", models=models or ("*",), urls=urls)


@given(ENTRIES, URL, MODEL, st.none() | NAMES)
def test_the_first_provider_that_takes_a_line_gets_it(
    entries: list[Entry], url: str, model: str, wanted: str | None
) -> None:
    chosen = choose(entries, url, model, wanted)
    able = [each for each in entries if takes(each, url, model) and wanted in {None, each.name}]
    assert chosen == (able[0] if able else None)
    assert choose(entries, url, model, wanted) == chosen, "the same line goes the same way"


@given(ENTRIES, URL, MODEL)
def test_to_ask_for_the_provider_that_a_line_goes_to_changes_nothing(
    entries: list[Entry], url: str, model: str
) -> None:
    chosen = choose(entries, url, model)
    if chosen is not None:
        assert choose(entries, url, model, chosen.name) == chosen


@given(ENTRIES, URL, MODEL, st.none() | NAMES)
def test_a_line_without_a_provider_is_told_with_its_model_its_url_and_the_providers(
    entries: list[Entry], url: str, model: str, wanted: str | None
) -> None:
    error = no_provider(entries, url, model, wanted)
    assert (error.code, error.param) == ("no_provider", "body.model")
    assert f"'{model[:64]}' at {url}" in error.message
    assert all(f"{each.name} takes" in error.message for each in entries if wanted in {None, each.name})


def test_names_and_patterns_are_compared_with_case() -> None:
    assert takes(entry("a", "gpt-4o"), CHAT, "gpt-4o")
    assert not takes(entry("a", "gpt-4o"), CHAT, "GPT-4o")
    assert takes(entry("a", "anthropic.claude-*"), CHAT, "anthropic.claude-x:0")
    assert takes(entry("a", "o[1]"), CHAT, "o[1]"), "a name is taken as it is, too"


def test_a_url_of_another_service_is_never_taken_and_told() -> None:
    openai = Entry(name="openai", base_url="https://h/v1", foreign_urls=frozenset({MESSAGES}))
    assert takes(openai, CHAT, "m")
    assert choose([openai], MESSAGES, "m") is None
    assert f"openai takes any model, but not at {MESSAGES}." in no_provider([openai], MESSAGES, "m").message


def test_what_there_is_is_told() -> None:
    known = [entry("openai", "gpt-*", "o*"), entry("claude", urls=(MESSAGES,))]
    assert no_provider(known, CHAT, "x").message == (
        "No provider takes the model 'x' at /v1/chat/completions: openai takes gpt-*, o*; claude takes any model at "
        "/v1/messages. Change `url`, or the model, or have the operator add it to Providers."
    )
    assert "gpt-*, o*. Change the model, or have" in no_provider(known, CHAT, "x", "openai").message
    assert (
        "The provider 'openai', which the batch is for, does not take"
        in no_provider(known, CHAT, "x", "openai").message
    )
    assert no_provider(known, CHAT, "x", brief=True).message == (
        "No provider takes the model 'x' at /v1/chat/completions."
    )
    assert unknown(["a", "b"], "c").message == "There is no provider 'c'. There are: a, b."


def test_a_pattern_of_urls_of_another_service_is_never_taken_unless_it_is_named() -> None:
    invoke, url = "/model/*/invoke", "/model/amazon.nova-lite-v1:0/invoke"
    gateway = Entry(name="a", base_url="https://h/v1", foreign_urls=frozenset({invoke}))
    assert not takes(gateway, url, "m")
    assert "but not at" in no_provider([gateway], url, "m").message
    assert takes(entry("a", urls=(invoke,)), url, "m")
    assert not takes(entry("a", urls=(invoke,)), "/model/m/converse", "m")
    named = Entry(name="a", base_url="https://h/v1", urls=(url,), foreign_urls=frozenset({invoke}))
    assert takes(named, url, "m"), "a url that is named in full is taken"
    assert not takes(named, "/model/m/invoke", "m")
