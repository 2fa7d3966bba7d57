"""The providers of a stack, as its settings describe them."""

from batchyard.providers.entries import entries
from tests.fakes.services import made_up_settings


def test_the_name_of_the_one_provider_is_that_of_its_host_and_port() -> None:
    settings = made_up_settings(provider_base_url="https://user:word@API.Example.com:8443/v1?api-version=1")
    (entry,) = entries(settings)
    assert entry.name == "api.example.com:8443"
    assert entry.base_url == settings.provider_base_url


def test_the_one_provider_has_the_limits_of_the_stack() -> None:
    (entry,) = entries(made_up_settings(max_creates_per_hour=7, max_enqueued_tokens="m=5", max_bytes_per_shard=99))
    assert (entry.max_creates_per_hour, entry.max_enqueued_tokens, entry.max_bytes_per_shard) == (7, "m=5", 99)
