"""A shard and its attempts, as recorded while the state machine works on it."""

from typing import Final

import msgspec

from batchyard.domain.batch import BatchError, Usage

WAITING: Final = "waiting"
DONE: Final = "done"
KEPT_ATTEMPTS: Final = 100
MOST_FILES_TO_DELETE: Final = 300  # files; a provider that deletes none must not fill the record
MOST_BYTES: Final = 300_000  # of the attempts as JSON: a record of DynamoDB holds 400 KB

CLOCK_SKEW: Final = 300  # the provider's clock and ours may differ by so many seconds

# The metadata member that carries our own key on every provider batch, so that a lost answer can be looked up.
ATTEMPT_KEY: Final = "batchyard_attempt"
STACK_KEY: Final = "batchyard_stack"  # and the one that tells it from what another stack left at the same provider


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One submission of what was unfinished of a shard. Times are Unix seconds."""

    #: Its place among the attempts of its shard, from 1.
    number: int
    started_at: int
    #: Lines that are sent: the first ones of what was unfinished.
    lines: int
    #: Their bytes, as they are uploaded.
    bytes: int = 0
    #: Their prompt tokens, as we estimate them.
    tokens: int = 0
    file_id: str | None = None
    #: Written before `POST /batches`: with it and without `provider_batch_id`, the outcome of that call is unknown.
    creating_at: int | None = None
    #: When the answer to `POST /batches` was lost, if the worker lived to see that.
    lost_at: int | None = None
    #: How often the provider's list did not show what became of a lost create.
    lookups: int = 0
    provider_batch_id: str | None = None
    provider_status: str | None = None
    ended_at: int | None = None
    #: Lines in the runs that this attempt left, by their outcome.
    succeeded: int = 0
    failed: int = 0
    transient: int = 0
    #: Lines of the provider's files that answer no request of ours.
    strays: int = 0
    #: How often an ended provider batch did not show the answers that it had counted.
    looks: int = 0
    #: How often the provider's files did not come whole.
    unread: int = 0
    #: The version of the shard that wrote the runs; a worker that was overtaken wrote under another.
    runs: int = 0
    #: What the provider counted so far; it only rises.
    usage: Usage | None = None
    #: True where there is no provider batch: the lines go one by one.
    direct: bool = False
    #: Lines of a direct attempt that went out, written before they go.
    sent: int = 0
    #: When the latest of them went out.
    sending_at: int | None = None

    @property
    def began_at(self) -> int:
        """Tell when the provider was asked for it, or when it began if it was not yet."""
        return self.creating_at or self.started_at


class Ranges(msgspec.Struct, frozen=True):
    """Where in the input a shard's lines lie: the first and the last of `count` byte ranges `[start, stop)`."""

    first: tuple[int, int]
    last: tuple[int, int]
    count: int


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """The record `BATCH#<id>` / `SHARD#<n>`."""

    batch_id: str
    shard: int
    expires_at_ttl: int
    endpoint: str
    model: str
    lines: int
    #: Positions in the batch of its first and of its last line.
    first: int
    last: int
    #: Lines without a final outcome.
    unfinished: int
    #: The key of their list; "" means all lines.
    unfinished_key: str = ""
    #: An uploaded file that holds just the first `file_lines` of the unfinished lines (0: all).
    file_id: str | None = None
    file_lines: int = 0
    #: The most tokens, by our estimate, that the next attempt may have (0: any).
    wave: int = 0
    #: Files at the provider that nobody needs any more.
    files_to_delete: list[str] = []
    #: Rises with every write: a worker that was overtaken can write no more.
    version: int = 0
    status: str = WAITING
    attempts: list[Attempt] = []
    #: Lines by their outcome, as they count in the batch.
    completed: int = 0
    failed: int = 0
    #: Failed lines by the code of their error.
    codes: dict[str, int] = {}
    #: Calls to the provider that failed, one after the other.
    failures_in_a_row: int = 0
    #: Attempts in a row that finished no line.
    stalls: int = 0
    #: The first unfinished lines, of which each of these attempts sent at least so many.
    stalled_lines: int = 0
    #: The outcome of the lines that are unfinished when the shard is done; with it, nothing more is sent.
    reason: BatchError | None = None
    #: What it waits for, in words for people.
    paused: str | None = None
    #: Executions whose steps died at every try.
    dead_executions: int = 0
    #: When the next execution may begin, in Unix seconds.
    rest_until: int = 0
    #: Where its lines lie in the input.
    ranges: Ranges | None = None

    @property
    def done(self) -> bool:
        """Tell whether every line has its outcome or `reason` gives it one."""
        return self.status == DONE

    @property
    def draining(self) -> bool:
        """Tell whether nothing more of it is sent, and it is done once its last attempt is brought in."""
        return self.reason is not None and not self.done

    @property
    def attempt(self) -> Attempt | None:
        """Return the attempt under way, if there is one."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.ended_at is None else None

    @property
    def usage(self) -> Usage:
        """Sum what the attempts are known to have used, the one under way included."""
        return sum((attempt.usage for attempt in self.attempts if attempt.usage), Usage())

    @property
    def at_provider(self) -> bool:
        """Tell whether the provider has a batch of it that we have not seen to the end."""
        return self.attempt is not None and self.attempt.provider_batch_id is not None

    @property
    def may_be_paid(self) -> bool:
        """Tell whether the attempt under way may have answers that we have not brought in."""
        attempt = self.attempt
        return attempt is not None and (attempt.creating_at is not None or attempt.direct)

    @property
    def attempt_key(self) -> str:
        """Name the latest attempt; unique among all batches."""
        return f"{self.batch_id}/{self.shard}/{self.attempts[-1].number}"

    @property
    def attempt_place(self) -> tuple[str, int, int, int]:
        """Tell where what is written of the latest attempt goes, for `keys.attempt`; once fenced, it is one worker's alone."""
        return self.batch_id, self.shard, self.attempts[-1].number, self.version


