"""What a shard does when a call to the provider fails."""

from typing import Final

from batch_client import BatchClientError
from batchyard.domain.batch import BatchError, window_seconds
from batchyard.domain.errors import NotFound
from batchyard.domain.numbers import HOUR
from batchyard.domain.pacing import is_at_risk
from batchyard.domain.policy import LONGEST_CODE, Reaction, after_failed_call, is_sure_refusal, what_failed
from batchyard.domain.shard import Shard, with_attempt_members, with_members
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import CANCELLED
from batchyard.observability import logger, publish
from batchyard.shards.pauses import ENDLESS, moment, why_failed
from batchyard.shards.turn import Turn

MOST_FAILURES_IN_A_ROW: Final = 100  # before a shard that cannot be sent fails: most of a day
# How often in a row a call is made again, by what it met. REUSE and PAUSE wait without a bound.
BOUNDS: Final = {
    Reaction.RETRY: MOST_FAILURES_IN_A_ROW,
    Reaction.UPLOAD: MOST_FAILURES_IN_A_ROW,
    Reaction.ASK_AGAIN: 20,  # some three hours; a refusal that names no fault may be for ever
}
REFUSED: Final = frozenset({Reaction.UPLOAD, Reaction.ASK_AGAIN})
TRIES_OF_A_FILE: Final = 4  # creations that are refused in a row, before the file is uploaded again
A_DAY_OF_LOOKS: Final = 240  # in a row, the first hundred of them within READ_CEILING of each other
READ_CEILING: Final = 60  # seconds between looks at a provider that does not answer


def retry_create(turn: Turn, call: str, error: BatchClientError, after: Shard | None = None) -> Step:
    """Take a failed upload or create: try again later with `after`, pause, or fail the shard."""
    reaction, after, failures = after_failed_call(error), after or turn.shard, turn.shard.failures_in_a_row
    if is_sure_refusal(error):
        after = with_attempt_members(after, creating_at=None, lost_at=None)  # a refusal made no batch
    if reaction in REFUSED and (failures + 1) % TRIES_OF_A_FILE == 0:
        after = with_members(after, file_id=None)
    most = BOUNDS.get(reaction)
    if reaction is Reaction.FAIL_LINES or (most is not None and failures >= most):
        return _fail_shard(turn, call, after, error)
    how_long = ENDLESS if most is None else f"up to {most} times in a row; then the lines are errors"
    return _wait(turn, after, error, why_failed(turn, call, error, how_long), Next.SUBMIT)


def retry_read(
    turn: Turn, call: str, error: BatchClientError, after: Shard | None = None, why: str | None = None
) -> Step:
    """Take a failed look at a provider batch or its files: the same step again later, with what `after` notes of it.

    A cancelled shard waits two hours, a draining one a day. Any other waits for ever, because its answers are paid for.
    `why` is told in place of what is usual.
    """
    after, failures = after or turn.shard, turn.shard.failures_in_a_row
    stopped = turn.why_stopped() if failures >= MOST_FAILURES_IN_A_ROW else None
    if stopped is not None and (stopped == CANCELLED or failures >= A_DAY_OF_LOOKS):
        return turn.end(after, stopped)
    patient = failures > MOST_FAILURES_IN_A_ROW  # a look costs nothing: often at first, rarely later
    why, at_risk = why or why_failed(turn, call, error, ENDLESS), _at_risk(turn)
    why = f"{why} {at_risk}" if why and at_risk else why
    return _wait(turn, after, error, why, turn.step.next, None if patient else READ_CEILING)


def _at_risk(turn: Turn) -> str | None:
    """Count, log and say that answers wait which the provider may soon delete; None if none are in danger."""
    attempt, now, kept = turn.shard.attempt, turn.services.now(), turn.account.facts.results_kept
    if attempt is None or attempt.direct or attempt.creating_at is None:
        return None
    since = attempt.over_since or attempt.began_at + window_seconds(turn.window)
    if not is_at_risk(now - since, kept):
        return None
    logger.error(
        "results at risk", batch_id=turn.shard.batch_id, shard=turn.shard.shard, provider=turn.account.name,
        provider_batch_id=attempt.provider_batch_id, since=moment(since),
    )  # fmt: skip
    publish({"ResultsAtRisk": 1})
    return f"Its answers may be there since {moment(since)}; the provider deletes them {kept // HOUR} hours after its batch."


def _wait(
    turn: Turn, after: Shard, error: BatchClientError, why: str | None, following: Next, ceiling: int | None = None
) -> Step:
    failures = turn.shard.failures_in_a_row + 1
    logger.warning(
        "provider call failed", batch_id=turn.shard.batch_id, shard=turn.shard.shard, error=type(error).__name__,
        status=error.status, code=error.code, request_id=error.request_id, failures_in_a_row=failures,
    )  # fmt: skip
    turn.failed(after, why)
    return turn.then(following, turn.retry_wait(failures, error.retry_after, ceiling))


def _fail_shard(turn: Turn, call: str, after: Shard, error: BatchClientError) -> Step:
    code = (error.code or "provider_unavailable")[:LONGEST_CODE]
    reason = BatchError(code, f"The provider did not take the batch: {what_failed(call, error)}")
    if isinstance(error.__cause__, NotFound):
        reason = BatchError("invalid_request", "The input was deleted before all of it was sent.", "file_id")
    if after.may_be_paid:  # the provider batch is looked for before its lines fail
        turn.save(with_members(after, reason=reason, paused=None, waits=None))
        return turn.then(Next.SUBMIT)
    return turn.end(after, reason)
