"""A provider batch that had its window finished nothing because the provider is slow: that is no stall."""

import pytest

from batchyard.domain.batch import window_seconds
from batchyard.domain.numbers import DAY
from batchyard.shards.attempt_end import had_its_window


@pytest.mark.parametrize(
    ("status", "ran", "window", "slow"),
    [
        ("completed", 2 * DAY, "24h", False),
        ("failed", DAY, "24h", False),
        ("expired", DAY, "24h", True),
        ("expired", 0.9 * DAY, "24h", True),
        ("expired", 0.8 * DAY, "24h", False),
        ("expired", 60, "24h", False),
        ("expired", DAY, "7d", False),
        ("cancelled", DAY, "24h", True),
        ("cancelled", 60, "24h", False),
    ],
)
def test_a_window_that_was_over_counts_for_nothing(status: str, ran: float, window: str, slow: bool) -> None:
    assert had_its_window(status, ran, window_seconds(window)) is slow
