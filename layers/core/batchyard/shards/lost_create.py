"""A create without an answer: the worker died, or the connection did. The provider may have made the batch.

The intent `creating_at` was saved before the call. So the next Submit first looks for the provider batch by our key in its
metadata; only when the batch was surely not made is another created. If there is no next Submit, the sweep finds the batch
(`recovery/orphans`). Where the provider lists no batches, a person says what came of the create (`api/lost_create`).
"""

from collections.abc import Container
from typing import Final

from batch_client import BatchClientError, CannotTell, Look
from batchyard.domain import nesting
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch
from batchyard.domain.job import ATTEMPT_LABEL, CLOCK_SKEW, job_of
from batchyard.domain.policy import Reaction, after_failed_call, is_absent, what_failed
from batchyard.domain.shard import Shard, with_attempt_members
from batchyard.domain.step import Next, Step
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards.pauses import CREATE, ENDLESS, LIST, LONGEST_WORDS, TOLD_AFTER, moment, sentences
from batchyard.shards.turn import Turn

REFUSALS: Final = frozenset({Reaction.FAIL_LINES, Reaction.UPLOAD, Reaction.ASK_AGAIN, Reaction.CUT})
LISTED_WITHIN, LOOKS = 20, 3  # a batch just created may not be listed at once, nor by each of a service's replicas
BETWEEN_LOOKS: Final = 10
QUICKLY: Final = 15  # seconds; an answer that was lost later may belong to a create that is still under way
LONGEST_CREATE: Final = 120  # a worker that was killed may have a create on its way for so long; see Account.client

NOT_BY_KEY: Final = "time"  # the lookup of a service that shows nothing of ours while a batch runs
NONE: Final = ""  # what a person says if there is no such provider batch
LONGEST_SHOWN: Final = 100  # characters of an id


class _Others(Container[str]):
    """The ids of the provider batches that were made for another attempt, of this shard or of any other."""

    def __init__(self, services: Services, shard: Shard) -> None:
        self._services, self._shard, self._provider = services, shard, services.account(shard.provider).name
        self._earlier = {attempt.provider_batch_id for attempt in shard.attempts}

    def __contains__(self, provider_batch_id: object) -> bool:
        return provider_batch_id in self._earlier or self.are_of_another_shard(str(provider_batch_id))

    def are_of_another_shard(self, provider_batch_id: str) -> bool:
        """Tell whether the records link an id with a shard that is not this one."""
        owner = self._services.batch_store.linked(self._provider, provider_batch_id)
        return owner not in {None, (self._shard.batch_id, self._shard.shard)}


class _AllBut(Container[str]):
    """All ids but one."""

    def __init__(self, provider_batch_id: str) -> None:
        self._one = provider_batch_id

    def __contains__(self, provider_batch_id: object) -> bool:
        return provider_batch_id != self._one


def named(turn: Turn, creating_at: int) -> Look | None:
    """Read the provider batch that a person named for a lost create. Raises BatchClientError if the provider cannot tell now.

    Where it shows neither key nor input, `find` must prove it. None if nobody named one; or if it is not the one that is
    looked for, with the reason on the record.
    """
    said = turn.attempt.said
    if not said:
        return None
    try:
        seen = turn.account.ask(lambda dialect: dialect.look(said))
    except BatchClientError as error:
        if not leaves_open(error):
            raise
        wrong = what_failed("retrieving it", error)
    else:
        wrong = _mismatch(turn.services, turn.shard, seen, creating_at)
        if not wrong and not seen.key and seen.input is None:
            wrong = _unproven(turn, seen, creating_at)
        if not wrong:
            return seen
    logger.warning("named batch not adopted", batch_id=turn.shard.batch_id, shard=turn.shard.shard, wrong=wrong)
    turn.save(with_attempt_members(turn.shard, said=None, misnamed=f"{said[:LONGEST_SHOWN]}: {wrong[:LONGEST_WORDS]}"))
    return None


def _unproven(turn: Turn, seen: Look, creating_at: int) -> str:
    """Say that a provider batch that shows nothing of its origin is another's. Raises CannotTell while a later look may tell.

    Where none ever will, a person's word is the best there is: its answers are only taken if they bear our mark.
    """
    try:
        proof = look_up(turn.services, turn.batch, turn.shard, creating_at, _AllBut(seen.id))
    except CannotTell as error:
        if error.retryable:
            raise
        return ""
    return "" if proof else "its results do not show that it is of this shard's requests"


def _mismatch(services: Services, shard: Shard, seen: Look, creating_at: int) -> str:
    """Name the member by which a provider batch is not the one of a lost create; "" if it is that one."""
    if any(attempt.provider_batch_id == seen.id for attempt in shard.attempts):
        return "its id is that of an earlier attempt"
    if seen.key or seen.labels:
        return "" if seen.key == shard.attempt_key else f"its metadata.{ATTEMPT_LABEL} is not {shard.attempt_key}"
    if _Others(services, shard).are_of_another_shard(seen.id):
        return "its id is that of a batch of another shard"
    if seen.input != shard.file_id:
        return f"it has no metadata, and its input_file_id is not {shard.file_id}"
    lines = shard.attempts[-1].lines
    if seen.counts is not None and seen.counts.total not in {0, lines}:
        return f"it has no metadata, and it is of {seen.counts.total} requests, not of {lines}"
    if seen.created_at is not None and seen.created_at < creating_at - CLOCK_SKEW:
        return f"it has no metadata, and its created_at is before {moment(creating_at)}"
    return ""


