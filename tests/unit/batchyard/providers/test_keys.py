"""The keys of several providers, as one secret holds them."""

import json

import pytest

from batchyard.domain.errors import KeyMissing
from batchyard.domain.policy import Reaction, after_failed_call
from batchyard.providers.keys import read_keys
from tests.fakes.services import MemoryServices

TWO = json.dumps({name: {"base_url": f"https://{name}.example.com/v1"} for name in ("a", "b")})


def test_a_key_stands_by_the_name_of_its_provider() -> None:
    assert read_keys('{"a": "sk-1", "b": "sk-2"}') == {"a": "sk-1", "b": "sk-2"}
    assert read_keys("{}") == {}


@pytest.mark.parametrize(
    "text", ["", "sk-very-secret", '["sk-very-secret"]', '{"a": 7}', '{"a": "sk very secret"}', '{"a": ""}']
)
def test_anything_else_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON object of keys") as caught:
        read_keys(text)
    assert "secret" not in str(caught.value)


def test_each_account_has_its_own_key_of_one_secret() -> None:
    services = MemoryServices(providers=TWO)
    services.secret.text = '{"a": "sk-1", "b": "sk-2"}'
    assert [account.key() for account in services.accounts.values()] == ["sk-1", "sk-2"]


@pytest.mark.parametrize("text", ["", "sk-of-one-provider", '{"b": "sk-2"}'])
def test_a_key_that_is_not_stored_pauses_with_the_command_that_stores_it(text: str) -> None:
    services = MemoryServices(providers=TWO)
    services.secret.text = text
    with pytest.raises(KeyMissing) as caught:
        services.account("a").key()
    assert (
        "No API key of the provider a is stored yet. The operator stores one by: make providers" in caught.value.message
    )
    assert after_failed_call(caught.value) is Reaction.PAUSE


def test_of_a_provider_that_the_settings_name_no_more_nothing_is_asked() -> None:
    services = MemoryServices(providers=TWO)
    with pytest.raises(KeyMissing, match="Providers names no provider gone any more"):
        services.account("gone").ask(lambda provider: provider.look("pb-1"))
    assert "gone" not in services.accounts
    assert services.account("gone") is services.account("gone")
