"""A step of a shard as one unit of work: what was read, and the only way to write it."""

from batchyard.costs.cost import EXACT_DIGITS, Cost, cost_of, dollars
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.pacing import Seen, retry_wait
from batchyard.domain.shard import Shard, as_done, with_members, with_progress
from batchyard.domain.statuses import PAUSED, RESUMED
from batchyard.domain.step import NOTHING_SEEN, Next, Step
from batchyard.domain.stopping import why_stopped
from batchyard.lines.shard_lines import ShardLines, new_shard
from batchyard.observability import logger, publish
from batchyard.providers.account import Account
from batchyard.services import Services

TOLD_AFTER = 60  # seconds of waiting before the batch tells of it
REMOVED = "other"  # stands in metrics for a provider that the settings name no more


class Turn:
    """What one step works on. Another worker may move the shard meanwhile: then the next write raises StaleRecord."""

    def __init__(self, services: Services, batch: Batch, shard: Shard, step: Step) -> None:
        """Take the records as they were read."""
        self.services, self.batch, self.step = services, batch, step
        #: The shard as it was read, or as this turn last saved it.
        self.shard = shard
        #: Whether an answer of the provider was saved: then the files that are not needed can be deleted.
        self.provider_answered = False

    @property
    def account(self) -> Account:
        """Return the provider of the shard."""
        return self.services.account(self.shard.provider)

    @property
    def window(self) -> str:
        """Return the window of the shard's provider batches: that of its provider if it has one, else that of the batch."""
        return self.account.window(self.batch)

    @property
    def attempt(self) -> Attempt:
        """Return the latest attempt."""
        return self.shard.attempts[-1]

    @property
    def provider_batch_id(self) -> str | None:
        """Name the provider batch of the attempt under way; None where there is none."""
        return self.shard.attempt.provider_batch_id if self.shard.attempt else None

    def save(self, after: Shard) -> None:
        """Write the shard over the version that this turn knows; raises StaleRecord if another worker moved it."""
        before = self.shard
        self.shard = self.services.batch_store.save_shard(before, with_progress(after, self.services.now()))
        publish_growth(self.services, before, self.shard)

    def fence(self) -> None:
        """Take a version, and so an `attempt_place`, that no other worker has; raises StaleRecord."""
        self.save(self.shard)

    def save_answered(self, after: Shard, why: str | None = None) -> None:
        """Save the shard after an answer of the provider: failures and pause are over, unless `why` is told."""
        paused = self.shard.paused
        self.save(with_members(after, failures_in_a_row=0, failing_since=0, paused=why, waits=None))
        self.provider_answered = True
        if paused != why:
            self._announce_pause()

    def failed(self, after: Shard, why: str | None) -> None:
        """Save the shard after a failure, and tell why it waits, if so; a worker that was overtaken tells nothing."""
        since, failures = self.shard.failing_since or self.services.now(), self.shard.failures_in_a_row + 1
        paused = {} if why is None else {"paused": why, "waits": None}
        self.save(with_members(after, failures_in_a_row=failures, failing_since=since, **paused))
        if why is not None:
            self._announce_pause()

    def save_wait(self, why: str) -> None:
        """Save the shard as one that waits its turn, once it has waited for a minute: nothing has failed, so no event tells.

        A pause goes on if the last call failed: nobody knows yet whether the provider serves us again.
        """
        if self.services.now() - self.attempt.started_at < TOLD_AFTER:
            return
        paused = self.shard.paused if self.shard.failures_in_a_row else None
        if (self.shard.paused, self.shard.waits) != (paused, why):
            self.save(with_members(self.shard, paused=paused, waits=why))
        if self.batch.told_paused and not paused:
            self._announce_pause()

    def save_pause(self, why: str) -> None:
        """Save and tell that the shard waits for the provider, once it has waited for a minute, though no call has failed."""
        if self.services.now() - self.attempt.started_at < TOLD_AFTER:
            return
        if (self.shard.paused, self.shard.waits) != (why, None):
            self.save(with_members(self.shard, paused=why, waits=None))
        if not self.batch.told_paused:
            self._announce_pause()

    def end(self, after: Shard, reason: BatchError | None) -> Step:
        """Save the shard as done, after an answer of the provider; `reason` is the outcome of the unfinished lines."""
        self.save_answered(as_done(after, reason))
        return self.then(Next.DONE)

    def why_stopped(self) -> BatchError | None:
        """Read the batch anew and tell what the unfinished lines get as their outcome; None while they may be sent."""
        return why_stopped(self.services.batch_store.batch(self.shard.batch_id), self.shard)

    def retry_wait(self, failures: int, asked: float | None = None, ceiling: int | None = None) -> int:
        """Answer the seconds to wait after so many failures in a row, or what the provider `asked` for if longer; capped."""
        settings = self.services.settings
        most = ceiling or settings.retry_ceiling_seconds
        wait = retry_wait(failures, settings.retry_floor_seconds, most, self.services.chance())
        return max(wait, min(int(asked or 0), most))

    def then(self, following: Next, wait_seconds: int = 0, look: Seen = NOTHING_SEEN) -> Step:
        """Name the step that follows."""
        return self.step.then(following, wait_seconds, look)

    def cost(self, usage: Usage) -> Cost:
        """Return what tokens of the attempt cost, those of flex processing apart; no price is looked up for none."""
        if usage == Usage():
            return Cost()
        prices, target = self.account.prices, (self.shard.model, self.shard.endpoint)
        by_flex, flex = self.attempt.flex_usage, prices.by_flex(*target)
        if by_flex is None or flex is None:
            return prices.cost(usage, *target, batch=not self.attempt.direct)
        return prices.cost(usage - by_flex, *target, batch=False) + cost_of(by_flex, flex)

    def _announce_pause(self) -> None:
        announce_pause(self.services, self.services.batch_store.batch(self.shard.batch_id))


