"""The fakes have every method of the real things, with the same parameters."""

import inspect
from functools import cached_property
from typing import Any, get_type_hints

import pytest

from batch_client import BatchClient
from batchyard.domain.provider import Provider
from batchyard.providers.account import Account
from batchyard.services import Services
from tests.fakes.provider import MemoryProvider
from tests.fakes.services import MemoryAccount, MemoryAdapters

# A fake inherits these methods: they call nothing but what is faked.
INHERITED = {
    "file_bucket": {"put_headers"},
    "quota_store": {"add", "count", "give_back", "paid_once"},
    "token_ledgers": {"name_of", "limit", "limit_of"},
}
NO_ADAPTERS = {"accounts", "client", "entry", "profile", "sellers"}


def adapters(owner: type, fake: type) -> list[tuple[type, type, str]]:
    return [
        (owner, fake, name)
        for name, value in vars(owner).items()
        if isinstance(value, cached_property) and name not in NO_ADAPTERS
    ]


ADAPTERS = [*adapters(Services, MemoryAdapters), *adapters(Account, MemoryAccount)]


def methods(kind: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


def answers_every_call(real: type, fake: type, inherited: set[str]) -> None:
    for name in methods(real):
        assert (name in vars(fake)) is (name not in inherited), name
        assert list(inspect.signature(getattr(real, name)).parameters) == list(
            inspect.signature(getattr(fake, name)).parameters
        )


@pytest.mark.parametrize(("owner", "of_memory", "name"), ADAPTERS, ids=lambda each: getattr(each, "__name__", each))
def test_each_adapter_of_the_services_has_a_fake_that_answers_every_call(
    owner: type, of_memory: type, name: str
) -> None:
    assert name in vars(of_memory), "no fake"
    fake = kind_of(vars(of_memory)[name])
    real = next(kind for kind in fake.__mro__ if kind.__module__.startswith("batchyard.adapters."))
    # Services imports its adapters only when they are first used, so the real one is known by its name.
    assert vars(owner)[name].func.__annotations__["return"] == real.__name__
    answers_every_call(real, fake, INHERITED.get(name, set()))


def kind_of(part: cached_property[Any]) -> type[Any]:
    kind: type[Any] = get_type_hints(part.func)["return"]
    return kind


def test_the_provider_of_memory_answers_every_call_we_make() -> None:
    answers_every_call(Provider, MemoryProvider, set())


def test_the_real_client_takes_the_calls_we_make_of_a_provider() -> None:
    for name in methods(Provider):
        ours = set(inspect.signature(getattr(Provider, name)).parameters) - {"self"}
        theirs = set(inspect.signature(getattr(BatchClient, name)).parameters) - {"self"}
        assert ours <= theirs, name
