"""The end of an attempt: the shard is done, or its unfinished lines are sent again.

`poll` sees that a provider batch has ended, `collect` takes the answers there are, and `line_outcomes` gives each line its
outcome or leaves it unfinished. A direct attempt ends alike. An attempt that finished no line is a stall: after so many in a
row, the lines that all of them sent fail. A shard that is larger than the provider's room goes out in waves, the first lines
of what is unfinished each time; the lines behind a wave were not tried, so they go on.
"""

from array import array
from itertools import takewhile
from typing import Final

from batchyard.costs.usage import Usage
from batchyard.domain import object_keys
from batchyard.domain.attempt import RAN, End
from batchyard.domain.batch import BatchError, window_seconds
from batchyard.domain.policy import OUTCOME_UNKNOWN
from batchyard.domain.shard import Shard, as_done, with_attempt_members, with_members, with_stall
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import CANCELLED, CANCELLED_AND_LOST, LEAVES_NOTHING, WAITED_FOR
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger
from batchyard.shards.line_outcomes import AttemptOutcome
from batchyard.shards.pauses import ENDLESS, SEE_TO_ACCOUNT, WANTS_OPERATOR, sentences
from batchyard.shards.token_room import TOKENS
from batchyard.shards.turn import Turn
from batchyard.shards.unanswered_lines import write_error_lines

EXPIRED: Final = "batch_expired"  # the code of a line that never ran, as its provider batch ran out of time


def with_attempt_ended(turn: Turn, outcome: AttemptOutcome, status: str, end: End, usage: Usage) -> Shard:
    """Return the shard with its attempt ended by this outcome, under the provider's own word."""
    shard, used = turn.shard, usage.most(turn.attempt.usage)
    told = outcome.answers.told or turn.attempt.usage is not None  # then the tokens are those of the whole attempt
    unmetered, lost = (0, 0) if told else (outcome.answers.unmetered, _count_lost(turn, end, outcome))
    assumed = turn.attempt.estimate * min(unmetered + lost, turn.attempt.lines) // max(1, turn.attempt.lines)
    ended = with_attempt_members(
        shard, provider_status=status, end=end, ended_at=turn.services.now(), succeeded=len(outcome.output),
        failed=len(outcome.errors), transient=len(outcome.transient), strays=outcome.answers.strays, runs=outcome.runs,
        mended=outcome.answers.mended, empty=outcome.answers.empty, unmetered=unmetered, lost=lost,
        not_accepted=outcome.not_accepted, usage=used, cost=turn.cost(used), assumed=assumed,
    )  # fmt: skip
    return with_members(
        ended, unfinished=len(outcome.unfinished), unfinished_key=outcome.key, file_id=None, codes=outcome.codes,
        completed=sum(attempt.succeeded for attempt in ended.attempts),
        failed=sum(attempt.failed for attempt in ended.attempts),
        stalls=0 if outcome.finished else shard.stalls, stalled_lines=0 if outcome.finished else shard.stalled_lines,
    )  # fmt: skip


def _count_lost(turn: Turn, end: End, outcome: AttemptOutcome) -> int:
    """Count the lines that may have been run, and billed, and whose answers are lost."""
    if end is End.DIRECT:
        return outcome.answers.count(OUTCOME_UNKNOWN)
    unanswered, facts = len(outcome.unanswered), turn.account.facts
    if end is End.PARTIAL:
        ran_out = had_its_window(end, turn.services.now() - turn.attempt.began_at, window_seconds(turn.window))
        left = facts.after_expiry if ran_out else facts.after_cancel
        unanswered = unanswered + len(outcome.unrun) if left == LEAVES_NOTHING else 0
    return max(unanswered if end in RAN else 0, turn.attempt.never_came)


def end_attempt(turn: Turn, ended: Shard, outcome: AttemptOutcome) -> Step:
    """Save what became of an attempt: the shard is done, or the unfinished lines go out again."""
    after, stopped = ended, turn.why_stopped()
    if outcome.answers.refused_us()[1] and ended.unfinished and not stopped:
        return _wait_for_operator(turn, ended, outcome)
    if not outcome.finished and _is_stall(turn, ended):
        after = _halved(turn, with_stall(ended))
        if not stopped:
            after = charge_lost_lines(turn, after, _lost(turn, ended, outcome), _no_answer(turn, after, outcome))
    if stopped or not ended.unfinished:
        after = as_done(after, _told(turn, stopped) if ended.unfinished else None)
    elif not after.done and after.stalls >= turn.services.settings.max_attempts:
        after = fail_lines(turn, after, _no_answer(turn, after, outcome))
    turn.save_answered(after)
    if after.done:
        return turn.then(Next.DONE)
    return turn.then(Next.SUBMIT, turn.retry_wait(after.stalls + 1) if len(outcome.transient) else 0)


