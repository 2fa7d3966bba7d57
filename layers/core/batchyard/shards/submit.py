"""Submit what is unfinished of a shard as a new provider batch, at most once."""

from typing import TYPE_CHECKING, Final

from batch_client import Batch as ProviderBatch
from batch_client import BatchClientError, OutcomeUnknown
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.shard import (
    ATTEMPT_KEY,
    CLOCK_SKEW,
    STACK_KEY,
    Attempt,
    Shard,
    Step,
    begin_attempt,
    change,
    change_attempt,
    finish,
    is_full,
)
from batchyard.domain.stopping import why_stopped
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.services import Services
from batchyard.shards import pauses, retries, token_room
from batchyard.shards.continue_as_new import clear_continues, continue_as_new, turns_used_up
from batchyard.shards.direct import begin_direct, is_due, send_tail
from batchyard.shards.provider_failure import after_refused_create
from batchyard.shards.turn import open_shard

if TYPE_CHECKING:
    from array import array

LISTED_WITHIN, LOOKS = 20, 3  # a batch just created may not be listed at once, nor by each of a service's replicas
BETWEEN_LOOKS: Final = 10
QUICKLY: Final = 15  # seconds; an answer that was lost later may belong to a create that is still under way
TOO_MANY_ATTEMPTS: Final = BatchError(
    "too_many_attempts",
    "Its shard was sent so often that its record is full. Send the rest as a new batch, with fewer requests per shard.",
)
LONGEST_CREATE: Final = 120  # a worker that was killed may have a create on its way for so long; see Services.provider


def submit(services: Services, step: Step) -> Step:
    """Bring the shard's current attempt to a provider batch, starting an attempt if none is under way.

    What is known of the attempt is recorded before and after each effect: a second run goes on where one stopped.
    """
    batch = services.batch_store.batch(step.batch_id)
    shard = services.batch_store.shard(step.batch_id, step.shard) or open_shard(services, batch, step.shard)
    if shard.attempt is None or shard.done:  # if the last step was cut off before it gave the room back
        token_room.release_ended(services, step.batch_id, step.shard)
    if shard.done:
        return step.then("done")
    if turns_used_up(shard, step):
        return continue_as_new(services, shard, step)
    if (
        shard.continues and step.turns and batch.drain_reason is None
    ):  # no fresh execution, which alone may take off the mark
        return step.then("continue")
    shard = clear_continues(services, shard)
    if (rest := shard.rest_until - services.now()) > 0:
        return step.then("submit", rest)
    return _Submission(services, batch, shard, step).run()


