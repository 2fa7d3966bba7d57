"""A provider batch whose status nobody knows: what the batch tells of it, and when its answers are collected all the same."""

from typing import Final

from batch_client import Batch as ProviderBatch
from batchyard.domain.durations import DAY, HOUR
from batchyard.domain.shard import Attempt, Shard, change_attempt
from batchyard.domain.statuses import CANCELLED, COMPLETED, OF_PROVIDER
from batchyard.shards.pauses import moment
from batchyard.shards.turn import Turn

SURE_AFTER: Final = 600  # seconds for which counts and files have shown that all is there
# Seconds after which a provider batch of a cancelled batch, and of a draining one, is taken for cancelled.
CANCELLED_AFTER, DRAINED_AFTER = 2 * HOUR, DAY


def with_look(turn: Turn, seen: ProviderBatch) -> Shard:
    """Return the shard with what this look at its provider batch showed: a status that nobody knows, and since when."""
    now, attempt = turn.services.now(), turn.attempt
    if seen.status in OF_PROVIDER:
        return change_attempt(turn.shard, odd_since=None, all_there_since=None)
    there = (attempt.all_there_since or now) if _all_there(seen, attempt) else None
    return change_attempt(turn.shard, odd_since=attempt.odd_since or now, all_there_since=there)


def told(attempt: Attempt) -> str | None:
    """Say that nobody knows the status of the provider batch; None if its status is known."""
    if attempt.odd_since is None:
        return None
    return (
        f"The provider says '{attempt.provider_status}' of its batch {attempt.provider_batch_id} since "
        f"{moment(attempt.odd_since)}, a status that Batchyard does not know. Batchyard looks again, and collects the "
        "answers once the provider's counts and files show all of them. Look in the provider's console how the batch "
        "stands; cancel the batch here to keep what is finished and end the rest."
    )


def taken_as(turn: Turn, seen: ProviderBatch) -> str | None:
    """Return the status that a provider batch with an unknown one is collected under; None while it is looked at again."""
    if seen.status in OF_PROVIDER or seconds_left(turn, seen) > 0:
        return None
    return COMPLETED if _all_there(seen, turn.attempt) else CANCELLED


def seconds_left(turn: Turn, seen: ProviderBatch) -> float:
    """Return the seconds until the provider batch is collected whatever its status says; infinity if nothing says so."""
    batch, shard, attempt = turn.batch, turn.shard, turn.attempt
    ends = [attempt.all_there_since + SURE_AFTER] if attempt.all_there_since and _all_there(seen, attempt) else []
    odd_since = attempt.odd_since or turn.services.now()
    if batch.cancelling_at is not None:
        ends.append(max(batch.cancelling_at, odd_since) + CANCELLED_AFTER)
    elif batch.stopping or shard.draining:
        ends.append(max(batch.draining_since or shard.rest_until, odd_since) + DRAINED_AFTER)
    return min(ends, default=float("inf")) - turn.services.now()


def _all_there(seen: ProviderBatch, attempt: Attempt) -> bool:
    """Tell whether the counts name an outcome for each line, and files hold them."""
    counts = seen.request_counts
    if counts is None or counts.completed + counts.failed < max(counts.total, attempt.lines):
        return False
    return bool(seen.output_file_id or (seen.error_file_id and not counts.completed))
