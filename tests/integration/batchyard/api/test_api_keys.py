"""API keys in the real table: a write that its condition refuses is no key."""

import pytest

from batchyard.api import api_keys
from tests.fakes.world import World


def test_a_key_that_there_is_not_cannot_be_revoked(world: World) -> None:
    with pytest.raises(api_keys.NoSuchKey, match="the list shows them"):
        api_keys.revoke(world.services.api_key_store, "0" * 16)
