"""How long to wait: before looking at a provider batch again, and before trying again what failed.

A batch that waits a twentieth of its age between looks is noticed within 5 % of its time: about 120 looks in 24 hours.
Half of those fall into its first two hours, so while its counts say that the end is far away, it waits longer: more than
1.5 times its age ahead (less than two fifths finished), up to a third of its age. Whatever its counts did before, an end
after that point is noticed within 5 %; a batch that is finished at one blow before it, within a third of its time, and never
later than the ceiling. Steady progress over 24 hours takes about 50 looks. Figures: tests/unit/batchyard/domain/test_pacing.py.
"""

from typing import Final, NamedTuple

from batchyard.domain.durations import HOUR

SHARE_OF_AGE: Final = 0.05
SHARE_OF_QUEUEING: Final = 0.5
SOON: Final = 60  # seconds: no need to be nearer to the end of a young batch
SHARE_WHILE_YOUNG: Final = 0.2
FAR: Final = 1.5  # times the age still ahead
SHARE_OF_FAR: Final = 0.1
LONGEST_SHARE: Final = 1 / 3
BEHIND_THE_END: Final = 0.01  # of the age: look when it should be over, rather than just before
# Progress of less than a quarter of what was usual so far is a halt, which says nothing about the end; but that one line has
# not yet come is chance.
HALT: Final = 0.25
CHANCE_LINES: Final = 0.5
# However low the ceiling is set, seven days of looking must fit: some 1,900 looks with a ceiling of one second.
LEAST_SHARE_OVER_CEILING: Final = 1 / 200
MOST_OVER_CEILING: Final = HOUR
JITTER: Final = 0.1
MOST_DOUBLINGS: Final = 16


class Look(NamedTuple):
    """What a look at a provider batch showed: its age in seconds, and how many of its lines were finished."""

    age: float
    finished: int = 0


def poll_wait(now: Look, before: Look, total: int, floor: int, ceiling: int, chance: float) -> int:
    """Answer the whole seconds until the next look, by this look and the one before it that showed less.

    Between `floor` and `ceiling`, then spread by `chance` in [0, 1) over the ten percent below.
    """
    share = max(now.age * SHARE_OF_AGE, min(now.age * SHARE_WHILE_YOUNG, SOON))
    left = _seconds_left(now, before, total)
    wanted = share if left is None else _by_progress(now.age, share, left)
    least = min(now.age * LEAST_SHARE_OVER_CEILING, MOST_OVER_CEILING)
    return _spread(max(min(max(wanted, floor), ceiling), least), chance)


def remembered(now: Look, before: Look) -> Look:
    """Choose the look that the next one is compared with: the first of those that showed the same."""
    return before if before.finished == now.finished and before.age <= now.age else now


def _by_progress(age: float, share: float, left: float) -> float:
    if left < share:
        return min(left + age * BEHIND_THE_END, share)
    return max(share, min(share + (left - age * FAR) * SHARE_OF_FAR, age * LONGEST_SHARE))


def _seconds_left(now: Look, before: Look, total: int) -> float | None:
    """Predict by the faster of the pace so far and the pace since the last look; None when it has halted or just begun."""
    if not before.finished or now.age <= max(before.age, 0):
        return None
    usual, since = now.finished / now.age, now.finished - before.finished
    if since < usual * (now.age - before.age) * HALT - CHANCE_LINES:
        return None
    return (total - now.finished) / max(usual, since / (now.age - before.age))


def retry_wait(failures_in_a_row: int, floor: int, ceiling: int, chance: float) -> int:
    """Answer the whole seconds before the next try after so many failures in a row: doubling, capped, with jitter."""
    return _spread(min(floor * 2 ** min(max(failures_in_a_row - 1, 0), MOST_DOUBLINGS), ceiling), chance)


def room_wait(elapsed: float, floor: int, ceiling: int, chance: float, *, soon: bool) -> int:
    """Answer the whole seconds before looking for room again, after waiting `elapsed` seconds for it.

    Half as long again, or a small share if it may come `soon`: only who is next in line needs to see it at once.
    """
    share = SHARE_OF_AGE if soon else SHARE_OF_QUEUEING
    return _spread(max(min(elapsed * share, ceiling), floor), chance)


def _spread(seconds: float, chance: float) -> int:
    return max(1, round(seconds * (1 - JITTER * chance)))
