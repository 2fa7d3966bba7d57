"""The services of a process."""

from batchyard.providers.account import Account
from tests.fakes.services import MemoryServices


def test_now_is_whole_seconds() -> None:
    services = MemoryServices()
    services.now_is = 1_790_000_000.9
    assert services.now() == 1_790_000_000


def test_without_a_name_the_first_provider_is_meant() -> None:
    services = MemoryServices(provider_base_url="https://api.groq.com/openai/v1")
    assert isinstance(services.account(), Account)
    assert services.account() is services.account("api.groq.com")
