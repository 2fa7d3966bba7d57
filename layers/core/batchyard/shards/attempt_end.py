"""How an attempt of a shard ends: its answers are sorted into runs, and the shard is done or goes on."""

from contextlib import ExitStack

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError, Usage
from batchyard.domain.outcomes import Outcome, count_code
from batchyard.domain.shard import Attempt, Shard, Step, change, change_attempt, finish
from batchyard.domain.stopping import why_stopped
from batchyard.lines.runs import RunWriter
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.services import Services
from batchyard.shards import pauses, retries, stalls
from batchyard.shards.answers import Answers


class AttemptOutcome:
    """The answers of an attempt, written as runs in input order; what stays unfinished is listed for the next one."""

    def __init__(self, services: Services, shard: Shard, lines: ShardLines, sent: Unfinished, answers: Answers) -> None:
        self.codes: dict[str, int] = dict(shard.codes)
        self.unfinished = Unfinished.none()
        self.answers, self.runs = answers, shard.version
        self._lines, self._sent = lines, sent
        self._most_tries = services.settings.max_attempts
        self._last = why_stopped(services.batch_store.batch(shard.batch_id), shard) is not None
        place = shard.attempt_place
        with ExitStack() as open_runs:
            self.output, self.errors, self.transient = (
                open_runs.enter_context(RunWriter(services.bucket, object_keys.attempt(*place, name)))
                for name in ("output", "errors", "transient")
            )
            succeeded, others = answers.parted()
            self._keep(succeeded)
            for index in others:
                self._sort(index)
            for ordinal, tries in sent.beyond(shard.attempts[-1].lines):
                self.unfinished.add(ordinal, tries)
        self.key = object_keys.attempt(*place, "unfinished.msgpack") if self.unfinished else ""
        if self.key:
            services.bucket.put(self.key, self.unfinished.pack())

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


def with_attempt_ended(services: Services, shard: Shard, found: AttemptOutcome, status: str, usage: Usage) -> Shard:
    """Return the shard with its attempt ended by what was found; one without a provider batch is no stall."""
    latest = shard.attempts[-1]
    ended = change_attempt(
        shard, provider_status=status, ended_at=services.now(), succeeded=len(found.output), failed=len(found.errors),
        transient=len(found.transient), strays=found.answers.strays, runs=found.runs, usage=usage.most(latest.usage),
    )  # fmt: skip
    return change(
        ended, unfinished=len(found.unfinished), unfinished_key=found.key, file_id=None, codes=found.codes,
        completed=sum(attempt.succeeded for attempt in ended.attempts),
        failed=sum(attempt.failed for attempt in ended.attempts),
        stalls=0 if found.finished else shard.stalls, stalled_lines=0 if found.finished else shard.stalled_lines,
    )  # fmt: skip


def end_attempt(services: Services, shard: Shard, ended: Shard, step: Step, found: AttemptOutcome) -> Step:
    """Save what became of an attempt: the shard is done, or what is unfinished goes out again."""
    batch, after = services.batch_store.batch(shard.batch_id), ended
    if not found.finished and _is_stall(services, batch, ended.attempts[-1]):
        after = stalls.with_stall(ended)
    stopped = why_stopped(batch, shard)
    if stopped or not ended.unfinished:
        after = finish(after, stopped if ended.unfinished else None)
    elif after.stalls >= services.settings.max_attempts:
        after = stalls.fail_lines(services, shard, after, _no_answer(after))
    pauses.save_answered(services, shard, after)
    if after.done:
        return step.then("done")
    return step.then("submit", retries.wait_after(services, after.stalls + 1) if len(found.transient) else 0)


def _is_stall(services: Services, batch: Batch, attempt: Attempt) -> bool:
    ran = services.now() - (attempt.creating_at or attempt.started_at)
    return not attempt.direct and stalls.is_stall(attempt.provider_status or "", ran, batch.completion_window)


def _no_answer(shard: Shard) -> BatchError:
    code = "batch_expired" if shard.attempts[-1].provider_status == "expired" else "no_answer"
    return BatchError(code, f"The provider answered none of the last {shard.stalls} attempts at this request.")
