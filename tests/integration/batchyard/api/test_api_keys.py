"""API keys in the real table: a write that its condition refuses is no key, and no request."""

import pytest

from batchyard.api import api_keys
from tests.fakes.world import World


def test_a_key_that_there_is_not_cannot_be_revoked(world: World) -> None:
    with pytest.raises(api_keys.NoSuchKey, match="the list shows them"):
        api_keys.revoke(world.services.api_key_store, "0" * 16)


def test_the_requests_of_a_key_are_counted_by_minute_up_to_the_most(world: World) -> None:
    store = world.services.api_key_store
    assert [store.count_request("0" * 16, 7, 2) for _ in range(4)] == [True, True, False, False]
    assert store.count_request("0" * 16, 8, 2)
    assert store.count_request("1" * 16, 7, 2)
