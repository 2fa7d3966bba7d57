"""What we hand to a provider, one attempt of a shard, and what an ended job means for that attempt."""

from typing import Final

from batch_client import Job, Look, State
from batchyard.domain import object_keys
from batchyard.domain.attempt import End
from batchyard.domain.shard import Shard

CLOCK_SKEW: Final = 300  # seconds by which the provider's clock may differ from ours
# What a job carries, where a provider keeps such: the key of its attempt, its batch, and our stack.
ATTEMPT_LABEL: Final = "batchyard_attempt"
BATCH_LABEL: Final = "batchyard_batch"
STACK_LABEL: Final = "batchyard_stack"


def job_of(shard: Shard, window: str, stack: str) -> Job:
    """Describe the job of the attempt under way; `window` is how long the provider may take, as 24h."""
    attempt = shard.attempts[-1]
    place = shard.batch_id, shard.shard, attempt.number, shard.version
    return Job(
        key=shard.attempt_key, labels={BATCH_LABEL: shard.batch_id, STACK_LABEL: stack}, endpoint=shard.endpoint,
        model=shard.model, window=window, count=attempt.lines,
        filename=object_keys.provider_filename(*place, stack), prepared=shard.file_id,
    )  # fmt: skip


def end_of(seen: Look) -> End:
    """Tell how the attempt of an ended job has ended."""
    if seen.problems:
        return End.FAILED
    return End.PARTIAL if seen.partial else End.WHOLE


def has_taken_in(seen: Look) -> bool:
    """Tell whether the provider had room for a job: it runs, or has run something."""
    ran = seen.counts is not None and seen.counts.completed + seen.counts.failed > 0
    return seen.state is State.RUNNING or ran or (seen.ended and end_of(seen) is End.WHOLE)


def may_be_stopped(seen: Look) -> bool:
    """Tell whether a stop would change anything."""
    return seen.state not in {State.ENDING, State.ENDED}
