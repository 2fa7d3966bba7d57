"""What follows the end of a provider batch: completed, expired, cancelled, or failed after it finished lines.

`poll` sees the end, `collect` takes the answers there are, and `line_outcomes` gives each line its outcome or leaves it
unfinished. Here the attempt ends: the shard is done, or its unfinished lines are sent again. A direct attempt ends alike.
"""

from typing import Final

from batchyard.costs.usage import Usage
from batchyard.domain.batch import BatchError, window_seconds
from batchyard.domain.shard import Shard, as_done, with_attempt_members, with_members, with_stall
from batchyard.domain.statuses import CANCELLED, EXPIRED
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import WAITED_FOR
from batchyard.shards import stalls
from batchyard.shards.line_outcomes import AttemptOutcome
from batchyard.shards.turn import Turn

OUT_OF_TIME: Final = frozenset({EXPIRED, CANCELLED})  # by the provider, or by us at the deadline


def with_attempt_ended(turn: Turn, outcome: AttemptOutcome, status: str, usage: Usage) -> Shard:
    """Return the shard with its attempt ended by this outcome."""
    shard, used = turn.shard, usage.most(turn.attempt.usage)
    ended = with_attempt_members(
        shard, provider_status=status, ended_at=turn.services.now(), succeeded=len(outcome.output),
        failed=len(outcome.errors), transient=len(outcome.transient), strays=outcome.answers.strays, runs=outcome.runs,
        mended=outcome.answers.mended, empty=outcome.answers.empty, not_accepted=outcome.not_accepted, usage=used,
        cost=turn.cost(used),
    )  # fmt: skip
    return with_members(
        ended, unfinished=len(outcome.unfinished), unfinished_key=outcome.key, file_id=None, codes=outcome.codes,
        completed=sum(attempt.succeeded for attempt in ended.attempts),
        failed=sum(attempt.failed for attempt in ended.attempts),
        stalls=0 if outcome.finished else shard.stalls, stalled_lines=0 if outcome.finished else shard.stalled_lines,
    )  # fmt: skip


def end_attempt(turn: Turn, ended: Shard, outcome: AttemptOutcome) -> Step:
    """Save what became of an attempt: the shard is done, or the unfinished lines go out again."""
    after, stopped = ended, turn.why_stopped()
    if not outcome.finished and _is_stall(turn, ended):
        after = with_stall(ended)
    if stopped or not ended.unfinished:
        after = as_done(after, stopped if ended.unfinished else None)
    elif after.stalls >= turn.services.settings.max_attempts:
        after = stalls.fail_lines(turn, after, _no_answer(after))
    turn.save_answered(after)
    if after.done:
        return turn.then(Next.DONE)
    return turn.then(Next.SUBMIT, turn.retry_wait(after.stalls + 1) if len(outcome.transient) else 0)


def _is_stall(turn: Turn, ended: Shard) -> bool:
    """Tell whether the attempt counts as a stall; a direct one, which had no provider batch, does not."""
    attempt, window = ended.attempts[-1], window_seconds(turn.batch.completion_window)
    ran = turn.services.now() - attempt.began_at
    return not attempt.direct and not had_its_window(attempt.provider_status or "", ran, window)


def had_its_window(status: str, ran: float, window: int) -> bool:
    """Tell whether a provider batch ran out of time after most of its window; all times are seconds.

    An attempt that finished no line is no stall then: the provider may be slow.
    """
    return status in OUT_OF_TIME and ran >= WAITED_FOR * window


def _no_answer(shard: Shard) -> BatchError:
    """Return the error of lines that got no answer in as many attempts as are allowed."""
    code = "batch_expired" if shard.attempts[-1].provider_status == EXPIRED else "no_answer"
    return BatchError(code, f"The provider answered none of the last {shard.stalls} attempts at this request.")
