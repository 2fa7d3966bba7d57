"""Submit what is unfinished of a shard as a new provider batch, at most once."""

from typing import TYPE_CHECKING, Final

from batch_client import BatchClientError, Job, Look, OutcomeUnknown
from batchyard.budgets import spending
from batchyard.budgets.warnings import warn
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.job import job_of
from batchyard.domain.shard import Shard, as_done, is_full, with_attempt_members, with_members, with_new_attempt
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import cost_limit_reached
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.gathered_names import NamedRequests
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.providers.limits import is_too_few
from batchyard.services import Services
from batchyard.shards import create_room, failed_calls, lost_create, provider_files, token_room
from batchyard.shards.direct import as_direct, is_due, send_tail
from batchyard.shards.pauses import CREATE, LIST, LOOK, LOOK_AT_INPUT, UPLOAD
from batchyard.shards.play import play
from batchyard.shards.provider_refusal import react_to_refused_create
from batchyard.shards.turn import Turn

if TYPE_CHECKING:
    from array import array

    from batch_client import Source

TOO_MANY_ATTEMPTS: Final = BatchError(
    "too_many_attempts",
    "Its shard was sent so often that its record is full. Send the rest as a new batch, with fewer requests per shard.",
)


def submit(services: Services, step: Step) -> Step:
    """Bring the shard's current attempt to a provider batch, starting an attempt if none is under way.

    What is known of the attempt is recorded before and after each effect: a second run goes on where one stopped.
    """
    return play(services, step, _submit)


def _submit(turn: Turn) -> Step:
    if (rest := turn.shard.rest_until - turn.services.now()) > 0:
        return turn.then(Next.SUBMIT, rest)
    return _Submission(turn).run()


