"""A sum of what is stored is made anew each hour that is quiet, and each day at any rate."""

import pytest

from batchyard.domain.durations import DAY, HOUR
from batchyard.domain.quota import QUIET, Stored

NOW = 1_790_000_000


@pytest.mark.parametrize(
    ("counted", "changed", "due"),
    [
        (HOUR, QUIET, True),
        (HOUR - 1, DAY, False),
        (HOUR, QUIET - 1, False),
        (DAY, 0, True),
        (NOW, 0, True),
    ],
)
def test_when_it_is_due(counted: int, changed: int, due: bool) -> None:
    assert Stored(tenant="t", counted_at=NOW - counted, changed_at=NOW - changed).due(NOW) is due
