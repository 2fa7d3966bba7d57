"""Several providers as a person describes them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import credentials
from local.credentials import only_of, take_aws_settings
from local.errors import ParameterError, ProviderUnclearError
from local.providers import read_description, several_of, without
from local.stack.provider_choice import Provider, Several

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
        (text(openai={**OPENAI, "api_key": "two words"}), "the api_key of 'openai' must be plain text without spaces"),
        (text(openai={**OPENAI, "api_key": 7}), "the api_key of 'openai' must be plain text without spaces"),
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


BEDROCK = {"base_url": "https://bedrock.eu-central-1.amazonaws.com"}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ASIAMADEUP0001",
    "AWS_SECRET_ACCESS_KEY": "made/up+secret",
    "AWS_SESSION_TOKEN": "made/up+token",
}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment in which nobody but these tests says anything of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "CONFIG_FILE": "/dev/null",
        "SHARED_CREDENTIALS_FILE": "/dev/null",
        "EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    boto3.DEFAULT_SESSION = None
    yield monkeypatch
    boto3.DEFAULT_SESSION = None
    credentials._TAKEN.clear()  # noqa: SLF001 - it is of the process


def only(**members: Any) -> Provider:
    several = several_of({"PROVIDERS": text(bedrock={**BEDROCK, **members})})
    assert several is not None
    return several.each[0]


def test_a_provider_that_signs_does_so_with_the_credentials_of_the_user_which_no_other_client_sees(
    host: pytest.MonkeyPatch,
) -> None:
    for name, value in CREDENTIALS.items():
        host.setenv(name, value)
    take_aws_settings()
    assert not [name for name in os.environ if name.startswith("AWS_")]
    found = only()
    assert found.api_key == "ASIAMADEUP0001:made/up+secret:made/up+token"
    assert found.signer is not None
    told = found.signer.sign("bedrock", "GET", f"{BEDROCK['base_url']}/x", {}, "00")
    assert "Credential=ASIAMADEUP0001/" in told["Authorization"]
    assert "/eu-central-1/bedrock/" in told["Authorization"]
    assert told["X-Amz-Security-Token"] == "made/up+token"
    assert "made/up" not in repr(found)
    assert not [name for name in os.environ if name.startswith("AWS_")]


@pytest.mark.usefixtures("host")
def test_without_credentials_the_remedy_is_said() -> None:
    with pytest.raises(
        ParameterError, match=r"there are no credentials of AWS to sign with\. Run aws configure or aws sso login"
    ):
        only()


@pytest.mark.usefixtures("host")
def test_an_emulator_on_this_machine_needs_no_credentials() -> None:
    found = only(base_url="http://127.0.0.1:4510", profile="bedrock")
    assert found.signer is not None
    assert "/us-east-1/" in found.signer.sign("bedrock", "GET", "http://127.0.0.1:4510/x", {}, "00")["Authorization"]


def test_an_access_key_signs_and_a_key_of_the_service_itself_is_borne() -> None:
    assert only(api_key="AKIAMADEUP0001:made/up+secret").api_key == "AKIAMADEUP0001:made/up+secret"
    borne = only(api_key="bedrock-api-key-very-secret")
    assert (borne.profile, borne.signer) == ("bedrock-key", None)
    assert only(api_key="bedrock-api-key-very-secret", profile="bedrock-key").signer is None


def test_a_service_that_bears_no_key_takes_an_access_key_alone() -> None:
    place = {"base_url": "https://aws-external-anthropic.us-east-1.api.aws", "profile": "anthropic-aws"}
    with pytest.raises(ParameterError, match="is no access key of AWS, ID:SECRET") as refused:
        only(api_key="sk-ant-very-secret", headers={"anthropic-workspace-id": "wrkspc_1"}, **place)
    assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_SESSION_TOKEN", "z:z")]
)
def test_credentials_that_are_none_are_told_by_their_variable_and_no_api_key_is_blamed(
    host: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for each, given in {**CREDENTIALS, name: value}.items():
        host.setenv(each, given)
    take_aws_settings()
    with pytest.raises(ParameterError) as caught:
        only()
    assert str(caught.value).startswith(f"{name} is none of AWS, by which requests to bedrock could be signed.")
    assert "api_key" not in str(caught.value)


def test_it_is_known_by_what_requests_are_signed(host: pytest.MonkeyPatch) -> None:
    assert only(base_url="http://127.0.0.1:4510", profile="bedrock").signed_by == "a made-up access key"
    assert only(api_key="AKIAMADEUP0001:made/up+secret").signed_by == "the api_key of bedrock in PROVIDERS"
    for name, value in CREDENTIALS.items():
        host.setenv(name, value)
    take_aws_settings()
    assert only().signed_by == "your credentials of AWS"


def test_the_only_provider_signs_as_one_of_several_does(host: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        host.setenv(name, value)
    take_aws_settings()
    alone = only_of(Provider(BEDROCK["base_url"], ""))
    assert (alone.api_key, alone.signed_by) == (":".join(CREDENTIALS.values()), "your credentials of AWS")
    assert alone.values["Bedrock"] == "true"
    named = only_of(Provider(BEDROCK["base_url"], "AKIAMADEUP0001:made/up+secret"))
    assert named.signer is not None
    assert named.signed_by == "PROVIDER_API_KEY"


def test_a_key_of_the_service_itself_is_borne_to_the_only_provider_too() -> None:
    borne = only_of(Provider(BEDROCK["base_url"], "bedrock-api-key-very-secret"))
    assert (borne.profile, borne.signer) == ("bedrock-key", None)
    assert borne.values["ProviderProfile"] == "bedrock-key"
    assert only_of(Provider("https://api.openai.com/v1", SECRET)) == Provider("https://api.openai.com/v1", SECRET)


def test_the_only_provider_that_needs_more_is_told_so() -> None:
    with pytest.raises(
        ProviderUnclearError, match="needs the header 'anthropic-workspace-id', which only PROVIDERS can"
    ):
        only_of(Provider("https://aws-external-anthropic.us-east-1.api.aws", "", "anthropic-aws"))
    with pytest.raises(ProviderUnclearError, match="names no region of AWS"):
        only_of(Provider("https://llm.example.com", "", "bedrock"))
