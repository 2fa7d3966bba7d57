"""Collect the answers of an ended provider batch: give each line its outcome and name the unfinished ones."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import methodcaller
from typing import Final, overload

from batch_client import BatchClientError, Look, NotFoundError, RequestCounts
from batchyard.domain.attempt import End
from batchyard.domain.job import end_of
from batchyard.domain.outcomes import usage_of_batch, with_pictures
from batchyard.domain.policy import Reaction, after_failed_call
from batchyard.domain.shard import Shard, with_attempt_members, with_files_to_delete
from batchyard.domain.step import Next, Step
from batchyard.lines.gathered_names import giving_back, names_of
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger
from batchyard.services import Services
from batchyard.shards import failed_calls, unknown_status
from batchyard.shards.answers import Answers
from batchyard.shards.attempt_end import end_attempt, with_attempt_ended
from batchyard.shards.line_outcomes import AttemptOutcome
from batchyard.shards.pauses import LOOK, READ, sentences
from batchyard.shards.play import play
from batchyard.shards.provider_refusal import react_to_failed_batch
from batchyard.shards.turn import Turn

# Looks for answers that the provider's own counts promise: many if there are none at all, or if a file is not there that the
# provider names, as files may come late; fewer if only some answers are missing, as those seldom come.
NOTHING_TO_DO: Final = "There is nothing to do: files may come late."
PATIENCE_FOR_ALL, PATIENCE_FOR_SOME = 6, 3
# So often a file that does not come whole is read anew, before what came of it is all we get: for a day, and if nothing more
# of the shard is sent, for an hour.
PATIENCE_FOR_CONTENT, PATIENCE_AT_THE_END = 240, 60


def collect(services: Services, step: Step, seconds_left: Callable[[], float] = lambda: math.inf) -> Step:
    """Bring in what the provider answered; then the shard is done, or what is unfinished goes out again.

    All of it is the work of one invocation: raises TooSlow when `seconds_left` runs low before the answers are stored.
    """
    return play(services, step, partial(_collect, seconds_left=seconds_left))


def _collect(turn: Turn, seconds_left: Callable[[], float]) -> Step:
    if turn.provider_batch_id is None:
        return turn.then(Next.SUBMIT)
    look_first = turn.then(Next.POLL, turn.services.settings.poll_floor_seconds)
    try:
        seen = turn.account.ask(methodcaller("look", turn.provider_batch_id))
    except NotFoundError:
        return look_first  # poll knows how long to wait for it
    except BatchClientError as error:
        return failed_calls.retry_read(turn, f"{LOOK} {turn.provider_batch_id}", error)
    ended = seen if seen.ended else unknown_status.taken_as(turn, seen)
    return look_first if ended is None else _take(turn, ended, seconds_left)


class _CustomIds(Sequence[str]):
    """The names of the lines that an attempt sent, in order; each is looked up when it is asked for."""

    def __init__(self, names: Sequence[str], sent: Unfinished, count: int) -> None:
        self._names, self._ordinals = names, sent.ordinals[:count]

    def __len__(self) -> int:
        return len(self._ordinals)

    def __iter__(self) -> Iterator[str]:
        return (self._names[ordinal] for ordinal in self._ordinals)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self._names[ordinal] for ordinal in self._ordinals[at]]
        return self._names[self._ordinals[at]]


def _take(turn: Turn, seen: Look, seconds_left: Callable[[], float]) -> Step:
    """Take what an ended provider batch answered; one that did not run as a whole may have answers all the same."""
    lines = ShardLines.read(turn.services.bucket, turn.shard.batch_id, turn.shard.shard)
    sent = Unfinished.read(turn.services.bucket, turn.shard.unfinished_key, len(lines))
    asked = _CustomIds(names_of(lines, gathered=turn.batch.gathered), sent, turn.attempt.lines)
    give_back = giving_back(lines, sent.ordinals) if turn.batch.gathered else None
    with Answers(asked, seconds_left, turn.shard.endpoint, give_back) as answers:
        for name in seen.results:
            error = _read(turn, answers, name, asked)
            gone = isinstance(error, NotFoundError)
            stays_away = gone and turn.attempt.looks >= PATIENCE_FOR_ALL
            if error and not stays_away:  # of a cancelled batch, too: what has run was paid for
                noted = _with_look(turn.shard) if gone else _with_unread(turn.shard, error)
                return failed_calls.retry_read(turn, f"{READ} {name}", error, noted)
        missing = _missing(seen, answers)
        if missing and _may_look(turn.shard, answers):
            return _look_again(turn, missing)
        _note_lost(turn, _never_came(turn, seen, answers))
        if seen.problems and not answers.final():
            return react_to_failed_batch(turn, seen)
        turn.fence()
        outcome = AttemptOutcome(turn, lines, sent, answers)
        told = usage_of_batch(seen.usage)
        answers.told = told is not None
        usage = with_pictures(told, answers.usage)
        ended = with_attempt_ended(turn, outcome, seen.status, end_of(seen), usage)
        return end_attempt(turn, with_files_to_delete(ended, *seen.results), outcome)


def _missing(seen: Look, answers: Answers) -> int:
    """Count the answers that the provider counted and its files do not hold: they may not be all there yet.

    A batch that ended whole without counts has an answer to each request, as far as we know.
    """
    counts = seen.counts
    if counts is None or not counts.total:
        return answers.missing() if end_of(seen) is End.WHOLE else 0
    return min(answers.missing(), max(0, counts.completed - _shown(counts, answers)))


def _shown(counts: RequestCounts, answers: Answers) -> int:
    """Count the answers in the files that the provider may have counted as completed: of some, the status is 0."""
    return max(answers.succeeded(), answers.ran() - counts.failed)


def _never_came(turn: Turn, seen: Look, answers: Answers) -> int:
    """Count the answers that the provider ever counted as completed and that its files do not hold.

    The count may have gone down: when a batch is cancelled, a finished answer may vanish.
    """
    counts = seen.counts or RequestCounts(0, 0, 0)
    counted_before = turn.shard.completed - sum(past.succeeded for past in turn.shard.attempts)
    lost = max(counted_before, counts.completed) - _shown(counts, answers)
    return min(max(0, lost), turn.attempt.lines - answers.ran())


def _note_lost(turn: Turn, never_came: int) -> None:
    if never_came:
        logger.warning("answers never came", batch_id=turn.shard.batch_id, shard=turn.shard.shard, answers=never_came)
        turn.save(with_attempt_members(turn.shard, never_came=never_came))


def _read(turn: Turn, answers: Answers, name: str, asked: Sequence[str]) -> BatchClientError | None:
    """Read a result, and return what kept it from being read; one that is not there holds no answers if it stays away."""
    whole = turn.attempt.unread < (PATIENCE_AT_THE_END if turn.why_stopped() else PATIENCE_FOR_CONTENT)
    try:
        chunks = turn.account.ask(methodcaller("read", name, asked, turn.shard.attempt_key))
        answers.read(chunks if whole else _as_far_as_it_comes(chunks))
    except BatchClientError as error:
        return error
    return None


def _as_far_as_it_comes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except NotFoundError:
        raise
    except BatchClientError as error:
        if after_failed_call(error) is Reaction.PAUSE:
            raise
        logger.error("answers are taken as far as they come", error=type(error).__name__, status=error.status)


def _with_unread(shard: Shard, error: BatchClientError) -> Shard:
    """Count that the answers could not be read, unless that is the operator's to mend, however long it takes."""
    return with_attempt_members(
        shard, unread=shard.attempts[-1].unread + (after_failed_call(error) is not Reaction.PAUSE)
    )


def _may_look(shard: Shard, answers: Answers) -> bool:
    return shard.attempts[-1].looks < (PATIENCE_FOR_SOME if answers.succeeded() else PATIENCE_FOR_ALL)


def _with_look(shard: Shard) -> Shard:
    return with_attempt_members(shard, looks=shard.attempts[-1].looks + 1)


def _look_again(turn: Turn, missing: int) -> Step:
    answers = "1 answer is" if missing == 1 else f"{missing} answers are"
    what = (
        f"{answers} not in the provider's results yet: its batch {turn.provider_batch_id} counts what they do not hold"
    )
    how_long = f"{PATIENCE_FOR_ALL} times in all; then the lines without an answer are sent again"
    why = sentences(turn, what, turn.shard.failing_since, "looks again", how_long, NOTHING_TO_DO)
    turn.failed(_with_look(turn.shard), why)
    return turn.then(Next.COLLECT, turn.retry_wait(turn.attempt.looks))
