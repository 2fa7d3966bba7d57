import pytest

from local.errors import ParameterError
from local.stack.deploy import TEMPLATE, read_template
from local.stack.provider_choice import Provider
from local.stack.settings import settings_from

TEMPLATE_READ = read_template(TEMPLATE)
OWN = {"PROVIDER_BASE_URL": "https://api.example.com/v1", "PROVIDER_API_KEY": "sk-1"}


def test_nothing_set_means_the_emulator_and_its_short_waits() -> None:
    settings = settings_from(TEMPLATE_READ, {"HOME": "/root"})
    assert settings.own is None
    assert settings.parameters_for(TEMPLATE_READ, Provider("http://e", "k"))["PollFloorSeconds"] == "1"


def test_an_own_provider_has_the_waits_of_a_watched_run_and_its_profile() -> None:
    settings = settings_from(TEMPLATE_READ, {**OWN, "BATCHYARD_PROVIDER_PROFILE": "groq"})
    assert settings.own == Provider("https://api.example.com/v1", "sk-1", "groq")
    assert settings.parameters_for(TEMPLATE_READ, settings.own) == {
        "ProviderBaseUrl": "https://api.example.com/v1",
        "ProviderProfile": "groq",
        "PollFloorSeconds": "5",
        "RetryFloorSeconds": "5",
    }
    assert settings.secrets(settings.own) == {"ProviderSecretArn": "sk-1"}


@pytest.mark.parametrize(
    "named",
    [
        {"PROVIDER_BASE_URL": "https://bedrock.us-east-1.amazonaws.com"},
        {"PROVIDER_BASE_URL": "http://127.0.0.1:4615", "BATCHYARD_PROVIDER_PROFILE": "bedrock"},
    ],
)
def test_a_provider_that_signs_needs_no_key(named: dict[str, str]) -> None:
    settings = settings_from(TEMPLATE_READ, named)
    assert settings.own == Provider(named["PROVIDER_BASE_URL"], "", named.get("BATCHYARD_PROVIDER_PROFILE", ""))
    assert settings.parameters_for(TEMPLATE_READ, settings.own)["Bedrock"] == "true"


def test_a_webhook_secret_is_stored_and_the_emulators_key_too() -> None:
    settings = settings_from(TEMPLATE_READ, {"BATCHYARD_PROVIDER_WEBHOOK_SECRET": "whsec_a whsec_b"})
    stored = settings.secrets(Provider("http://e", "k"))
    assert stored == {"ProviderSecretArn": "k", "WebhookSecretArn": "whsec_a whsec_b"}
    assert stored.keys() <= TEMPLATE_READ["Outputs"].keys()


@pytest.mark.parametrize(
    "host",
    [{**OWN, "PROVIDER_API_KEY": "sk 1"}, {"BATCHYARD_PROVIDER_WEBHOOK_SECRET": "a  b"}],
    ids=["key", "webhook secret"],
)
def test_a_secret_that_cannot_be_one_is_refused_without_being_shown(host: dict[str, str]) -> None:
    with pytest.raises(ParameterError) as caught:
        settings_from(TEMPLATE_READ, host)
    assert str(caught.value).count("the value must be") == 1
    assert "sk 1" not in str(caught.value)
    assert "a  b" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "BATCHYARD_"])
def test_an_address_that_is_none_is_refused_under_the_name_it_was_given(prefix: str) -> None:
    host = {f"{prefix}PROVIDER_BASE_URL": "nonsense", "PROVIDER_API_KEY": "x"}
    with pytest.raises(ParameterError) as caught:
        settings_from(TEMPLATE_READ, host)
    assert str(caught.value) == f"{prefix}PROVIDER_BASE_URL: 'nonsense' must be an http or https URL."


def test_faults_of_the_provider_and_of_a_setting_are_told_together() -> None:
    host = {**OWN, "PROVIDER_BASE_URL": "nonsense", "BATCHYARD_MAX_ATTEMPTS": "0"}
    with pytest.raises(ParameterError) as caught:
        settings_from(TEMPLATE_READ, host)
    assert len(str(caught.value).splitlines()) == 2


def test_a_run_keeps_the_files_at_the_users_own_provider_until_it_has_the_results() -> None:
    settings = settings_from(TEMPLATE_READ, OWN).deleting_late()
    assert settings.deletes_late
    assert settings.own is not None
    assert settings.parameters_for(TEMPLATE_READ, settings.own)["KeepProviderFiles"] == "true"


@pytest.mark.parametrize("chosen", ["true", "false"])
def test_what_the_user_has_set_of_these_files_stays(chosen: str) -> None:
    settings = settings_from(TEMPLATE_READ, {**OWN, "BATCHYARD_KEEP_PROVIDER_FILES": chosen})
    assert settings.deleting_late() == settings


def test_the_emulators_files_are_deleted_by_the_stack() -> None:
    assert not settings_from(TEMPLATE_READ, {}).deleting_late().deletes_late


def test_what_the_commands_have_in_the_environment_is_no_setting_of_a_stack() -> None:
    of_commands = {"BATCHYARD_URL": "http://127.0.0.1:1/v1", "BATCHYARD_KEY": "by_1", "BATCHYARD_HOME": "/home/me/by"}
    host = {**of_commands, "BATCHYARD_MAX_ATTEMPTS": "5"}
    assert settings_from(read_template(TEMPLATE), host).values == {"MaxAttempts": "5"}


def test_a_chat_without_an_address_is_told_as_one_where_nothing_is_told() -> None:
    chat = {"BATCHYARD_NOTIFY_CHAT": "slack"}
    assert "BATCHYARD_CHAT_ADDRESS is not set: nothing is told" in settings_from(TEMPLATE_READ, chat).advice
    address = {**chat, "BATCHYARD_CHAT_ADDRESS": "https://hooks.example.com/x"}
    assert [settings_from(TEMPLATE_READ, each).advice for each in (address, {})] == ["", ""]
