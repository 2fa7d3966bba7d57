"""How an attempt of a shard ends: its answers are sorted into runs, and the shard is done or goes on."""

from contextlib import ExitStack

from batchyard.domain import object_keys
from batchyard.domain.batch import Usage, window_seconds
from batchyard.domain.outcomes import count_code
from batchyard.domain.policy import Outcome
from batchyard.domain.shard import Shard, as_done, change, change_attempt, with_stall
from batchyard.domain.step import Next, Step
from batchyard.lines.runs import RunWriter
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.shards import expired, stalls
from batchyard.shards.answers import Answers
from batchyard.shards.turn import Turn


class AttemptOutcome:
    """The answers of an attempt, written as runs in input order; the lines that stay unfinished are listed for the next."""

    def __init__(self, turn: Turn, lines: ShardLines, sent: Unfinished, answers: Answers) -> None:
        """Write the runs; the turn is fenced."""
        bucket, shard = turn.services.bucket, turn.shard
        self.codes: dict[str, int] = dict(shard.codes)
        self.unfinished = Unfinished.none()
        self.answers, self.runs = answers, shard.version
        self._lines, self._sent = lines, sent
        self._most_tries = turn.services.settings.max_attempts
        self._last = turn.why_stopped() is not None
        with ExitStack() as open_runs:
            self.output, self.errors, self.transient = (
                open_runs.enter_context(RunWriter(bucket, object_keys.attempt(*shard.attempt_place, name)))
                for name in ("output", "errors", "transient")
            )
            succeeded, others = answers.parted()
            self._keep(succeeded)
            for index in others:
                self._sort(index)
            for ordinal, tries in sent.beyond(turn.attempt.lines):
                self.unfinished.add(ordinal, tries)
        self.key = object_keys.attempt(*shard.attempt_place, "unfinished.msgpack") if self.unfinished else ""
        if self.key:
            bucket.put(self.key, self.unfinished.pack())

    @property
    def finished(self) -> int:
        """Count the lines that have their outcome."""
        return len(self.output) + len(self.errors)

    def _keep(self, succeeded: list[int]) -> None:
        positions = [self._lines.positions[self._sent.ordinals[index]] for index in succeeded]
        for sizes, data in self.answers.lines(succeeded):
            self.output.write_lines(positions[len(self.output) : len(self.output) + len(sizes)], sizes, data)

    def _sort(self, index: int) -> None:
        ordinal, tries = self._sent.ordinals[index], self._sent.tries[index]
        position = self._lines.positions[ordinal]
        match self.answers.outcome(index):
            case Outcome.TRANSIENT if tries + 1 < self._most_tries and not self._last:
                self.transient.write(position, self.answers.line(index))
                self.unfinished.add(ordinal, tries + 1)
            case Outcome.TRANSIENT | Outcome.REFUSED:
                self.errors.write(position, self.answers.line(index))
                count_code(self.codes, self.answers.code(index))
            case _:
                self.unfinished.add(ordinal, tries)


def with_attempt_ended(turn: Turn, outcome: AttemptOutcome, status: str, usage: Usage) -> Shard:
    """Return the shard with its attempt ended by this outcome."""
    shard = turn.shard
    ended = change_attempt(
        shard, provider_status=status, ended_at=turn.services.now(), succeeded=len(outcome.output),
        failed=len(outcome.errors), transient=len(outcome.transient), strays=outcome.answers.strays, runs=outcome.runs,
        mended=outcome.answers.mended, empty=outcome.answers.empty, usage=usage.most(turn.attempt.usage),
    )  # fmt: skip
    return change(
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
        after = stalls.fail_lines(turn, after, expired.no_answer(after))
    turn.answered(after)
    if after.done:
        return turn.then(Next.DONE)
    return turn.then(Next.SUBMIT, turn.retry_wait(after.stalls + 1) if len(outcome.transient) else 0)


def _is_stall(turn: Turn, ended: Shard) -> bool:
    """Tell whether the attempt counts as a stall; a direct one, which had no provider batch, does not."""
    attempt, window = ended.attempts[-1], window_seconds(turn.batch.completion_window)
    ran = turn.services.now() - attempt.began_at
    return not attempt.direct and not expired.had_its_window(attempt.provider_status or "", ran, window)
