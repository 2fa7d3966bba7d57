from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Services of two shards or more; whatever a test does to it, the checker has the last word."""
    scene = Scene(max_requests_per_shard=4)
    yield scene
    scene.finish()
    assert scene.wrongs() == []
