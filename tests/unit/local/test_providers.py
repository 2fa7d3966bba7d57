"""Several providers as a person describes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.errors import ParameterError
from local.providers import read_description, several_of, without
from local.stack.provider_choice import Several

SECRET = "sk-very-secret"
OPENAI = {"base_url": "https://api.openai.com/v1", "api_key": SECRET, "models": ["gpt-*"]}
GROQ = {"base_url": "https://api.groq.com/openai/v1", "api_key": "gsk-also-secret", "profile": "groq"}


def text(**providers: Any) -> str:
    return json.dumps(providers)


def test_keys_and_description_are_parted() -> None:
    bare, entries, keys = read_description(text(openai=OPENAI, groq=GROQ))
    assert [entry.name for entry in entries] == ["openai", "groq"]
    assert keys == {"openai": SECRET, "groq": "gsk-also-secret"}
    assert "secret" not in bare
    assert json.loads(bare)["openai"] == {"base_url": "https://api.openai.com/v1", "models": ["gpt-*"]}


def test_a_description_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "providers.json"
    file.write_text(text(openai=OPENAI))
    assert read_description(str(file))[2] == {"openai": SECRET}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "PROVIDERS is no JSON"),
        ('{"one": {}, "one": {}}', "'one' is named twice"),
        ("nowhere.json", "PROVIDERS names no file that can be read"),
        ("[]", "PROVIDERS must be a JSON object with a member for each provider"),
        (text(openai={**OPENAI, "modles": 1}), "PROVIDERS: 'openai' has the unknown member 'modles'. Did you mean 'models'?"),
        (text(openai={**OPENAI, "profile": "opnai"}), "No profile is called 'opnai'; there are"),
        (text(openai={**OPENAI, "api_key": "two words"}), "an api_key must be plain text without spaces"),
        (text(openai={**OPENAI, "api_key": 7}), "an api_key must be plain text without spaces"),
        (text(openai={"base_url": "https://h/v1"}), "openai has no api_key. Add it, as in"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_told_with_its_remedy_and_without_a_key(given: str, told: str) -> None:
    with pytest.raises(ParameterError) as caught:
        several_of({"PROVIDERS": given})
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


def test_one_provider_and_several_are_not_named_together() -> None:
    with pytest.raises(ParameterError, match="both set"):
        several_of({"PROVIDERS": text(openai=OPENAI), "PROVIDER_BASE_URL": "https://h/v1"})
    assert several_of({"PROVIDER_BASE_URL": "https://h/v1"}) is None
    assert several_of({}) is None


def test_what_is_deployed_holds_no_key_and_the_secret_holds_them_all() -> None:
    several = several_of({"BATCHYARD_PROVIDERS": text(openai=OPENAI, groq=GROQ)})
    assert isinstance(several, Several)
    assert set(several.values) == {"Providers", "ProviderApiKey"}
    assert "secret" not in several.values["Providers"]
    assert json.loads(several.values["ProviderApiKey"]) == {"openai": SECRET, "groq": "gsk-also-secret"}
    assert "secret" not in repr(several) + several.url
    assert [provider.profile for provider in several.each] == ["", "groq"]


def test_no_process_of_the_stack_gets_the_keys_by_its_environment() -> None:
    assert without({"PROVIDERS": text(openai=OPENAI), "BATCHYARD_PROVIDERS": "{}", "HOME": "/"}) == {"HOME": "/"}