def publish_growth(services: Services, before: Shard, after: Shard) -> None:
    """Publish what a write of a shard added: lines, tokens and dollars. A count that the provider takes back is negative."""
    used, spent = after.usage - before.usage, after.cost.amount - before.cost.amount
    added = {
        "LinesCompleted": after.completed - before.completed,
        "LinesFailed": after.failed - before.failed,
        "InputTokens": used.input_tokens,
        "OutputTokens": used.output_tokens,
    }
    publish({name: count for name, count in added.items() if count})
    if spent:
        account = services.account(after.provider)
        provider = account.name if account.name in services.accounts else REMOVED
        model = account.prices.listed_name(after.model)
        publish({"DollarsSpent": dollars(spent, EXACT_DIGITS)}, model=model, provider=provider)


def announce_done(services: Services, batch: Batch, shard: Shard) -> None:
    """Tell the bus that the shard is done, and record that it was told: once more rather than never, if we end between."""
    if shard.done and not shard.told_done:
        services.event_bus.announce_shard(batch, shard)
        services.batch_store.save_shard(shard, with_members(shard, told_done=True))


def open_shard(services: Services, batch: Batch, number: int) -> Shard:
    """Record a shard of which nothing was sent yet."""
    lines = ShardLines.read(services.bucket, batch.batch_id, number)
    return services.batch_store.save_shard(None, new_shard(batch, lines))


def announce_pause(services: Services, batch: Batch) -> None:
    """Announce that the batch is paused or goes on again, once it has changed since the last time.

    The record knows which shards are paused, and apart from them who waits its turn. A worker that ends between record and
    bus leaves the telling to the next one: an event may come twice.
    """
    paused = bool(batch.paused)
    if batch.ended or paused == batch.told_paused:
        return
    services.event_bus.announce(batch, PAUSED if paused else RESUMED)
    try:
        services.batch_store.change_batch(batch.batch_id, told_paused=paused)
    except StaleRecord:
        logger.info("batch has ended, nobody waits", batch_id=batch.batch_id)
