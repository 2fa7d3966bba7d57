"""One submission of the unfinished lines of a shard, as recorded."""

from enum import StrEnum
from typing import Final

import msgspec

from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage


class End(StrEnum):
    """How an attempt has ended; what became of its lines is told by their answers alone."""

    #: Each of its lines ran, as far as the provider says.
    WHOLE = "whole"
    #: Some lines never ran: it expired, or was stopped.
    PARTIAL = "partial"
    #: The provider refused it whole; at the create, or later with its reasons.
    FAILED = "failed"
    #: The provider does not know it any more.
    LOST = "lost"
    #: Its lines were sent one by one.
    DIRECT = "direct"


RAN: Final = frozenset({End.WHOLE, End.PARTIAL})  # the provider has run some of its lines


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One submission of the unfinished lines of a shard. Times are Unix seconds."""

    #: Counts the attempts of the shard, from 1.
    number: int
    started_at: int
    #: How many lines are sent: the first of the unfinished lines.
    lines: int
    #: Bytes of these lines, as they are uploaded.
    bytes: int = 0
    #: Prompt tokens of these lines, by our estimate.
    tokens: int = 0
    file_id: str | None = None
    #: Written before `POST /batches`. While `provider_batch_id` is missing, the outcome of that call is unknown.
    creating_at: int | None = None
    #: When the answer to `POST /batches` was lost, if the worker noticed.
    lost_at: int | None = None
    #: How often the provider's list did not show the batch of a lost create.
    lookups: int = 0
    #: True if the provider refuses to list its batches, so that a person must say what came of the lost create.
    unlisted: bool = False
    #: What a person said: the id of the provider batch, or "" for none; and when.
    said: str | None = None
    said_at: int = 0
    #: Why the provider batch that a person named was not adopted.
    misnamed: str | None = None
    provider_batch_id: str | None = None
    #: The provider's own word for the state of its batch, for people.
    provider_status: str | None = None
    #: Whether a look has shown that the provider had room for it.
    taken_in: bool = False
    #: Since when looks have shown that the provider batch has ended.
    over_since: int | None = None
    ended_at: int | None = None
    #: None while the attempt is under way.
    end: End | None = None
    #: Lines in the runs of this attempt, by their outcome.
    succeeded: int = 0
    failed: int = 0
    transient: int = 0
    #: Answers with success that are not accepted; their lines are among the transient or failed ones.
    not_accepted: int = 0
    #: Lines of the provider's files that answer no request of ours.
    strays: int = 0
    #: Answers that were not quite JSON, or not UTF-8, and are kept mended.
    mended: int = 0
    #: Answers with success and an empty body.
    empty: int = 0
    #: Answers with success that do not tell their tokens in words that are known, and so are in no cost; 0 as for `lost`.
    unmetered: int = 0
    #: Lines that may have been run and billed, and whose answers are lost; 0 if the provider told the tokens of the attempt.
    lost: int = 0
    #: Answers that the provider counted as completed and never gave.
    never_came: int = 0
    #: How often the ended provider batch did not show all answers that it had counted.
    looks: int = 0
    #: Since when the provider batch shows a status that nobody knows.
    odd_since: int | None = None
    #: Since when each look has shown that it may be collected all the same.
    ready_since: int | None = None
    #: How often a file of the provider broke off.
    unread: int = 0
    #: The version of the shard that wrote the runs. A worker that was overtaken wrote under another version.
    runs: int = 0
    #: Tokens that the provider has counted so far; each count only rises.
    usage: Usage | None = None
    #: What they cost, by the prices of the day.
    cost: Cost | None = None
    #: What the lines were estimated at when they went, in parts of 1 / PER_DOLLAR dollars; 0 where no budget asked for it.
    estimate: int = 0
    #: The share of it of the unmetered and of the lost: nothing else tells what they cost. It counts against a budget alone.
    assumed: int = 0
    #: True if the lines are sent one by one, without a provider batch.
    direct: bool = False
    #: The service tier that a direct attempt asks for; None for the standard one.
    tier: str | None = None
    #: Answers that came by flex processing, and their tokens, which are among those of `usage`.
    by_flex: int = 0
    flex_usage: Usage | None = None
    #: Lines of a direct attempt that were sent; written before the lines go.
    sent: int = 0
    #: When the latest of these lines was sent.
    sending_at: int | None = None

    @property
    def began_at(self) -> int:
        """Tell when the provider was asked for it, or when it began if it was not yet."""
        return self.creating_at or self.started_at

    @property
    def may_be_paid(self) -> bool:
        """Tell whether it was sent, as far as anybody knows."""
        return self.creating_at is not None or self.direct

    @property
    def expected(self) -> int:
        """Return what is known by its estimate alone; what Poll has recorded that it cost so far is taken off."""
        if self.ended_at is not None:
            return self.assumed
        return max(0, self.estimate - (self.cost.amount if self.cost else 0)) if self.may_be_paid else 0