def without_create(shard: Shard) -> Shard:
    """Return the shard as one that has no create under way, and knows of none."""
    return with_attempt_members(
        shard, creating_at=None, lost_at=None, lookups=0, unlisted=False, said=None, misnamed=None
    )


def find(turn: Turn, creating_at: int) -> Look | None:
    """Find the provider batch of an attempt whose create began at this time. Raises BatchClientError."""
    return look_up(turn.services, turn.batch, turn.shard, creating_at)


def look_up(
    services: Services, batch: Batch, shard: Shard, creating_at: int, but: Container[str] | None = None
) -> Look | None:
    """Do as `find`, for whoever has no turn of the shard; among the provider batches not in `but`, if that is given."""
    others = _Others(services, shard) if but is None else but
    account = services.account(shard.provider)
    job = job_of(shard, account.window(batch), services.settings.stack)
    return account.ask(lambda dialect: dialect.find(job, creating_at - CLOCK_SKEW, others))


def why_unknown(turn: Turn, creating_at: int, error: BatchClientError) -> str | None:
    """Say that a list which the provider refuses, or which shows too little, leaves open whether the batch exists.

    None where the refusal may pass, or the next looks may tell: a batch of another shard may be about to be recorded.
    """
    may_tell_later = isinstance(error, CannotTell) and error.retryable
    if not leaves_open(error) or (may_tell_later and turn.shard.failures_in_a_row + 1 < TOLD_AFTER):
        return None
    shard, attempt = turn.shard, turn.attempt
    what = f"Batchyard cannot tell whether batch {shard.attempt_key} exists at the provider: {what_failed(LIST, error)}"
    which = f"the file {shard.file_id}" if shard.file_id else f"{attempt.lines} requests made at that time"
    remedy = (
        f"The answer to {CREATE} was lost at {moment(creating_at)}. Look in the provider's console for a batch of "
        f"{which}{_or_label(turn)}: it may run, and be billed. "
        f"If it is there, send POST /v1/batches/{shard.batch_id}/resume {_body(shard, 'its id')}. If there is none, send "
        f"{_body(shard, None)}, and Batchyard creates the batch again."
    )
    if may_tell_later:
        remedy = (
            f"There is nothing to do: a later look tells. If the provider's console shows no batch of {which}, send POST "
            f"/v1/batches/{shard.batch_id}/resume {_body(shard, None)}, and Batchyard creates the batch again."
        )
    if attempt.misnamed:
        remedy = f"The batch that was named last was not taken: {attempt.misnamed.rstrip('.')}. {remedy}"
    return sentences(turn, what, shard.failing_since, "asks again", f"{ENDLESS}: it creates no other batch", remedy)


def _or_label(turn: Turn) -> str:
    """Name our key in the metadata, unless the service is known to keep none."""
    label = f", or with {ATTEMPT_LABEL}={turn.shard.attempt_key} in its metadata"
    return "" if turn.account.facts.lookup == NOT_BY_KEY else label


def _body(shard: Shard, provider_batch_id: str | None) -> str:
    return nesting.encode({"provider_batch_id": provider_batch_id, "shard": shard.shard})


def leaves_open(error: BatchClientError) -> bool:
    """Tell whether a failed look-up says that the provider will never show what came of a create."""
    return isinstance(error, CannotTell) or after_failed_call(error) in REFUSALS or is_absent(error)


def look_later(turn: Turn, creating_at: int) -> Step | None:
    """Look again later for a provider batch that was not found; None if the batch was surely not made."""
    left = seconds_until_certain(turn.attempt, creating_at, turn.services.now())
    if not left and turn.attempt.lookups + 1 >= LOOKS:
        return None
    turn.save(with_attempt_members(turn.shard, lookups=turn.attempt.lookups + 1))
    return turn.then(Next.SUBMIT, min(left or BETWEEN_LOOKS, BETWEEN_LOOKS))


def seconds_until_certain(attempt: Attempt, creating_at: int, now: int) -> int:
    """Tell for how long the provider may still make a batch of which nothing is seen; 0 if it will not."""
    return max(0, _certain_at(attempt, creating_at) - now)


def _certain_at(attempt: Attempt, creating_at: int) -> int:
    """Tell when a batch that is not listed was not made: soon, if the answer was cut off at once; else it may be slow."""
    lost_at = attempt.lost_at
    if lost_at is not None and lost_at - creating_at < QUICKLY:
        return lost_at + LISTED_WITHIN
    return max(creating_at + LONGEST_CREATE, (lost_at or 0) + LISTED_WITHIN)