class _Submission:
    """One run of the step; `shard` is always as this run last saw or wrote it."""

    def __init__(self, services: Services, batch: Batch, shard: Shard, step: Step) -> None:
        self._services, self._batch, self._shard, self._step = services, batch, shard, step
        self._lines = ShardLines.read(services.bucket, shard.batch_id, shard.shard)

    def run(self) -> Step:
        if self._shard.attempt is None:
            if reason := self._stopping():
                return self._stop(reason)
            if is_full(self._shard):
                return self._stop(TOO_MANY_ATTEMPTS)
            begin = begin_direct if is_due(self._services, self._batch, self._shard) else begin_attempt
            self._save(begin(self._shard, self._services.now()))
        attempt = self._shard.attempts[-1]
        if attempt.direct:
            return send_tail(self._services, self._shard, self._lines, self._batch, self._step)
        if attempt.provider_batch_id is not None:
            return self._step.then("poll", self._services.settings.poll_floor_seconds)
        if attempt.creating_at is not None:
            return self._look_up(attempt, attempt.creating_at)
        return self._send()

    def _look_up(self, attempt: Attempt, creating_at: int) -> Step:
        """Find out what became of a create whose answer we do not have."""
        since = creating_at - CLOCK_SKEW
        shard, known = self._shard, {each.provider_batch_id or "" for each in self._shard.attempts}
        try:
            made = self._services.ask(
                lambda provider: provider.find_batch(
                    ATTEMPT_KEY, shard.attempt_key, since, input_file_id=shard.file_id, but=known
                )
            )
        except BatchClientError as error:  # this refusal says nothing about the batch we look for: it may exist
            following = retries.after_read(self._services, self._shard, self._shard, self._step, error)
            if following.next == "done":
                token_room.release_ended(self._services, self._shard.batch_id, self._shard.shard)
            return following
        if made is not None:
            return self._adopt(made)
        left = _certain_at(creating_at, attempt.lost_at) - self._services.now()
        if left <= 0 and attempt.lookups + 1 >= LOOKS:
            return self._send()
        self._save(change_attempt(self._shard, lookups=attempt.lookups + 1))
        return self._step.then("submit", min(left, BETWEEN_LOOKS) if left > 0 else BETWEEN_LOOKS)

    def _send(self) -> Step:
        if reason := self._stopping():
            return self._stop(reason)
        unfinished = Unfinished.read(self._services.bucket, self._shard.unfinished_key, len(self._lines)).ordinals
        sizes = [self._lines.sizes[ordinal] for ordinal in unfinished]
        self._shard, wait = token_room.reserve(self._services, self._shard, sizes)
        if wait:
            return self._step.then("submit", wait)
        try:
            self._upload(unfinished[: self._shard.attempts[-1].lines])
            if reason := self._stopping():
                return self._stop(reason)
            if wait := token_room.may_create(self._services, self._shard):
                return self._step.then("submit", wait)
            self._save(change_attempt(self._shard, creating_at=self._services.now(), lost_at=None, lookups=0))
            return self._adopt(self._create())
        except OutcomeUnknown as error:
            lost = change_attempt(self._shard, lost_at=self._services.now()) if _creating(self._shard) else self._shard
            return retries.after_create(self._services, self._save(lost), self._step, error)
        except BatchClientError as error:
            return after_refused_create(self._services, self._shard, self._step, error)

    def _upload(self, ordinals: "array[int]") -> None:
        if self._shard.file_id is None:
            source = self._lines.source or self._batch.source or self._batch.input
            upload = ByteRanges(self._services.bucket, source, list(self._lines.ranges(ordinals)))
            place = self._shard.batch_id, self._shard.shard, self._shard.attempts[-1].number
            name = object_keys.provider_filename(*place, self._services.settings.stack)
            file = self._services.ask(lambda provider: provider.create_file(upload, name))
            self._save(change(self._shard, file_id=file.id))

    def _create(self) -> ProviderBatch:
        shard, window = self._shard, self._batch.completion_window
        return self._services.ask(lambda provider: provider.create_batch(
            input_file_id=shard.file_id or "", endpoint=shard.endpoint, completion_window=window,
            metadata={
                ATTEMPT_KEY: shard.attempt_key, "batchyard_batch": shard.batch_id, STACK_KEY: self._services.settings.stack,
            },
        ))  # fmt: skip

    def _adopt(self, made: ProviderBatch) -> Step:
        file_id = made.input_file_id or self._shard.file_id
        known = change_attempt(self._shard, provider_batch_id=made.id, file_id=file_id)
        self._services.batch_store.link(made.id, self._shard)
        try:
            pauses.save_answered(self._services, self._shard, known)
        except StaleRecord:
            self._disown(made)
            raise
        return self._step.then("poll", self._services.settings.poll_floor_seconds)

    def _disown(self, made: ProviderBatch) -> None:
        """Cancel a provider batch that another worker's has overtaken: nobody would collect it."""
        now = self._services.batch_store.shard(self._shard.batch_id, self._shard.shard)
        if now is None or all(attempt.provider_batch_id != made.id for attempt in now.attempts):
            self._services.ask(lambda provider: provider.cancel_batch(made.id))

    def _stopping(self) -> BatchError | None:
        return why_stopped(self._services.batch_store.batch(self._batch.batch_id), self._shard)

    def _stop(self, reason: BatchError) -> Step:
        self._save(finish(self._shard, reason))
        token_room.release_ended(self._services, self._shard.batch_id, self._shard.shard)
        return self._step.then("done")

    def _save(self, after: Shard) -> Shard:
        self._shard = self._services.batch_store.save_shard(self._shard, after)
        return self._shard


def _certain_at(creating_at: int, lost_at: int | None) -> int:
    """Tell when a batch that is not listed was not made: soon, if the answer was cut off at once; else it may be slow."""
    if lost_at is not None and lost_at - creating_at < QUICKLY:
        return lost_at + LISTED_WITHIN
    return max(creating_at + LONGEST_CREATE, (lost_at or 0) + LISTED_WITHIN)


def _creating(shard: Shard) -> bool:
    return shard.attempts[-1].creating_at is not None
