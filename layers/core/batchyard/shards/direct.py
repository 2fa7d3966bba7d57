"""Send the few unfinished lines of a shard one by one: its tail at the deadline, or fewer lines than a batch may have.

No line is paid twice. The record says which lines go out before they go, and each answer is stored as it comes. A line
that was sent and has no answer may have been run, so the line is not sent again: `outcome_unknown` is its outcome.

Where the provider sells flex processing at the price of a batch, a line asks for that first. A refusal costs nothing: the
client repeats a 429 some times, and then the line goes without flex, at the full price.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Final

import msgspec

from batch_client import PATIENCE, BatchClientError, HttpInfo
from batchyard.costs.usage import Usage
from batchyard.domain import object_keys
from batchyard.domain.attempt import RAN, End
from batchyard.domain.batch import window_seconds
from batchyard.domain.errors import BatchyardError, InputGone, KeyMissing, NotFound, StoreError
from batchyard.domain.outcomes import parse, usage_of
from batchyard.domain.policy import OUTCOME_UNKNOWN, Outcome, may_go_without_tier
from batchyard.domain.shard import Shard, with_attempt_members
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import FINISH, deadline
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.lines.gathered_names import giving_back, names_of
from batchyard.lines.service_tier import FLEX, is_by_flex, with_flex
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.observability import logger
from batchyard.providers.account import Account
from batchyard.providers.limits import ONLY_BY_BATCH, is_too_few
from batchyard.settings import Settings
from batchyard.shards import direct_answers, failed_calls
from batchyard.shards.answers import Answers
from batchyard.shards.attempt_end import end_attempt, with_attempt_ended
from batchyard.shards.direct_answers import LineName
from batchyard.shards.line_outcomes import AttemptOutcome
from batchyard.shards.turn import Turn

if TYPE_CHECKING:
    from array import array

AT_ONCE: Final = 8  # lines under way, which is also how many a crash can leave without an outcome
TURN: Final = 180  # seconds after which no more are sent in this invocation
LONGEST_SEND: Final = 600  # seconds; with TURN less than an invocation has, and no request of the client takes longer
# The same of flex processing, which is slow. Source: OpenAI's guide, which advises to wait for 15 minutes.
FLEX_TURN, FLEX_LONGEST_SEND, FLEX_PATIENCE = 30, 840, 720.0
NEVER_HEARD: Final = "the function that sent it died."


class _Request(msgspec.Struct):
    body: msgspec.Raw


def is_due(settings: Settings, window: str, shard: Shard) -> bool:
    """Tell whether the next attempt sends one by one: the last provider batch met its deadline, and the budget is enough.

    All unfinished lines go one by one, or none: a part would cost the full price and end the batch no earlier.
    """
    if settings.deadline_action != FINISH or shard.endpoint in ONLY_BY_BATCH or not shard.attempts:
        return False
    last = shard.attempts[-1]
    late = deadline(FINISH, last.began_at, window_seconds(window))
    left = settings.deadline_budget_requests - sum(attempt.sent for attempt in shard.attempts)
    return last.end in RAN and (last.ended_at or 0) >= late and shard.unfinished <= left


def as_direct(account: Account, shard: Shard, settings: Settings) -> Shard:
    """Return the shard whose attempt sends one by one; by flex processing where that costs no more than a batch."""
    asks = settings.deadline_service_tier == FLEX and account.prices.sells_flex(shard.model, shard.endpoint)
    return with_attempt_members(shard, direct=True, tier=FLEX if asks else None)


def send_tail(turn: Turn, lines: ShardLines) -> Step:
    """Send the lines of the attempt under way, or go on sending; lines that are not run go out in a batch after all."""
    sent = Unfinished.read(turn.services.bucket, turn.shard.unfinished_key, len(lines))
    names = names_of(lines, gathered=turn.batch.gathered)
    give_back = giving_back(lines, sent.ordinals) if turn.batch.gathered else None
    asked = (names[ordinal] for ordinal in sent.ordinals[: turn.attempt.lines])
    with Answers(asked, endpoint=turn.shard.endpoint, give_back=give_back) as answers:
        try:
            return _Tail(turn, lines, sent, answers).run()
        except KeyMissing as error:  # nothing of this handful was sent, nor written down as sent
            return failed_calls.retry_read(turn, f"POST {turn.shard.endpoint}", error)


class _Tail:
    """The lines of a direct attempt; a line is known by its index: its place among the lines of the attempt."""

    def __init__(self, turn: Turn, lines: ShardLines, unfinished: Unfinished, answers: Answers) -> None:
        self._turn, self._services, self._lines = turn, turn.services, lines
        self._unfinished, self._answers = unfinished, answers
        self._input_gone, self._flex = False, turn.attempt.tier == FLEX
        self._not_run: BatchClientError | None = None  # the last refusal of a line that was not run, in this invocation
        self._longest = FLEX_LONGEST_SEND if self._flex else LONGEST_SEND

    def run(self) -> Step:
        began, attempt = self._services.now(), self._turn.attempt
        self._answers.read(self._stored(attempt.sent))
        unheard = [index for index in range(attempt.sent) if self._answers.outcome(index) is None]
        left = (attempt.sending_at or 0) + self._longest - began
        if unheard and left > 0:
            return self._turn.then(Next.SUBMIT, left)  # another worker may be sending them
        for index in unheard:
            self._keep(index, direct_answers.unknown(self._name(index), NEVER_HEARD))
        while self._may_send():
            if self._services.now() - began >= (FLEX_TURN if self._flex else TURN):
                return self._turn.then(Next.SUBMIT, 1)
            self._send_some()
        return self._finish()

    def _stored(self, sent: int) -> Iterator[bytes]:
        for index in range(sent):
            try:
                yield self._services.bucket.get(self._key(index))
            except NotFound:
                continue  # no answer has come

    def _may_send(self) -> bool:
        """Tell whether to send more: not after a line whose outcome is unknown, for the next line's might be unknown too."""
        attempt = self._turn.attempt
        if attempt.sent >= attempt.lines or self._input_gone or any(map(self._stops, range(attempt.sent))):
            return False
        return self._turn.why_stopped() is None

    def _stops(self, index: int) -> bool:
        outcome = self._answers.outcome(index)
        refused = outcome is Outcome.REFUSED and self._answers.code(index) == OUTCOME_UNKNOWN
        return refused or outcome is Outcome.UNFINISHED

    def _send_some(self) -> None:
        attempt = self._turn.attempt
        indexes = range(attempt.sent, min(attempt.sent + AT_ONCE, attempt.lines))
        try:
            bodies = list(self._bodies(self._unfinished.ordinals[indexes.start : indexes.stop]))
        except InputGone:
            self._input_gone = True  # Submit gives these lines, and all that are left, their error
            return
        self._read_key()
        shard = self._turn.shard
        self._turn.save(with_attempt_members(shard, sent=indexes.stop, sending_at=self._services.now()))
        logger.info("sending lines one by one", batch_id=shard.batch_id, shard=shard.shard, lines=len(bodies))
        self._gather(dict(zip(indexes, bodies, strict=True)))

    def _read_key(self) -> None:
        """Read the key, if there is one, and make the client, before there are threads to share them."""
        account = self._turn.account
        if account.profile.signing is None:
            account.key()
        account.ask(lambda _: None)

    def _gather(self, bodies: dict[int, bytes]) -> None:
        unstored = {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            asked = {pool.submit(self._ask, index, body): index for index, body in bodies.items()}
            for done in as_completed(asked):
                try:
                    self._keep(asked[done], done.result())
                except StoreError as error:  # it was paid: tried once more when the others are safe
                    logger.warning("answer not stored yet", error=str(error))
                    unstored[asked[done]] = done.result()
        for index, line in unstored.items():
            self._keep(index, line)

    def _bodies(self, ordinals: "array[int]") -> Iterator[bytes]:
        source = self._lines.source or self._turn.batch.lines_in
        data, at = b"".join(ByteRanges(self._services.bucket, source, list(self._lines.ranges(ordinals)))), 0
        for ordinal in ordinals:
            size = self._lines.sizes[ordinal]
            yield bytes(msgspec.json.decode(data[at : at + size], type=_Request).body)
            at += size

    def _ask(self, index: int, body: bytes) -> bytes:
        name, by_flex = self._name(index), with_flex(body) if self._flex else None
        try:
            answer = None if by_flex is None else self._by_flex(by_flex)
            if answer is None:  # and so certainly not run
                answer = self._send(body, PATIENCE)
        except BatchClientError as error:
            logger.warning("request not answered", error=type(error).__name__, status=error.status, code=error.code)
            line = direct_answers.not_answered(name, error)
            self._not_run = error if line == direct_answers.not_run(name) else self._not_run
            return line
        except BatchyardError as error:  # a refused key could not be read anew: nothing was run
            logger.warning("request not sent", error=type(error).__name__)
            return direct_answers.not_run(name)
        return direct_answers.answered(name, answer)

    def _by_flex(self, body: bytes) -> HttpInfo[bytes] | None:
        """Ask for flex processing; None if it was refused, and there is time to go without it."""
        try:
            return self._send(body, FLEX_PATIENCE)
        except BatchClientError as error:
            left = (self._turn.attempt.sending_at or 0) + FLEX_LONGEST_SEND - self._services.now()
            if not may_go_without_tier(error) or left < LONGEST_SEND:
                raise
            logger.info("no flex processing", status=error.status, code=error.code, tries=error.attempts)
            return None

    def _send(self, body: bytes, patience: float) -> HttpInfo[bytes]:
        return self._turn.account.ask(lambda provider: provider.send(self._turn.shard.endpoint, body, patience))

    def _keep(self, index: int, line: bytes) -> None:
        self._services.bucket.put(self._key(index), line)
        self._answers.read([line])

    def _finish(self) -> Step:
        self._turn.save(self._with_flex_counted())  # a fence, too
        outcome = AttemptOutcome(self._turn, self._lines, self._unfinished, self._answers)
        ended = with_attempt_ended(self._turn, outcome, End.DIRECT, End.DIRECT, self._answers.usage)
        few = is_too_few(self._turn.account.facts, ended.endpoint, self._turn.attempt.lines)
        if self._not_run and not outcome.finished and not self._input_gone and few:
            # No batch comes after these, whose refusal would tell what is wrong, and wait.
            return failed_calls.retry_create(self._turn, f"POST {ended.endpoint}", self._not_run, ended)
        return end_attempt(self._turn, ended, outcome)

    def _with_flex_counted(self) -> Shard:
        """Return the shard with the tokens of the answers that say that they came by flex processing: these cost less."""
        succeeded, _ = self._answers.parted()
        lines = [line for line in map(self._answers.line, succeeded) if is_by_flex(line)]
        used = [usage_of(answer) for line in lines if (answer := parse(line)) is not None]
        told = {"by_flex": len(lines), "flex_usage": sum(used, Usage())} if lines else {}
        return with_attempt_members(self._turn.shard, **told)

    def _name(self, index: int) -> LineName:
        ordinal = self._unfinished.ordinals[index]
        names = names_of(self._lines, gathered=self._turn.batch.gathered)
        return LineName(self._turn.shard.batch_id, self._lines.positions[ordinal], names[ordinal])

    def _key(self, index: int) -> str:
        shard, number = self._turn.shard, self._turn.attempt.number
        return object_keys.attempt(shard.batch_id, shard.shard, number, 0, f"direct-{index:05}.json")