def _wait_for_operator(turn: Turn, ended: Shard, outcome: AttemptOutcome) -> Step:
    """Send the lines again when a person may have seen to the account: they were not run, and it is no fault of theirs."""
    after = (
        ended if outcome.finished else with_attempt_members(ended, end=End.FAILED)
    )  # waits grow where nothing is done
    in_vain = list(takewhile(lambda past: past.end is End.FAILED, reversed(after.attempts)))
    code, count = outcome.answers.refused_us()
    told = "1 request was" if count == 1 else f"{count:,} requests were"
    what = f"{WANTS_OPERATOR}: of the batch {turn.provider_batch_id} {told} refused ({code})"
    since = in_vain[-1].ended_at if in_vain else None
    why = sentences(turn, what, since or turn.services.now(), "sends them again", ENDLESS, SEE_TO_ACCOUNT)
    turn.save_answered(after, why)
    return turn.then(Next.SUBMIT, turn.retry_wait(max(1, len(in_vain))))


def _told(turn: Turn, stopped: BatchError | None) -> BatchError | None:
    """Say of lines that a cancel may have lost that they may have been paid."""
    loses = turn.account.facts.after_cancel == LEAVES_NOTHING and not turn.attempt.direct
    return CANCELLED_AND_LOST if stopped == CANCELLED and loses else stopped


def _is_stall(turn: Turn, ended: Shard) -> bool:
    """Tell whether the attempt counts as a stall; a direct one, which had no provider batch, does not."""
    return not ended.attempts[-1].direct and not (_ran_out(turn, ended) and not _loses_all(turn))


def _ran_out(turn: Turn, ended: Shard) -> bool:
    attempt = ended.attempts[-1]
    return had_its_window(attempt.end, turn.services.now() - attempt.began_at, window_seconds(turn.window))


def _loses_all(turn: Turn) -> bool:
    """Tell whether an expiry leaves nothing: the same lines would run, and be paid, time after time."""
    return turn.account.facts.after_expiry == LEAVES_NOTHING