class _Submission:
    """The way of one attempt to its provider batch."""

    def __init__(self, turn: Turn) -> None:
        self._turn, self._services = turn, turn.services
        self._lines = ShardLines.read(turn.services.bucket, turn.shard.batch_id, turn.shard.shard)
        self._call = UPLOAD  # the call under way, for the words about its failure

    def run(self) -> Step:
        turn = self._turn
        if turn.shard.attempt is None:
            due = is_due(self._services.settings, turn.window, turn.shard)
            direct = due or is_too_few(turn.account.facts, turn.shard.endpoint, turn.shard.unfinished)
            if reason := turn.why_stopped() or self._why_no_attempt(direct=direct):
                return self._stop(reason)
            turn.save(self._begun(direct=direct))
        if turn.attempt.direct:
            return send_tail(turn, self._lines)
        if turn.attempt.provider_batch_id is not None:
            return turn.then(Next.POLL, self._services.settings.poll_floor_seconds)
        if turn.attempt.creating_at is not None:
            return self._take_up(turn.attempt.creating_at)
        return self._send()

    def _why_no_attempt(self, *, direct: bool) -> BatchError | None:
        """Tell why no further attempt is begun; the other shards are read only where the batch has a limit of cost."""
        batch, shard = self._turn.batch, self._turn.shard
        if is_full(shard):
            return TOO_MANY_ATTEMPTS
        others = self._services.batch_store.shards(batch.batch_id) if batch.max_cost_usd else []
        held = self._why_held(shard.unfinished, direct=True) if direct else None
        return held or cost_limit_reached(batch, others, shard)

    def _begun(self, *, direct: bool) -> Shard:
        """Return the shard with a new attempt. A direct one counts against the budget from now on."""
        begun = with_new_attempt(self._turn.shard, self._services.now())
        return self._as_direct(begun) if direct else begun

    def _as_direct(self, shard: Shard) -> Shard:
        estimate = self._estimate(shard.attempts[-1].lines, direct=True)
        return with_attempt_members(as_direct(self._turn.account, shard, self._services.settings), estimate=estimate)

    def _estimate(self, lines: int, *, direct: bool = False) -> int:
        return spending.estimate(self._services, self._turn.batch, self._turn.shard, lines, direct=direct)

    def _why_held(self, lines: int, *, direct: bool = False) -> BatchError | None:
        """Tell why the month's budget lets lines not be sent, and warn the tenant as far as the budget is spent."""
        batch = self._turn.batch
        month = spending.this_month(self._services, batch.tenant)
        held = spending.why_held(month, self._estimate(lines, direct=direct)) if month else None
        warn(self._services, batch.tenant, month, self._turn.shard.attempt_key)
        return held

    def _take_up(self, creating_at: int) -> Step:
        """Adopt what came of a create whose answer we do not have, or create again if nothing did."""
        turn = self._turn
        try:
            made = lost_create.named(turn, creating_at) or lost_create.find(turn, creating_at)
        except BatchClientError as error:  # this refusal says nothing about the batch we look for: it may exist
            return self._ask_a_person(creating_at, error)
        if made is not None:
            return self._adopt(made)
        return lost_create.look_later(turn, creating_at) or self._send()

    def _ask_a_person(self, creating_at: int, error: BatchClientError) -> Step:
        """Wait for a list of batches, or for the word of a person who has looked; create again if there was no batch."""
        turn = self._turn
        why = lost_create.why_unknown(turn, creating_at, error)
        if why is None:
            call = f"{LOOK} {turn.attempt.said}" if turn.attempt.said else LIST
            return failed_calls.retry_read(turn, call, error)
        if turn.attempt.said != lost_create.NONE:
            unlisted = with_attempt_members(turn.shard, unlisted=True)
            return failed_calls.retry_read(turn, LIST, error, unlisted, why)
        if left := lost_create.seconds_until_certain(turn.attempt, creating_at, turn.services.now()):
            return turn.then(Next.SUBMIT, left)
        turn.save_answered(lost_create.without_create(turn.shard))
        return self._send()

    def _send(self) -> Step:
        turn = self._turn
        if reason := turn.why_stopped():
            return self._stop(reason)
        unfinished = Unfinished.read(self._services.bucket, turn.shard.unfinished_key, len(self._lines)).ordinals
        if wait := token_room.reserve(turn, [self._lines.sizes[ordinal] for ordinal in unfinished]):
            return turn.then(Next.SUBMIT, wait)
        few = is_too_few(turn.account.facts, turn.shard.endpoint, turn.attempt.lines)
        if few and turn.attempt.creating_at is None:
            return self._send_few()
        try:
            with create_room.slot(turn) as wait:
                return self._wait(wait) if wait else self._upload_and_create(unfinished)
        except OutcomeUnknown as error:
            if turn.attempt.creating_at is not None:
                turn.save(with_attempt_members(turn.shard, lost_at=self._services.now()))
            return failed_calls.retry_create(turn, self._call, error)
        except BatchClientError as error:
            return react_to_refused_create(turn, self._call, error)

    def _send_few(self) -> Step:
        """Send one by one what fits into a batch, as the service takes none of so few; the lines behind go later."""
        turn = self._turn
        if reason := self._why_held(turn.attempt.lines, direct=True):
            return self._stop(reason)
        turn.save(self._as_direct(with_members(turn.shard, file_id=None)))
        token_room.release(self._services, turn.shard, ended=True)
        return send_tail(turn, self._lines)

    def _upload_and_create(self, unfinished: "array[int]") -> Step:
        turn, ordinals = self._turn, unfinished[: self._turn.attempt.lines]
        if turn.shard.file_pending_since and (wait := self._upload(ordinals)):
            return self._wait(wait)
        if reason := self._why_held(turn.attempt.lines):  # many records: not read at each look at a pending file
            return self._stop(reason)
        if wait := self._upload(ordinals):
            return self._wait(wait)
        if reason := turn.why_stopped():
            return self._stop(reason)
        if not turn.batch.budgeted and (wait := create_room.count_create(turn)):
            return self._wait(wait)
        self._begin_create()
        if turn.batch.budgeted and (wait := self._wait_of_budgeted()):
            turn.save(lost_create.without_create(turn.shard))
            return self._wait(wait)
        return self._adopt(self._create(ordinals))

    def _wait_of_budgeted(self) -> int:
        """Answer the seconds to wait if others were about to spend the same dollars at this moment, or the hour is full.

        The creation is counted last: what is withdrawn must take no room from other tenants.
        """
        month = spending.this_month(self._services, self._turn.batch.tenant) if self._turn.attempt.estimate else None
        crowded = month is not None and month.spent > month.budget
        return self._turn.retry_wait(1) if crowded else create_room.count_create(self._turn)

    def _wait(self, seconds: int) -> Step:
        """Wait with what is uploaded, but without tokens: others may use the room meanwhile."""
        token_room.release(self._services, self._turn.shard, ended=False)
        return self._turn.then(Next.SUBMIT, seconds)

    def _upload(self, ordinals: "array[int]") -> int:
        """Upload the lines, unless a file holds them; answer the seconds to wait while the provider processes the file."""
        turn, shard = self._turn, self._turn.shard
        if shard.file_id is not None and not provider_files.is_old(turn):
            self._call = f"{LOOK_AT_INPUT} {shard.file_id}"
            return provider_files.wait_for(turn, shard.file_id) if shard.file_pending_since else 0
        job, body = self._job(), self._body(ordinals)
        file = self._turn.account.ask(lambda dialect: dialect.prepare(job, body))
        if file is None:  # the lines go with the create
            return 0
        now = turn.services.now()
        pending_since = now if file.pending else 0
        turn.save(with_members(shard, file_id=file.id, file_since=now, file_pending_since=pending_since))
        return provider_files.wait(turn, file)

    def _begin_create(self) -> None:
        """Record that a create is on its way; from now on its lines count against the budget."""
        shard, now = lost_create.without_create(self._turn.shard), self._services.now()
        estimate = self._estimate(shard.attempts[-1].lines)
        self._turn.save(with_attempt_members(shard, creating_at=now, estimate=estimate))

    def _create(self, ordinals: "array[int]") -> Look:
        job, body, self._call = self._job(), self._body(ordinals), CREATE
        return self._turn.account.ask(lambda dialect: dialect.submit(job, body))

    def _job(self) -> Job:
        return job_of(self._turn.shard, self._turn.window, self._services.settings.stack)

    def _body(self, ordinals: "array[int]") -> "Source":
        source = self._lines.source or self._turn.batch.lines_in
        lines = ByteRanges(self._services.bucket, source, list(self._lines.ranges(ordinals)))
        if not self._turn.batch.gathered:
            return lines
        return NamedRequests(lines, [self._lines.positions[ordinal] for ordinal in ordinals])

    def _adopt(self, made: Look) -> Step:
        turn = self._turn
        file_id = made.input or turn.shard.file_id
        known = with_attempt_members(turn.shard, provider_batch_id=made.id, file_id=file_id)
        self._services.batch_store.link(turn.account.name, made.id, turn.shard)
        try:
            turn.save_answered(known)
        except StaleRecord:
            self._disown(made)
            raise
        return turn.then(Next.POLL, token_room.first_poll(self._services, turn.shard))

    def _disown(self, made: Look) -> None:
        """Cancel a provider batch that another worker's has overtaken: nobody would collect it."""
        now = self._services.batch_store.shard(self._turn.shard.batch_id, self._turn.shard.shard)
        if now is None or all(attempt.provider_batch_id != made.id for attempt in now.attempts):
            self._turn.account.ask(lambda dialect: dialect.stop(made.id))

    def _stop(self, reason: BatchError) -> Step:
        self._turn.save(as_done(self._turn.shard, reason))
        return self._turn.then(Next.DONE)
