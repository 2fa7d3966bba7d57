"""Asking the provider: a key that was rotated is read anew, once."""

import pytest

from batch_client import AuthenticationError, PermissionDeniedError
from tests.fakes.services import MemoryServices


def test_a_refused_key_is_read_anew_and_the_call_made_again() -> None:
    services = MemoryServices()
    services.provider.trouble["find_batch"] = [AuthenticationError("old key", status=401)]
    assert services.ask(lambda provider: provider.find_batch("k", "v", 1)) is None
    assert services.secret.forgotten == 1
    assert services.provider.calls == ["find_batch", "find_batch"]


def test_a_key_refused_twice_is_wrong() -> None:
    services = MemoryServices()
    services.provider.trouble["find_batch"] = [AuthenticationError("no", status=401) for _ in range(3)]
    with pytest.raises(AuthenticationError):
        services.ask(lambda provider: provider.find_batch("k", "v", 1))
    assert len(services.provider.calls) == 2


def test_a_right_that_is_missing_is_not_asked_for_twice() -> None:
    services = MemoryServices()
    services.provider.trouble["find_batch"] = [PermissionDeniedError("no", status=403)]
    with pytest.raises(PermissionDeniedError):
        services.ask(lambda provider: provider.find_batch("k", "v", 1))
    assert (services.provider.calls, services.secret.forgotten) == (["find_batch"], 0)


def test_now_is_whole_seconds() -> None:
    services = MemoryServices()
    services.now_is = 1_790_000_000.9
    assert services.now() == 1_790_000_000
