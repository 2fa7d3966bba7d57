"""How long to wait: before looking at a provider batch again, and before trying again what failed."""

from typing import Final

SHARE_OF_ELAPSED: Final = 0.05
# However near the end seems: one last slow request must not have us look every `floor` seconds for days, for the state
# machine holds 25,000 events, nine a look.
LEAST_SHARE: Final = 0.01
# However low the ceiling is set, seven days of looking must fit: some 2,600 looks with a ceiling of one second.
LEAST_SHARE_OVER_CEILING: Final = 1 / 200
MOST_OVER_CEILING: Final = 600  # seconds
JITTER: Final = 0.1
MOST_DOUBLINGS: Final = 16


def poll_wait(elapsed: float, finished: int, total: int, floor: int, ceiling: int, chance: float) -> int:
    """Answer the whole seconds until the next poll.

    A small share of the seconds `elapsed` since the batch was created, or half of what its progress predicts is left if
    that is less, but one percent of `elapsed` at least; between `floor` and `ceiling`, then spread by `chance` in [0, 1)
    over the ten percent below.
    """
    share = elapsed * SHARE_OF_ELAPSED
    left = elapsed * (total - finished) / finished if finished else share * 2
    wanted = max(min(share, left / 2), elapsed * LEAST_SHARE, floor)
    least = min(elapsed * LEAST_SHARE_OVER_CEILING, MOST_OVER_CEILING)
    return _spread(max(min(wanted, ceiling), least), chance)


def retry_wait(setbacks: int, floor: int, ceiling: int, chance: float) -> int:
    """Answer the whole seconds before the next try after so many failures in a row: doubling, capped, with jitter."""
    return _spread(min(floor * 2 ** min(max(setbacks - 1, 0), MOST_DOUBLINGS), ceiling), chance)


def _spread(seconds: float, chance: float) -> int:
    return max(1, round(seconds * (1 - JITTER * chance)))
