"""How long to wait: before looking at a provider batch again, and before trying again what failed.

The usual wait is a twentieth of the age of the provider batch. Its end is then noticed within 5 % of its time, after
about 120 looks in 24 hours. Half of these looks fall into the first two hours. So the wait is longer, up to a third of the
age, while the counts predict that more than 1.5 times the age is still ahead (less than two fifths are finished).

An end after that point is noticed within 5 %, whatever the counts showed before. A batch that finishes all at once before
that point is noticed within a third of its time, and never later than the ceiling. Steady progress over 24 hours takes
about 50 looks. Figures: tests/unit/batchyard/domain/test_pacing.py.
"""

from typing import Final, NamedTuple

from batchyard.domain.numbers import HOUR

SHARE_OF_AGE: Final = 0.05
SHARE_OF_QUEUEING: Final = 0.5
SOON: Final = 60  # seconds; the end of a young batch need not be noticed sooner
SHARE_WHILE_YOUNG: Final = 0.2
FAR: Final = 1.5  # times the age, still ahead
SHARE_OF_FAR: Final = 0.1
LONGEST_SHARE: Final = 1 / 3
AFTER_THE_END: Final = 0.01  # of the age; a look just before the end would be wasted
# Progress of less than a quarter of the usual pace is a halt, which says nothing about the end. A pace that is short of
# half a line is no halt, but chance.
HALT: Final = 0.25
CHANCE_LINES: Final = 0.5
# Seven days of looks must fit into the history of an execution: some 1,900 looks if the ceiling is one second.
LEAST_SHARE_OVER_CEILING: Final = 1 / 200
MOST_OVER_CEILING: Final = HOUR
# While nobody knows how much a provider takes, the first answers decide what may follow: they are asked for sooner, and so
# is room. After some minutes the provider is known to be slow, and the usual floor is enough.
UNKNOWN_FLOOR: Final = 10  # seconds
UNKNOWN_FOR: Final = 300  # seconds
# Results that live short are noticed while most of their life is left: of a day, after half an hour.
SHARE_OF_KEPT: Final = 1 / 48
# Results that wait for longer are in danger, whoever or whatever keeps them from being brought in.
SHARE_AT_RISK: Final = 1 / 4
JITTER: Final = 0.1
MOST_DOUBLINGS: Final = 16


class Seen(NamedTuple):
    """What one look at a provider batch showed."""

    #: Seconds since the provider batch was created.
    age: float
    #: Lines that are finished.
    finished: int = 0


def poll_wait(now: Seen, before: Seen, total: int, floor: int, ceiling: int, chance: float) -> int:
    """Return the whole seconds until the next look, from this look and the last look with a smaller count.

    The wait is between `floor` and `ceiling`, and then shortened by up to ten percent, by `chance` in [0, 1).
    """
    share = max(now.age * SHARE_OF_AGE, min(now.age * SHARE_WHILE_YOUNG, SOON))
    left = _seconds_left(now, before, total)
    wanted = share if left is None else _by_progress(now.age, share, left)
    least = min(now.age * LEAST_SHARE_OVER_CEILING, MOST_OVER_CEILING)
    return _spread(max(min(max(wanted, floor), ceiling), least), chance)


def most_wait(ceiling: int, kept: int) -> int:
    """Return the longest wait between two looks where the provider keeps results for `kept` seconds; 0 is for ever."""
    return min(ceiling, max(1, round(kept * SHARE_OF_KEPT))) if kept else ceiling


def most_rest(rest: int, kept: int) -> int:
    """Return how long a shard whose step died may rest, where the provider keeps results for `kept` seconds; 0 is for ever."""
    return min(rest, round(kept * SHARE_AT_RISK)) if kept else rest


def is_at_risk(waited: float, kept: int) -> bool:
    """Tell whether results have waited for a large part of the `kept` seconds that the provider keeps them; 0 is for ever."""
    return kept > 0 and waited >= kept * SHARE_AT_RISK


def remembered(now: Seen, before: Seen) -> Seen:
    """Return the look that the next look is compared with: the first look that showed this count."""
    return before if before.finished == now.finished and before.age <= now.age else now


def _by_progress(age: float, share: float, left: float) -> float:
    if left < share:
        return min(left + age * AFTER_THE_END, share)
    return max(share, min(share + (left - age * FAR) * SHARE_OF_FAR, age * LONGEST_SHARE))


def _seconds_left(now: Seen, before: Seen, total: int) -> float | None:
    """Predict from the faster of the pace so far and the pace since `before`; None if progress has halted or just begun."""
    if not before.finished or now.age <= max(before.age, 0):
        return None
    usual, since = now.finished / now.age, now.finished - before.finished
    if since < usual * (now.age - before.age) * HALT - CHANCE_LINES:
        return None
    return (total - now.finished) / max(usual, since / (now.age - before.age))


def retry_wait(failures_in_a_row: int, floor: int, ceiling: int, chance: float) -> int:
    """Return the whole seconds before the next try: doubled with each failure in a row, capped, with jitter."""
    return _spread(min(floor * 2 ** min(max(failures_in_a_row - 1, 0), MOST_DOUBLINGS), ceiling), chance)


def room_wait(elapsed: float, floor: int, ceiling: int, chance: float, *, soon: bool) -> int:
    """Return the whole seconds before an attempt looks for room again, after it has waited for `elapsed` seconds.

    The wait is half of the time so far, or a twentieth if room may come `soon`, which is so for the first in the queue.
    """
    share = SHARE_OF_AGE if soon else SHARE_OF_QUEUEING
    return _spread(max(min(elapsed * share, ceiling), floor), chance)


def floor_while_unknown(elapsed: float, floor: int) -> int:
    """Return the least wait in seconds of an attempt that has waited for `elapsed`, while no limit of its model is known."""
    return min(floor, UNKNOWN_FLOOR) if elapsed < UNKNOWN_FOR else floor


def _spread(seconds: float, chance: float) -> int:
    return max(1, round(seconds * (1 - JITTER * chance)))
