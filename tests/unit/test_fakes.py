"""The fakes have every method of the real things, with the same parameters."""

import inspect
from functools import cached_property
from typing import Any, get_type_hints

import pytest

from batch_client import BatchClient, Dialect, OpenAIDialect
from batchyard.providers.account import Account
from batchyard.services import Services
from tests.fakes.provider import MemoryProvider
from tests.fakes.services import MemoryAccount, MemoryAdapters

# A fake inherits these methods: they call nothing but what is faked.
INHERITED = {
    "bucket": {"file_list"},
    "file_bucket": {"put_headers"},
    "quota_store": {"add", "count", "give_back", "paid_once"},
    "token_ledgers": {"name_of", "limit", "limit_of"},
}
NO_ADAPTERS = {"accounts", "client", "entry", "profile", "sellers"}
CALLS_OF_A_CLIENT = 11  # that OpenAIDialect makes


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


@pytest.mark.parametrize("dialect", [OpenAIDialect, MemoryProvider])
def test_each_dialect_answers_every_call_we_make(dialect: type) -> None:
    for name in methods(Dialect):
        assert list(inspect.signature(getattr(dialect, name)).parameters) == list(
            inspect.signature(getattr(Dialect, name)).parameters
        )


def test_the_real_client_takes_the_calls_that_the_provider_of_memory_answers() -> None:
    calls = [name for name in methods(MemoryProvider) if name in vars(MemoryProvider) and hasattr(BatchClient, name)]
    assert len(calls) == CALLS_OF_A_CLIENT
    for name in calls:
        ours = set(inspect.signature(getattr(MemoryProvider, name)).parameters) - {"self"}
        theirs = set(inspect.signature(getattr(BatchClient, name)).parameters) - {"self"}
        assert ours <= theirs, name
