import pytest

from batch_client import PROFILES, BatchClient, InvalidArgumentError, Profile
from batch_client.profiles import choose_profile, ordinary_url
from tests.unit.batch_client.fake_service import BATCH, KEY, answer, client_of


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://made-up.openai.azure.com/openai/v1/", "azure"),
        ("https://made-up.cognitiveservices.azure.com/openai", "azure"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.together.ai/v1", "together"),
        ("https://bedrock.eu-central-1.amazonaws.com", "bedrock"),
        ("https://bedrock-runtime.us-gov-west-1.amazonaws.com", "bedrock-openai"),
        ("https://bedrock.a.b.amazonaws.com", "compatible"),
        ("https://bedrock.us-east-1.amazonaws.com.example", "compatible"),
        ("http://127.0.0.1:8000/v1", "compatible"),
        ("https://notopenai.azure.com.example/v1", "compatible"),
        ("https://evil-api.openai.com.example/v1", "compatible"),
    ],
)
def test_the_host_chooses_the_profile(base_url: str, name: str) -> None:
    assert choose_profile(None, base_url).name == name


def test_a_name_or_a_profile_of_ones_own_wins_over_the_host() -> None:
    own = Profile(name="own")
    assert choose_profile("groq", "https://api.openai.com/v1").name == "groq"
    assert choose_profile(own, "https://api.openai.com/v1") is own


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(InvalidArgumentError, match="azure"):
        choose_profile("azzure", "https://api.openai.com/v1")


def test_profiles_are_found_under_their_own_names() -> None:
    assert all(name == profile.name for name, profile in PROFILES.items())
    assert {"openai", "azure", "groq", "together", "compatible"} <= set(PROFILES)


def test_azure_gets_its_key_header_and_api_version_with_every_call() -> None:
    client, service = client_of(
        answer({**BATCH, "data": []}), base_url="https://made-up.openai.azure.com/openai?api-version=2025-04-01-preview"
    )
    client.retrieve_batch("batch_1")
    client.list_batches(limit=2)
    assert service.sent[0].headers["api-key"] == KEY
    assert "Authorization" not in service.sent[0].headers
    root = "https://made-up.openai.azure.com/openai/batches"
    assert service.sent[0].url == f"{root}/batch_1?api-version=2025-04-01-preview"
    assert service.sent[1].url == f"{root}?api-version=2025-04-01-preview&limit=2"


def test_an_entra_token_travels_as_a_bearer() -> None:
    client, service = client_of(
        answer(BATCH), base_url="https://made-up.openai.azure.com/openai/v1", profile="azure-entra"
    )
    client.retrieve_batch("batch_1")
    assert service.sent[0].headers["Authorization"] == f"Bearer {KEY}"


def test_a_router_that_cancels_by_deleting_is_served() -> None:
    client, service = client_of(answer({"id": "b", "status": "cancelled"}), profile="vllm")
    assert client.cancel_batch("b").ended
    assert (service.sent[0].method, service.sent[0].url) == ("DELETE", "https://service.test/v1/batches/b")


@pytest.mark.parametrize("profile", ["bedrock", "bedrock-key"])
def test_requests_on_their_own_go_to_the_host_of_the_same_region(profile: str) -> None:
    chosen = choose_profile(profile, "")
    assert ordinary_url(chosen, "https://bedrock.us-east-1.amazonaws.com") == (
        "https://bedrock-runtime.us-east-1.amazonaws.com"
    )
    assert ordinary_url(chosen, "http://127.0.0.1:9") == ""


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_a_service_whose_api_has_no_v1_is_called_without_it(path: str) -> None:
    client = BatchClient(KEY, f"http://127.0.0.1:9{path}", profile="bedrock-key")
    assert client.transport.address.base_url == "http://127.0.0.1:9"
    assert BatchClient(KEY, "http://h/gate/v1", profile="bedrock-key").transport.address.base_url == "http://h/gate/v1"
    assert BatchClient(KEY, f"http://h{path}", profile="anthropic").transport.address.base_url == "http://h/v1"
