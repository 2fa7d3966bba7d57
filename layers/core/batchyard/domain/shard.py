"""A shard and its attempts, as recorded."""

from collections.abc import Iterator
from itertools import accumulate, takewhile
from typing import Final, NamedTuple

import msgspec

from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain import object_keys
from batchyard.domain.attempt import Attempt, End
from batchyard.domain.batch import BatchError

WAITING, DONE = "waiting", "done"
KEPT_ATTEMPTS: Final = 100
MOST_FILES_TO_DELETE: Final = 300  # a provider that deletes no file must not fill the record
MOST_BYTES_OF_FILES: Final = 50_000  # of their ids; real ids are far shorter
MOST_POINTS: Final = 100  # of the progress; a point takes some thirty bytes of the record
POINT: Final = 3  # numbers of a point
MOST_BYTES: Final = 300_000  # of the attempts as JSON; a record of DynamoDB holds 400 KB


class Ranges(msgspec.Struct, frozen=True):
    """Where in the input the lines of a shard lie, as byte ranges `[start, stop)`."""

    first: tuple[int, int]
    last: tuple[int, int]
    #: How many ranges there are.
    count: int


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """The record `BATCH#<id>` / `SHARD#<n>`."""

    batch_id: str
    shard: int
    expires_at_ttl: int
    endpoint: str
    model: str
    #: The name of the provider that answers it; "" is the first one of the stack.
    provider: str = ""
    lines: int
    #: Position of the first line and of the last line.
    first: int
    last: int
    #: Lines without a final outcome.
    unfinished: int
    #: The key of the list of unfinished lines; "" means all lines.
    unfinished_key: str = ""
    #: A file at the provider that holds the first `file_lines` of the unfinished lines (0: all of them).
    file_id: str | None = None
    file_lines: int = 0
    #: Since when the provider processes this file; 0: no more than is known, the file is ready.
    file_pending_since: int = 0
    #: When it was uploaded; 0 in a record from before this was kept.
    file_since: int = 0
    #: The most of the next attempt (0: no bound): tokens, by our estimate, or lines where tokens fill nothing up.
    wave: int = 0
    #: The size of the smallest file of it that the provider refused as too large; 0: none.
    too_large_bytes: int = 0
    #: Files at the provider that nobody needs any more.
    files_to_delete: list[str] = []
    #: Rises with every write, so that a worker that was overtaken can write no more.
    version: int = 0
    status: str = WAITING
    attempts: list[Attempt] = []
    #: Lines with a final outcome. Until the attempt under way is collected, the provider's own count stands for its lines.
    completed: int = 0
    failed: int = 0
    #: Failed lines, by the code of their error.
    codes: dict[str, int] = {}
    #: Calls to the provider that failed since the last call that worked.
    failures_in_a_row: int = 0
    #: When the first of them failed, in Unix seconds.
    failing_since: int = 0
    #: Attempts in a row that finished no line.
    stalls: int = 0
    #: Each of these attempts sent at least this many of the first unfinished lines.
    stalled_lines: int = 0
    #: The outcome of the lines that are unfinished when the shard is done. Once it is set, nothing more is sent.
    reason: BatchError | None = None
    #: Why the shard is paused, in words for people; None while it is not.
    paused: str | None = None
    #: What it waits for while it waits its turn, in words for people: nothing has failed.
    waits: str | None = None
    #: Executions in which a step died at every try.
    dead_executions: int = 0
    #: The one of them that was counted last: it is counted once, though it may be told twice.
    dead_run: str = ""
    #: When the next execution may begin, in Unix seconds.
    rest_until: int = 0
    #: Whether the bus was told that the shard is done.
    told_done: bool = False
    #: Where the lines lie in the input.
    ranges: Ranges | None = None
    #: The number of the first line and of the last line; 0 in a record from before these were kept.
    first_number: int = 0
    last_number: int = 0
    #: When so many lines were completed and failed: three numbers a point, at most `MOST_POINTS` of them.
    progress: list[int] = []

    @property
    def done(self) -> bool:
        """Tell whether every line has its outcome, or gets it from `reason`."""
        return self.status == DONE

    @property
    def why_waiting(self) -> str | None:
        """Say what the shard waits for, be it a pause or its turn; None while it does not wait."""
        return self.paused or self.waits

    @property
    def draining(self) -> bool:
        """Tell whether nothing more is sent; the shard is done once its last attempt is collected."""
        return self.reason is not None and not self.done

    @property
    def attempt(self) -> Attempt | None:
        """Return the attempt under way, if there is one."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].ended_at is None else None

    @property
    def usage(self) -> Usage:
        """Sum the tokens of all attempts, the attempt under way included."""
        return sum((attempt.usage for attempt in self.attempts if attempt.usage), Usage())

    @property
    def cost(self) -> Cost:
        """Sum what the tokens of all attempts cost."""
        return sum((attempt.cost for attempt in self.attempts if attempt.cost), Cost())

    @property
    def at_provider(self) -> bool:
        """Tell whether the attempt under way has a provider batch."""
        return self.attempt is not None and self.attempt.provider_batch_id is not None

    @property
    def may_be_paid(self) -> bool:
        """Tell whether the attempt under way may have answers that are not collected."""
        return self.attempt is not None and self.attempt.may_be_paid

    @property
    def expected(self) -> int:
        """Return what is known by its estimate alone, in parts of 1 / PER_DOLLAR dollars: it is not in the sum `cost`."""
        return sum(attempt.expected for attempt in self.attempts)

    @property
    def attempt_key(self) -> str:
        """Name the latest attempt, or that there is none yet; the name is unique among all batches."""
        return f"{self.batch_id}/{self.shard}/{self.attempts[-1].number if self.attempts else 0}"

    @property
    def attempt_place(self) -> tuple[str, int, int, int]:
        """Return the arguments of `object_keys.attempt` for the latest attempt; after a fence they are one worker's alone."""
        return self.batch_id, self.shard, self.attempts[-1].number, self.version