def _halved(turn: Turn, stalled: Shard) -> Shard:
    """Have half as much sent next, if all was lost because it took longer than the window."""
    if not (_loses_all(turn) and _ran_out(turn, stalled)):
        return stalled
    last = stalled.attempts[-1]
    sent = last.tokens if turn.account.facts.room == TOKENS else last.lines
    return with_members(stalled, wave=max(1, sent // 2))


def had_its_window(end: End | None, ran: float, window: int) -> bool:
    """Tell whether a provider batch ran out of time after most of its window; all times are seconds.

    An attempt that finished no line is no stall then: the provider may be slow.
    """
    return end is End.PARTIAL and ran >= WAITED_FOR * window


def _lost(turn: Turn, ended: Shard, outcome: AttemptOutcome) -> set[int]:
    """Return the ordinals of lines that may have been run, and billed, though no answer of theirs came.

    Where an expiry leaves nothing, the word that a line never ran tells nothing either.
    """
    if _loses_all(turn) and _ran_out(turn, ended):
        return {*outcome.unanswered, *outcome.unrun}
    return set(outcome.unanswered) if ended.attempts[-1].end is End.WHOLE else set()


def _no_answer(turn: Turn, shard: Shard, outcome: AttemptOutcome) -> BatchError:
    """Return the error of lines that got no answer in as many attempts as are allowed."""
    ran_out = shard.attempts[-1].end is End.PARTIAL and outcome.answers.tells(EXPIRED)
    code, most = EXPIRED if ran_out else "no_answer", turn.services.settings.max_attempts
    return BatchError(code, f"The provider gave no answer to this request in {most} attempts.")


def save_stall(turn: Turn, stalled: Shard, reason: BatchError, wait: int = 0) -> Step:
    """Save the shard with its stall: it goes out again after `wait` seconds, or its lines fail if that was the last stall."""
    if stalled.done or stalled.stalls < turn.services.settings.max_attempts:
        turn.save_answered(stalled)
        return turn.then(Next.DONE if stalled.done else Next.SUBMIT, wait)
    turn.fence()
    turn.save_answered(fail_lines(turn, stalled, reason))
    return turn.then(Next.DONE if turn.shard.done else Next.SUBMIT)


def fail_lines(turn: Turn, after: Shard, reason: BatchError) -> Shard:
    """Write the errors of the lines that were sent in vain, and return `after` without them; the turn is fenced.

    The shard is done, or goes on with the lines that were not among those.
    """
    sent = after.stalled_lines or after.unfinished
    if sent >= after.unfinished:
        return as_done(after, reason)
    lines = ShardLines.read(turn.services.bucket, after.batch_id, after.shard)
    left, rest = Unfinished.read(turn.services.bucket, after.unfinished_key, len(lines)), Unfinished.none()
    for line in left.beyond(sent):
        rest.add(*line)
    return _give_up(turn, after, lines, left.ordinals[:sent], rest, reason)


def end_lost(turn: Turn) -> Step:
    """Save that the provider does not know the attempt's batch any more: its lines go out again, or are given up."""
    shard, stopped = turn.shard, turn.why_stopped()
    logger.error("provider batch lost", batch_id=shard.batch_id, shard=shard.shard, attempt=turn.attempt.number)
    ended = with_members(
        with_attempt_members(
            shard, provider_status="lost", end=End.LOST, ended_at=turn.services.now(), lost=turn.attempt.lines,
            assumed=turn.attempt.expected,
        ), file_id=None,
    )  # fmt: skip
    if stopped:
        return turn.end(ended, _told(turn, stopped))
    reason = BatchError("no_answer", "The provider lost every batch of this request.")
    turn.fence()
    sent = Unfinished.read(turn.services.bucket, ended.unfinished_key, ended.lines).ordinals[: turn.attempt.lines]
    return save_stall(turn, charge_lost_lines(turn, with_stall(ended), set(sent), reason), reason)


def charge_lost_lines(turn: Turn, after: Shard, lost: set[int], reason: BatchError) -> Shard:
    """Count one more lost batch for each of these lines, by ordinal, write the count, and return the shard with it.

    A line may be in as many as it may have tries, and is an error then, as are the lines that all of too many stalls in a
    row sent. The turn is fenced.
    """
    if not lost:
        return after
    bucket, most = turn.services.bucket, turn.services.settings.max_attempts
    lines = ShardLines.read(bucket, after.batch_id, after.shard)
    left, rest, spent = Unfinished.read(bucket, after.unfinished_key, len(lines)), Unfinished.none(), array("I")
    in_vain = after.stalled_lines if after.stalls >= most else 0
    for at, (ordinal, tries, before) in enumerate(left.beyond(0)):
        if at < in_vain or (ordinal in lost and before + 1 >= most):
            spent.append(ordinal)
        else:
            rest.add(ordinal, tries, before + (ordinal in lost))
    if not rest:
        return as_done(after, reason)
    if spent:
        return _give_up(turn, after, lines, spent, rest, reason)
    return with_members(after, unfinished_key=_keep_rest(turn, rest))


def _keep_rest(turn: Turn, rest: Unfinished) -> str:
    """Write the lines that go on, and return the key of the list."""
    key = object_keys.attempt(*turn.shard.attempt_place, "behind.msgpack")
    turn.services.bucket.put(key, rest.pack())
    return key


def _give_up(
    turn: Turn, after: Shard, lines: ShardLines, given_up: "array[int]", rest: Unfinished, reason: BatchError
) -> Shard:
    """Write the errors of lines that are given up, and return the shard with the rest."""
    codes, count = _write_errors(turn, after, lines, given_up, reason), len(given_up)
    ended = with_attempt_members(after, failed=count, runs=turn.shard.version)
    return with_members(
        ended, unfinished=len(rest), unfinished_key=_keep_rest(turn, rest), file_id=None, codes=codes,
        failed=after.failed + count, stalls=0, stalled_lines=0,
    )  # fmt: skip


def _write_errors(
    turn: Turn, after: Shard, lines: ShardLines, ordinals: "array[int]", reason: BatchError
) -> dict[str, int]:
    """Write the last error of each line, and return the counts of errors by code."""
    codes, key = dict(after.codes), object_keys.attempt(*turn.shard.attempt_place, "errors")
    write_error_lines(turn.services.bucket, key, after, lines, ordinals, reason, codes)
    return codes
