import pytest

from batch_client import AnthropicDialect, InvalidArgumentError, OpenAIDialect
from local.errors import ProviderUnclearError
from local.stack.provider_choice import Provider, Several, asking, named_provider

URL, KEY = "https://api.example.com/v1", "sk-1"


def test_without_a_word_the_emulator_is_used() -> None:
    assert named_provider({}) is None
    assert named_provider({"PROVIDER_BASE_URL": "", "PROVIDER_API_KEY": ""}) is None


@pytest.mark.parametrize("prefix", ["", "BATCHYARD_"])
def test_address_and_key_together_name_the_users_own(prefix: str) -> None:
    host = {f"{prefix}PROVIDER_BASE_URL": URL, f"{prefix}PROVIDER_API_KEY": KEY}
    assert named_provider(host) == (URL, KEY)


@pytest.mark.parametrize(
    ("given", "missing"),
    [("PROVIDER_BASE_URL", "PROVIDER_API_KEY"), ("PROVIDER_API_KEY", "PROVIDER_BASE_URL")],
)
def test_one_half_alone_is_refused_and_the_other_named(given: str, missing: str) -> None:
    with pytest.raises(ProviderUnclearError, match=f"{given} is set but {missing} is not"):
        named_provider({given: "something"})


def test_a_provider_is_named_by_two_parameters() -> None:
    assert Provider(URL, KEY).values == {"ProviderBaseUrl": URL, "ProviderApiKey": KEY}


def test_a_provider_never_shows_its_key() -> None:
    assert KEY not in repr(Provider(URL, KEY))


BEDROCK = Provider("http://127.0.0.1:9", "none", "bedrock", "bedrock")


def test_a_stack_whose_provider_reads_its_bucket_makes_the_role_for_it() -> None:
    assert Several("{}", (Provider(URL, KEY, name="gpt"), BEDROCK)).values["Bedrock"] == "true"
    assert "Bedrock" not in Several("{}", (Provider(URL, KEY, name="gpt"),)).values


def test_the_only_provider_is_whoever_a_record_names() -> None:
    with asking(Provider(URL, KEY, "anthropic"), "api.example.com") as provider:
        assert isinstance(provider, AnthropicDialect)


def test_of_several_the_one_that_a_record_names_is_asked_in_its_own_dialect() -> None:
    several = Several("{}", (Provider(URL, KEY, name="gpt"), Provider(URL, KEY, "anthropic", "claude")))
    for name, dialect in {"": OpenAIDialect, "gpt": OpenAIDialect, "claude": AnthropicDialect}.items():
        with asking(several, name) as provider:
            assert isinstance(provider, dialect)
    with pytest.raises(InvalidArgumentError, match="No provider is called 'gone'"), asking(several, "gone"):
        pass
