"""A provider batch whose status nobody knows: what the batch tells of it, and when its answers are collected all the same."""

import math
from typing import Final

import msgspec

from batch_client import Look, State
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import window_seconds
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.shard import Shard, with_attempt_members
from batchyard.shards.pauses import moment
from batchyard.shards.turn import Turn

SURE_AFTER: Final = 600  # seconds for which each look has shown the same, as one look may be stale
# Seconds after which a provider batch of a cancelled batch, and of a draining one, is taken for cancelled.
CANCELLED_AFTER, DRAINED_AFTER = 2 * HOUR, DAY
OVERDUE_AFTER: Final = DAY  # after the end of its window a provider batch runs nothing more


def with_look(turn: Turn, seen: Look) -> Shard:
    """Return the shard with what this look at its provider batch showed: a status that nobody knows, and since when."""
    now, attempt = turn.services.now(), turn.attempt
    if seen.state is not State.UNKNOWN:
        return with_attempt_members(turn.shard, odd_since=None, ready_since=None)
    odd_since = attempt.odd_since or now
    ready = _all_there(seen, attempt) or now >= _end_of_patience(turn, odd_since)
    return with_attempt_members(
        turn.shard, odd_since=odd_since, ready_since=(attempt.ready_since or now) if ready else None
    )


def told(attempt: Attempt) -> str | None:
    """Say that nobody knows the status of the provider batch; None if its status is known."""
    if attempt.odd_since is None:
        return None
    return (
        f"The provider says '{attempt.provider_status}' of its batch {attempt.provider_batch_id} since "
        f"{moment(attempt.odd_since)}, a status that Batchyard does not know. Batchyard looks again, and collects the "
        "answers once the provider's counts and files show all of them, or a day after the batch's window. Look in the "
        "provider's console how the batch stands; cancel the batch here to keep what is finished and end the rest."
    )


def taken_as(turn: Turn, seen: Look) -> Look | None:
    """Return a provider batch with an unknown status as one that has ended; None while it is looked at again."""
    attempt, now = turn.attempt, turn.services.now()
    if seen.state is not State.UNKNOWN or attempt.ready_since is None or seconds_left(turn) > 0:
        return None
    partial = not _all_there(seen, attempt)
    if partial and now < _end_of_patience(turn, attempt.odd_since or now):
        return None
    return msgspec.structs.replace(seen, state=State.ENDED, partial=partial)


def seconds_left(turn: Turn) -> float:
    """Return the seconds until a look may end the wait for a provider batch with an unknown status; infinity if none will."""
    attempt, now = turn.attempt, turn.services.now()
    if attempt.odd_since is None:
        return math.inf
    return (
        attempt.ready_since + SURE_AFTER if attempt.ready_since else _end_of_patience(turn, attempt.odd_since)
    ) - now


def _end_of_patience(turn: Turn, odd_since: int) -> float:
    """Tell when the provider batch is taken for cancelled: soon if its batch or shard is stopped, else after its window."""
    batch, shard = turn.batch, turn.shard
    if batch.cancelling_at is not None:
        return max(batch.cancelling_at, odd_since) + CANCELLED_AFTER
    if batch.stopping or shard.draining:
        return max(batch.draining_since or shard.rest_until, odd_since) + DRAINED_AFTER
    window = window_seconds(turn.window)
    return max(turn.attempt.began_at + window, odd_since) + OVERDUE_AFTER


def is_overdue(turn: Turn, seen: Look) -> bool:
    """Tell whether a provider batch with an unknown status should have ended long ago, whatever the status means."""
    odd_since = turn.attempt.odd_since
    return (
        seen.state is State.UNKNOWN
        and odd_since is not None
        and turn.services.now() >= _end_of_patience(turn, odd_since)
    )


def _all_there(seen: Look, attempt: Attempt) -> bool:
    """Tell whether the counts name an outcome for each line, and results hold them."""
    counts = seen.counts
    if counts is None or counts.completed + counts.failed < max(counts.total, attempt.lines):
        return False
    return bool(seen.results) and seen.whole
