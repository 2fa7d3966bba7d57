"""Who owns a provider batch or a file that the provider lists with the name of our stack."""

from enum import StrEnum
from typing import Final, NamedTuple

from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch, window_seconds
from batchyard.domain.numbers import DAY
from batchyard.domain.shard import Shard
from batchyard.domain.stopping import OVERTIME
from batchyard.providers.account import Account

# Seconds after which the worker that could still record what it made is dead: a function runs for 900 at most.
LATEST_RECORD: Final = 1_200
# Seconds after which the sweep adopts a provider batch; until then the worker that lost the answer looks itself.
LATEST_LOOK: Final = 300
LEAST_AT_PROVIDER: Final = 7 * DAY  # a sweep that did not run for days finds what it missed


class Verdict(StrEnum):
    """What the records say."""

    #: A record names it, or it is not ours.
    OWNED = "owned"
    #: A shard has lost the answer to its create, and this is the provider batch.
    AWAITED = "awaited"
    #: A worker may be about to record it.
    UNCLEAR = "unclear"
    #: No record will name it.
    ORPHAN = "orphan"


class Owner(NamedTuple):
    """The records that the key of an attempt names; None for a record that is not there."""

    batch: Batch | None
    shard: Shard | None
    #: The number of the attempt.
    number: int

    @property
    def under_way(self) -> Attempt | None:
        """Return the attempt if a worker may still work on it."""
        if self.batch is None or self.shard is None or self.batch.ended or self.shard.done:
            return None
        latest = self.shard.attempt
        return latest if latest is not None and latest.number == self.number else None


def longest_at_provider(account: Account, *windows: str) -> int:
    """Return the seconds after which a provider has ended every batch; `windows` are those of batches of ours.

    An orphan that is older is left to expire.
    """
    there = [*account.facts.windows, account.entry.completion_window, *windows]
    longest = max(map(window_seconds, filter(None, there)), default=0)
    return max(LEAST_AT_PROVIDER, longest + OVERTIME)


def of_batch(owner: Owner, provider_batch_id: str, age: int) -> Verdict:
    """Judge a provider batch by its age in seconds; an orphan stays one, as an attempt never changes its provider batch."""
    attempts = owner.shard.attempts if owner.shard else []
    if any(attempt.provider_batch_id == provider_batch_id for attempt in attempts):
        return Verdict.OWNED
    attempt = owner.under_way
    if attempt is None or attempt.provider_batch_id is not None or attempt.creating_at is None:
        return Verdict.ORPHAN
    return Verdict.AWAITED if age > LATEST_LOOK else Verdict.UNCLEAR


def of_file(owner: Owner, file_id: str, age: int, *, named_by_attempt: bool = False) -> Verdict:
    """Judge an uploaded file by its age in seconds; one whose id is that of its attempt may be uploaded anew at any time."""
    shard = owner.shard
    if shard is not None and (file_id in shard.files_to_delete or file_id == shard.file_id):
        return Verdict.OWNED
    if shard is not None and shard.at_provider and shard.attempts[-1].file_id == file_id:
        return Verdict.OWNED
    return Verdict.UNCLEAR if owner.under_way and (named_by_attempt or age < LATEST_RECORD) else Verdict.ORPHAN