class AnswerRun(NamedTuple):
    """A run of final answers that an attempt left."""

    attempt: int
    #: "output" or "errors".
    name: str
    #: The key of the run, without an ending.
    key: str


def answer_runs(shard: Shard) -> Iterator[AnswerRun]:
    """Yield where the final answers of a shard lie, attempt by attempt."""
    for attempt in shard.attempts:
        for name, lines in (("output", attempt.succeeded), ("errors", attempt.failed)):
            if lines:
                key = object_keys.attempt(shard.batch_id, shard.shard, attempt.number, attempt.runs, name)
                yield AnswerRun(attempt.number, name, key)


def with_new_attempt(shard: Shard, now: int) -> Shard:
    """Return the shard with a new attempt; the oldest attempts that left and used nothing are dropped."""
    number = shard.attempts[-1].number + 1 if shard.attempts else 1
    attempt = Attempt(number=number, started_at=now, lines=shard.unfinished)
    kept = (*filter(_left_something, shard.attempts[:-KEPT_ATTEMPTS]), *shard.attempts[-KEPT_ATTEMPTS:])
    completed = sum(attempt.succeeded for attempt in shard.attempts)  # and not what the provider counted
    grows = shard.attempts and shard.attempts[-1].end is not End.FAILED and not shard.stalls
    wave = (shard.wave * 3 + 1) // 2 if grows else shard.wave  # up, as one line must grow, too
    return with_members(shard, wave=wave, completed=completed, attempts=[*kept, attempt])


def is_full(shard: Shard) -> bool:
    """Tell whether the record has no room for another attempt; it holds about a thousand that left something."""
    return len(msgspec.json.encode(shard.attempts)) > MOST_BYTES


def _left_something(attempt: Attempt) -> bool:
    return bool(attempt.succeeded or attempt.failed or attempt.transient or (attempt.usage or Usage()) != Usage())


def with_members(shard: Shard, **changes: object) -> Shard:
    """Return the shard with these members changed."""
    return msgspec.structs.replace(shard, **changes)


def with_files_to_delete(shard: Shard, *file_ids: str | None) -> Shard:
    """Return the shard with these files among those to be deleted at the provider."""
    every = [*shard.files_to_delete, *(file_id for file_id in file_ids if file_id)]
    known = list(dict.fromkeys(every))[-MOST_FILES_TO_DELETE:]
    sizes = accumulate(len(file_id.encode()) for file_id in reversed(known))
    fitting = sum(1 for _ in takewhile(lambda size: size <= MOST_BYTES_OF_FILES, sizes))
    return with_members(shard, files_to_delete=known[len(known) - fitting :])


def with_next_version(before: Shard | None, after: Shard) -> Shard:
    """Return `after` as written over `before`; uploads that nobody needs, none in use under its old name, are to be deleted."""
    kept = None if after.done else after.file_id
    unneeded = with_files_to_delete(after, *(shard.file_id for shard in (before, after) if shard is not None))
    listed = [file_id for file_id in unneeded.files_to_delete if file_id != kept]
    version = (before.version if before else 0) + 1
    return with_members(unneeded, files_to_delete=listed, file_id=kept, version=version)


def with_progress(shard: Shard, now: int) -> Shard:
    """Return the shard with a point of its progress if its counts have changed; of too many points, the closest goes."""
    known, counts = shard.progress, [shard.completed, shard.failed]
    if (known[-2:] or [0, 0]) == counts:
        return shard
    known = known[:-POINT] if known[-POINT:-2] == [now] else known
    grown = [*known, now, *counts]
    if len(grown) > MOST_POINTS * POINT:
        times = grown[::POINT]
        closest = min(range(1, len(times) - 1), key=lambda at: times[at + 1] - times[at - 1])
        del grown[closest * POINT : (closest + 1) * POINT]
    return with_members(shard, progress=grown)


def with_stall(shard: Shard) -> Shard:
    """Return the shard with its latest attempt counted as one that finished no line."""
    sent = min(filter(None, (shard.stalled_lines, shard.attempts[-1].lines)), default=0)
    return with_members(shard, stalls=shard.stalls + 1, stalled_lines=sent)


def as_done(shard: Shard, reason: BatchError | None = None) -> Shard:
    """Return the shard as done; `reason` is the outcome of the lines that are still unfinished."""
    completed = sum(attempt.succeeded for attempt in shard.attempts)
    return with_members(shard, status=DONE, reason=reason, paused=None, waits=None, completed=completed)


def with_attempt_members(shard: Shard, **changes: object) -> Shard:
    """Return the shard with these members of its latest attempt changed."""
    latest = msgspec.structs.replace(shard.attempts[-1], **changes)
    return with_members(shard, attempts=[*shard.attempts[:-1], latest])
