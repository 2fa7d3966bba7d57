"""Everything that an operation works with; each part is imported and built when it is first used, for short cold starts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

from batchyard import settings

if TYPE_CHECKING:
    from batch_client import Dialect
    from batchyard.adapters.bucket import Bucket
    from batchyard.adapters.event_bus import EventBus
    from batchyard.adapters.executions import Executions, LambdaFunction
    from batchyard.adapters.file_bucket import FileBucket
    from batchyard.adapters.schedule_clock import ScheduleClock
    from batchyard.adapters.secrets_manager import Secret
    from batchyard.adapters.stores.api_key_store import ApiKeyStore
    from batchyard.adapters.stores.batch_store import BatchStore
    from batchyard.adapters.stores.file_store import FileStore
    from batchyard.adapters.stores.gather_store import GatherStore
    from batchyard.adapters.stores.idempotency_store import IdempotencyStore
    from batchyard.adapters.stores.quota_store import QuotaStore
    from batchyard.adapters.stores.schedule_store import ScheduleStore
    from batchyard.adapters.stores.sweep_store import SweepStore
    from batchyard.adapters.stores.upload_store import UploadStore
    from batchyard.adapters.stores.webhook_store import WebhookReceipts, WebhookStore
    from batchyard.adapters.webhook_sender import WebhookSender
    from batchyard.providers.account import Account
    from batchyard.providers.entries import Entry
    from batchyard.settings import Settings


def _function(setting: str, does: str) -> cached_property[LambdaFunction]:
    """Make the property that is the function which a setting names, and say what that function does."""

    def named(services: Services) -> LambdaFunction:
        from batchyard.adapters.executions import LambdaFunction

        return LambdaFunction(getattr(services.settings, setting))

    named.__doc__ = does
    return cached_property(named)


class Services:
    """Settings, adapters, providers, clock (Unix seconds) and chance (in [0, 1)) of one process."""

    def __init__(
        self, settings: Settings, provider: Dialect | Mapping[str, Dialect] | None = None,
        clock: Callable[[], float] = time.time, chance: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        """Keep the arguments; the rest is built from the settings. `provider` replaces the client, or several by name."""
        self.settings, self.clock, self.chance = settings, clock, chance
        self._provider, self._missing = provider, dict[str, "Account"]()  # whom shards name, and the settings do not

    @cached_property
    def bucket(self) -> Bucket:
        """The data bucket."""
        from batchyard.adapters.bucket import Bucket

        return Bucket(self.settings.bucket)

    @cached_property
    def file_bucket(self) -> FileBucket:
        """The files in the data bucket."""
        from batchyard.adapters.file_bucket import FileBucket

        return FileBucket(self.settings.bucket)

    @cached_property
    def batch_store(self) -> BatchStore:
        """Batches and shards."""
        from batchyard.adapters.stores.batch_store import BatchStore

        return BatchStore(self.settings.table)

    @cached_property
    def file_store(self) -> FileStore:
        """Files."""
        from batchyard.adapters.stores.file_store import FileStore

        return FileStore(self.settings.table)

    @cached_property
    def upload_store(self) -> UploadStore:
        """Multipart uploads."""
        from batchyard.adapters.stores.upload_store import UploadStore

        return UploadStore(self.settings.table)

    @cached_property
    def api_key_store(self) -> ApiKeyStore:
        """API keys."""
        from batchyard.adapters.stores.api_key_store import ApiKeyStore

        return ApiKeyStore(self.settings.table)

    @cached_property
    def idempotency_store(self) -> IdempotencyStore:
        """Idempotency-Keys."""
        from batchyard.adapters.stores.idempotency_store import IdempotencyStore

        return IdempotencyStore(self.settings.table)

    @cached_property
    def gather_store(self) -> GatherStore:
        """Firings of gather folders, and the claims on their files."""
        from batchyard.adapters.stores.gather_store import GatherStore

        return GatherStore(self.settings.table)

    @cached_property
    def quota_store(self) -> QuotaStore:
        """How many bytes each tenant stores."""
        from batchyard.adapters.stores.quota_store import QuotaStore

        return QuotaStore(self.settings.table, self.settings.max_stored_bytes)

    @cached_property
    def sweep_store(self) -> SweepStore:
        """What the sweep reads and writes."""
        from batchyard.adapters.stores.sweep_store import SweepStore

        return SweepStore(self.settings.table)

    @cached_property
    def webhook_store(self) -> WebhookStore:
        """Webhook endpoints and deliveries."""
        from batchyard.adapters.stores.webhook_store import WebhookStore

        return WebhookStore(self.settings.table)

    @cached_property
    def webhook_receipts(self) -> WebhookReceipts:
        """The provider's webhooks that were taken."""
        from batchyard.adapters.stores.webhook_store import WebhookReceipts

        return WebhookReceipts(self.settings.table)

    @cached_property
    def executions(self) -> Executions:
        """The state machine of batches."""
        from batchyard.adapters.executions import Executions

        return Executions(self.settings.state_machine_arn)

    @cached_property
    def webhook_executions(self) -> Executions:
        """The state machine that delivers webhooks."""
        from batchyard.adapters.executions import Executions

        return Executions(self.settings.webhook_state_machine_arn)

    cancel_function = _function("cancel_function", "The function that cancels provider batches.")
    advance_function = _function("advance_function", "The function that plays the next steps of a shard at once.")
    trigger_function = _function("trigger_function", "The function that makes the batch of a schedule.")
    gather_function = _function("gather_function", "The function that makes the batch of a gather folder.")

    @cached_property
    def schedule_store(self) -> ScheduleStore:
        """Schedules and their firings."""
        from batchyard.adapters.stores.schedule_store import ScheduleStore

        return ScheduleStore(self.settings.table)

    @cached_property
    def schedule_clock(self) -> ScheduleClock:
        """The clock of AWS that fires schedules."""
        from batchyard.adapters.schedule_clock import ScheduleClock

        return ScheduleClock(*self.settings.of_schedules)

    @cached_property
    def event_bus(self) -> EventBus:
        """The event bus, and the topic of those who are notified."""
        from batchyard.adapters.event_bus import EventBus

        return EventBus(self.settings.event_bus, topic=self.settings.notification_topic_arn)

    @cached_property
    def webhook_sender(self) -> WebhookSender:
        """Calls to the addresses of tenants."""
        from batchyard.adapters.webhook_sender import WebhookSender

        return WebhookSender(private=self.settings.private_webhooks)

    @cached_property
    def secret(self) -> Secret:
        """The provider's API key."""
        return self._secret(self.settings.provider_secret_id)

    @cached_property
    def signing_secret(self) -> Secret:
        """The secret from which the secrets of webhook endpoints are derived."""
        return self._secret(self.settings.signing_secret_id)

    @cached_property
    def webhook_secret(self) -> Secret:
        """The secrets of the provider's webhooks, with spaces between."""
        return self._secret(self.settings.provider_webhook_secret_id)

    @cached_property
    def chat_secret(self) -> Secret:
        """The address of the chat in which people are notified."""
        return self._secret(self.settings.chat_secret_id)

    def _secret(self, name: str) -> Secret:
        from batchyard.adapters.secrets_manager import Secret

        return Secret(name)

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """The providers of this stack by name, in the order of the settings."""
        from batchyard.providers.entries import entries

        return {entry.name: self._account(entry) for entry in entries(self.settings)}

    def account(self, name: str = "") -> Account:
        """Return the provider of this name, which the settings may name no more; without a name the first one."""
        from batchyard.providers.entries import missing

        known = self.accounts.get(name or next(iter(self.accounts))) or self._missing.get(name)
        return known or self._missing.setdefault(name, self._account(missing(name)))

    def _account(self, entry: Entry) -> Account:
        from batchyard.providers.account import Account

        return Account(self.settings, entry, lambda: self.secret, lambda: self.bucket, self._client(entry.name))

    def _client(self, name: str) -> Dialect | None:
        return self._provider.get(name) if isinstance(self._provider, Mapping) else self._provider

    def now(self) -> int:
        """Return the time in whole Unix seconds."""
        return int(self.clock())


@cache
def current() -> Services:
    """Return the services of this process, built from its environment."""
    return Services(settings.current())
