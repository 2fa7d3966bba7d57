"""A shard and its attempts, as recorded while the state machine works on it."""

from typing import Final

import msgspec

from batchyard.domain.batch import LineError, Usage
from batchyard.domain.pacing import Look

WAITING: Final = "waiting"
DONE: Final = "done"
KEPT_ATTEMPTS: Final = 100
MOST_LEFTOVERS: Final = 300  # files; a provider that deletes none must not fill the record
MOST_BYTES: Final = 300_000  # of the attempts as JSON: a record of DynamoDB holds 400 KB
NOTHING_SEEN: Final = Look(0)

CLOCK_SKEW: Final = 300  # the provider's clock and ours may differ by so many seconds

# The metadata member that carries our own key on every provider batch, so that a lost answer can be looked up.
ATTEMPT_KEY: Final = "batchyard_attempt"
STACK_KEY: Final = "batchyard_stack"  # and the one that tells it from what another stack left at the same provider


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One submission of what was unfinished of a shard. Times are Unix seconds.

    So many `lines` are sent, the first of what was unfinished, with so many `bytes` and by our estimate `tokens` (0: an older
    version's record). `creating_at` is written before `POST /batches`: with it and without `provider_batch_id`, the outcome of
    that call is unknown. `lost_at` is when the answer to it was lost, if we lived to see that, and `lookups` how often the
    provider's list has not shown what became of it. `looks` counts how often an ended provider batch did not yet show what it
    had counted, and `unread` how often its files did not come whole. `succeeded`, `failed` and `transient` count the lines in
    the runs this attempt left, which `runs` tells from those of a worker that was overtaken. `usage` only rises.
    A `direct` attempt has no provider batch: its lines go one by one, the first `sent` of them so far, which is written
    before they go, with the time in `sending_at`.
    """

    number: int
    started_at: int
    lines: int
    bytes: int = 0
    tokens: int = 0
    file_id: str | None = None
    creating_at: int | None = None
    lost_at: int | None = None
    lookups: int = 0
    provider_batch_id: str | None = None
    provider_status: str | None = None
    ended_at: int | None = None
    succeeded: int = 0
    failed: int = 0
    transient: int = 0
    strays: int = 0
    looks: int = 0
    unread: int = 0
    runs: int = 0
    usage: Usage | None = None
    direct: bool = False
    sent: int = 0
    sending_at: int | None = None


class Ranges(msgspec.Struct, frozen=True):
    """Where in the input a shard's lines lie: the first and the last of `count` byte ranges `[start, stop)`."""

    first: tuple[int, int]
    last: tuple[int, int]
    count: int


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """The record `BATCH#<id>` / `SHARD#<n>`; `version` rises with every write and guards against a second worker.

    `first` and `last` are positions in the batch. `completed` and `failed` are lines, as they count in the batch;
    `unfinished` lines have no final outcome yet, and `unfinished_key` names their list ("" means all). `file_id` is an
    uploaded file that holds just the first `file_lines` of these (0: all), and `wave` the most tokens, by our estimate,
    that the next attempt may have (0: any).
    `leftovers` are files at the provider that nobody needs any more and that are still to be deleted.
    `setbacks` counts failed calls in a row, `stalls` attempts in a row that finished no line, each of which sent at least the
    first `stalled_lines` of what is unfinished. `reason` is the outcome of the lines that were still unfinished when the
    shard was done, or are when what the provider has of it is brought in. `relayed` says that it waits for a fresh
    execution, which is to rest until `rest_until` (Unix seconds); `failures` counts executions whose steps died at every try.
    `ranges` is None in records of before there was such a note.
    """

    batch_id: str
    shard: int
    expires_at_ttl: int
    endpoint: str
    model: str
    lines: int
    first: int
    last: int
    unfinished: int
    unfinished_key: str = ""
    file_id: str | None = None
    file_lines: int = 0
    wave: int = 0
    leftovers: list[str] = []
    version: int = 0
    status: str = WAITING
    attempts: list[Attempt] = []
    completed: int = 0
    failed: int = 0
    codes: dict[str, int] = {}
    setbacks: int = 0
    stalls: int = 0
    stalled_lines: int = 0
    reason: LineError | None = None
    paused: str | None = None
    relayed: bool = False
    failures: int = 0
    rest_until: int = 0
    ranges: Ranges | None = None

    @property
    def done(self) -> bool:
        """Tell whether every line has its outcome or `reason` gives it one."""
        return self.status == DONE

    @property
    def given_up(self) -> bool:
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


def begin_attempt(shard: Shard, now: int) -> Shard:
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


def discard(shard: Shard, *file_ids: str | None) -> Shard:
    """Return the shard with these files at the provider to be deleted."""
    every = [*shard.leftovers, *(file_id for file_id in file_ids if file_id)]
    return change(shard, leftovers=list(dict.fromkeys(every))[-MOST_LEFTOVERS:])


def superseding(before: Shard | None, after: Shard) -> Shard:
    """Return `after` as it is written over `before`: the upload that is not for any further attempt is left over."""
    kept = None if after.done else after.file_id
    uploads = {shard.file_id for shard in (before, after) if shard is not None} - {kept}
    return change(discard(after, *uploads), file_id=kept, version=(before.version if before else 0) + 1)


def finish(shard: Shard, reason: LineError | None = None) -> Shard:
    """Return the shard done; `reason` is the outcome of the lines that are still unfinished."""
    return change(shard, status=DONE, reason=reason, paused=None)


def change_attempt(shard: Shard, **changes: object) -> Shard:
    """Return the shard with these members of its latest attempt changed."""
    latest = msgspec.structs.replace(shard.attempts[-1], **changes)
    return change(shard, attempts=[*shard.attempts[:-1], latest])


class Step(msgspec.Struct, frozen=True):
    """What a shard's state machine hands from state to state.

    `seen_age` and `seen_finished` are what the last look at the provider batch showed; see `pacing.Look`. `turns` counts the
    steps of this execution.
    """

    batch_id: str
    shard: int
    next: str = "submit"
    wait_seconds: int = 0
    seen_age: int = 0
    seen_finished: int = 0
    turns: int = 0

    def then(self, following: str, wait_seconds: int = 0, look: Look = NOTHING_SEEN) -> "Step":
        """Name the state that follows, after so many seconds, and what was seen of a provider batch that is looked at again."""
        return Step(self.batch_id, self.shard, following, wait_seconds, int(look.age), look.finished, self.turns + 1)
