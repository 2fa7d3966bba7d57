from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.strikes import TOLD, missed
from tests.faults.struck import StruckWorld

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _strikes_strike() -> Iterator[None]:
    """Fail a test whose strikes come later than the last effect: it kills nothing, and proves nothing."""
    TOLD.clear()
    yield
    assert missed() == []


@pytest.fixture
def world() -> Iterator[StruckWorld]:
    """Services of two shards or more; whatever a test does to it, the checker has the last word."""
    world = StruckWorld(max_requests_per_shard=4)
    yield world
    world.finish()
    assert world.wrongs() == []