def with_new_attempt(shard: Shard, now: int) -> Shard:
    """Return the shard with a new attempt; of old ones that left and used nothing only the latest are kept."""
    number = shard.attempts[-1].number + 1 if shard.attempts else 1
    attempt = Attempt(number=number, started_at=now, lines=shard.unfinished)
    kept = [old for old in shard.attempts[:-KEPT_ATTEMPTS] if _left_something(old)]
    grown = shard.wave * 3 // 2 if shard.attempts and shard.attempts[-1].provider_status != "failed" else shard.wave
    return change(shard, wave=grown, attempts=[*kept, *shard.attempts[-KEPT_ATTEMPTS:], attempt])


def is_full(shard: Shard) -> bool:
    """Tell whether the record can hold no further attempt; it holds about a thousand that left something."""
    return len(msgspec.json.encode(shard.attempts)) > MOST_BYTES


def _left_something(attempt: Attempt) -> bool:
    return bool(attempt.succeeded or attempt.failed or attempt.transient or (attempt.usage or Usage()) != Usage())


def change(shard: Shard, **changes: object) -> Shard:
    """Return the shard with these members changed."""
    return msgspec.structs.replace(shard, **changes)


def with_files_to_delete(shard: Shard, *file_ids: str | None) -> Shard:
    """Return the shard with these files at the provider to be deleted."""
    every = [*shard.files_to_delete, *(file_id for file_id in file_ids if file_id)]
    return change(shard, files_to_delete=list(dict.fromkeys(every))[-MOST_FILES_TO_DELETE:])


def with_next_version(before: Shard | None, after: Shard) -> Shard:
    """Return `after` as it is written over `before`: the upload that is not for any further attempt is left over."""
    kept = None if after.done else after.file_id
    uploads = {shard.file_id for shard in (before, after) if shard is not None} - {kept}
    return change(with_files_to_delete(after, *uploads), file_id=kept, version=(before.version if before else 0) + 1)


def with_stall(shard: Shard) -> Shard:
    """Return the shard with its latest attempt counted as one that finished no line."""
    sent = min(filter(None, (shard.stalled_lines, shard.attempts[-1].lines)), default=0)
    return change(shard, stalls=shard.stalls + 1, stalled_lines=sent)


def as_done(shard: Shard, reason: BatchError | None = None) -> Shard:
    """Return the shard done; `reason` is the outcome of the lines that are still unfinished."""
    return change(shard, status=DONE, reason=reason, paused=None)


def change_attempt(shard: Shard, **changes: object) -> Shard:
    """Return the shard with these members of its latest attempt changed."""
    latest = msgspec.structs.replace(shard.attempts[-1], **changes)
    return change(shard, attempts=[*shard.attempts[:-1], latest])
