"""A `POST /batches` without an answer: the worker died, or the connection did. The provider may have made the batch.

The intent `creating_at` was saved before the call. So the next Submit first looks for the provider batch by our key in its
metadata; only when the batch was surely not made is another created. If there is no next Submit, the sweep finds the batch
(`recovery/orphans`).
"""

from typing import Final

from batch_client import Batch as ProviderBatch
from batch_client import BatchClientError
from batchyard.domain.attempt import Attempt
from batchyard.domain.policy import Reaction, after_failed_call, is_absent, what_failed
from batchyard.domain.shard import ATTEMPT_KEY, CLOCK_SKEW, with_attempt_members
from batchyard.domain.step import Next, Step
from batchyard.shards.pauses import CREATE, ENDLESS, LIST, moment, sentences
from batchyard.shards.turn import Turn

REFUSALS: Final = frozenset({Reaction.FAIL_LINES, Reaction.UPLOAD, Reaction.ASK_AGAIN, Reaction.CUT})
LISTED_WITHIN, LOOKS = 20, 3  # a batch just created may not be listed at once, nor by each of a service's replicas
BETWEEN_LOOKS: Final = 10
QUICKLY: Final = 15  # seconds; an answer that was lost later may belong to a create that is still under way
LONGEST_CREATE: Final = 120  # a worker that was killed may have a create on its way for so long; see Services.provider


def find(turn: Turn, creating_at: int) -> ProviderBatch | None:
    """Find the provider batch of an attempt whose create began at this time. Raises BatchClientError."""
    shard = turn.shard
    known = {each.provider_batch_id or "" for each in shard.attempts}
    return turn.services.ask(
        lambda provider: provider.find_batch(
            ATTEMPT_KEY, shard.attempt_key, creating_at - CLOCK_SKEW, input_file_id=shard.file_id, but=known
        )
    )


def why_unknown(turn: Turn, creating_at: int, error: BatchClientError) -> str | None:
    """Say that a list which the provider refuses leaves open whether the batch exists; None where the refusal may pass."""
    if after_failed_call(error) not in REFUSALS and not is_absent(error):
        return None
    shard = turn.shard
    what = f"Batchyard cannot tell whether batch {shard.attempt_key} exists at the provider: {what_failed(LIST, error)}"
    remedy = (
        f"The answer to {CREATE} was lost at {moment(creating_at)}. Look in the provider's console for a batch of the "
        f"file {shard.file_id}, or with {ATTEMPT_KEY}={shard.attempt_key} in its metadata: it may run, and be billed. "
        "Then cancel this batch, or have the provider list batches for this key and resume."
    )
    return sentences(turn, what, shard.failing_since, "asks again", f"{ENDLESS}: it creates no other batch", remedy)


def look_later(turn: Turn, creating_at: int) -> Step | None:
    """Look again later for a provider batch that was not found; None if the batch was surely not made."""
    left = _certain_at(turn.attempt, creating_at) - turn.services.now()
    if left <= 0 and turn.attempt.lookups + 1 >= LOOKS:
        return None
    turn.save(with_attempt_members(turn.shard, lookups=turn.attempt.lookups + 1))
    return turn.then(Next.SUBMIT, min(left, BETWEEN_LOOKS) if left > 0 else BETWEEN_LOOKS)


def _certain_at(attempt: Attempt, creating_at: int) -> int:
    """Tell when a batch that is not listed was not made: soon, if the answer was cut off at once; else it may be slow."""
    lost_at = attempt.lost_at
    if lost_at is not None and lost_at - creating_at < QUICKLY:
        return lost_at + LISTED_WITHIN
    return max(creating_at + LONGEST_CREATE, (lost_at or 0) + LISTED_WITHIN)
