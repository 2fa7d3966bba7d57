"""The outcome of each line of an attempt: final, sent again at a try (429, 5xx, …), or unfinished (expired, cancelled).

The room `acceptance` is imported where a batch asks for it: few do, and every cold start would pay for it.
"""

from __future__ import annotations

from array import array
from contextlib import ExitStack
from itertools import repeat
from typing import TYPE_CHECKING

from batchyard.domain import object_keys
from batchyard.domain.errors import NotFound
from batchyard.domain.outcomes import NOT_ACCEPTED, count_code
from batchyard.domain.policy import Outcome
from batchyard.lines.blocks import blocks
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.runs import RunWriter
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchyard.acceptance.rules import Accept
    from batchyard.lines.shard_lines import ShardLines
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
        self._unusable: dict[str, int] = {}
        #: The ordinals of lines that were sent and have no answer at all, and of those whose answer says that they never ran.
        self.unanswered, self.unrun = array("I"), array("I")
        self._most_tries = turn.services.settings.max_attempts
        self._last = turn.why_stopped() is not None
        with ExitStack() as open_runs:
            self.output, self.errors, self.transient = (
                open_runs.enter_context(RunWriter(bucket, object_keys.attempt(*shard.attempt_place, name)))
                for name in ("output", "errors", "transient")
            )
            self._rejected = self._not_accepted(turn)
            succeeded, others = answers.parted()
            self._keep(succeeded)
            for index in others:
                self._place_line(index)
            for line in sent.beyond(turn.attempt.lines):
                self.unfinished.add(*line)
        self.key = object_keys.attempt(*shard.attempt_place, "unfinished.msgpack") if self.unfinished else ""
        if self.key:
            bucket.put(self.key, self.unfinished.pack())

    @property
    def finished(self) -> int:
        """Count the lines that have their outcome."""
        return len(self.output) + len(self.errors)

    @property
    def not_accepted(self) -> int:
        """Count the answers with success that are not accepted."""
        return len(self._rejected)

    def _not_accepted(self, turn: Turn) -> dict[int, str]:
        """Say of each success that is not accepted why; from now on it counts as transient."""
        if not turn.batch.accept:
            return {}
        from batchyard.acceptance import rules, verdict

        accept, found = rules.read(turn.batch.accept), {}
        succeeded = self.answers.parted()[0] if accept.on else []
        read = verdict.reads_requests(accept, self._lines.endpoint)
        requests = self._requests(turn, succeeded) if read else repeat(b"")
        for index in succeeded:
            why = self._why_not(accept, index, next(requests))
            if why is not None:
                found[index] = why
                self.answers.reject(index, NOT_ACCEPTED)
        if self._unusable:
            logger.warning("schemas cannot be followed", batch_id=turn.shard.batch_id, answers=self._unusable)
        return found

    def _why_not(self, accept: Accept, index: int, request: bytes) -> str | None:
        from batchyard.acceptance import schemas, verdict

        line = self.answers.line(index)
        try:
            return verdict.why_not(accept, self._lines.endpoint, line, request)
        except schemas.Unusable as error:  # another answer would fit it no better, and would be paid
            count_code(self._unusable, str(error))
            return verdict.why_not(accept, self._lines.endpoint, line)

    def _requests(self, turn: Turn, indexes: list[int]) -> Iterator[bytes]:
        """Yield each of these requests, read from the input; nothing for all the rest if that is gone."""
        source = self._lines.source or turn.batch.lines_in
        ordinals = array("I", (self._sent.ordinals[index] for index in indexes))
        whole = ByteRanges(turn.services.bucket, source, list(self._lines.ranges(ordinals)))
        try:
            for block in blocks(whole, sum(self._lines.sizes)):
                yield from block.lines
        except NotFound as error:  # the answers are paid: they stand as if their requests said nothing
            logger.warning("input gone, requests not followed", batch_id=turn.shard.batch_id, error=str(error))
            yield from repeat(b"")

    def _line(self, index: int) -> bytes:
        line, why = self.answers.line(index), self._rejected.get(index)
        if why is None:
            return line
        from batchyard.acceptance.verdict import error_line

        return error_line(line, why)

    def _keep(self, succeeded: list[int]) -> None:
        positions = [self._lines.positions[self._sent.ordinals[index]] for index in succeeded]
        for sizes, data in self.answers.lines(succeeded):
            self.output.write_lines(positions[len(self.output) : len(self.output) + len(sizes)], sizes, data)

    def _place_line(self, index: int) -> None:
        ordinal, tries, lost = self._sent.ordinals[index], self._sent.tries[index], self._sent.lost[index]
        position = self._lines.positions[ordinal]
        match self.answers.outcome(index):
            case Outcome.TRANSIENT if tries + 1 < self._most_tries and not self._last:
                self.transient.write(position, self._line(index))
                self.unfinished.add(ordinal, tries + 1, lost)
            case Outcome.TRANSIENT | Outcome.REFUSED:
                self.errors.write(position, self._line(index))
                count_code(self.codes, self.answers.code(index))
            case told:
                self.unfinished.add(ordinal, tries, lost)
                (self.unanswered if told is None else self.unrun).append(ordinal)
