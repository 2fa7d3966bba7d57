"""Everything that an operation works with.

Each part is imported and built when it is first used, so that a function loads at its cold start only what it needs.
"""

from __future__ import annotations

import random
import time
from functools import cache, cached_property
from typing import TYPE_CHECKING, TypeVar

from batchyard import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchyard.adapters.api_key_store import ApiKeyStore
    from batchyard.adapters.batch_store import BatchStore
    from batchyard.adapters.bucket import Bucket
    from batchyard.adapters.event_bus import EventBus
    from batchyard.adapters.executions import Executions
    from batchyard.adapters.file_bucket import FileBucket
    from batchyard.adapters.file_store import FileStore
    from batchyard.adapters.idempotency_store import IdempotencyStore
    from batchyard.adapters.lambda_functions import LambdaFunction
    from batchyard.adapters.quota_store import QuotaStore
    from batchyard.adapters.secrets_manager import Secret
    from batchyard.adapters.sweep_store import SweepStore
    from batchyard.adapters.token_ledger_store import TokenLedgerStore
    from batchyard.adapters.upload_store import UploadStore
    from batchyard.adapters.webhook_receipts import WebhookReceipts
    from batchyard.adapters.webhook_sender import WebhookSender
    from batchyard.adapters.webhook_store import WebhookStore
    from batchyard.domain.provider import Provider
    from batchyard.settings import Settings

T = TypeVar("T")


class Services:
    """Settings, adapters, provider, clock (Unix seconds) and chance ([0, 1)) of one process."""

    def __init__(
        self,
        settings: Settings,
        provider: Provider | None = None,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Keep what is given; the rest is built from the settings."""
        self.settings, self.clock, self.chance = settings, clock, chance
        self._provider = provider

    @cached_property
    def bucket(self) -> Bucket:
        """The data bucket."""
        from batchyard.adapters.bucket import Bucket

        return Bucket(self.settings.bucket)

    @cached_property
    def batch_store(self) -> BatchStore:
        """The table."""
        from batchyard.adapters.batch_store import BatchStore

        return BatchStore(self.settings.table)

    @cached_property
    def api_key_store(self) -> ApiKeyStore:
        """The table's API keys."""
        from batchyard.adapters.api_key_store import ApiKeyStore

        return ApiKeyStore(self.settings.table)

    @cached_property
    def idempotency_store(self) -> IdempotencyStore:
        """The table's Idempotency-Keys."""
        from batchyard.adapters.idempotency_store import IdempotencyStore

        return IdempotencyStore(self.settings.table)

    @cached_property
    def webhook_receipts(self) -> WebhookReceipts:
        """The table's webhooks of the provider that were taken."""
        from batchyard.adapters.webhook_receipts import WebhookReceipts

        return WebhookReceipts(self.settings.table)

    @cached_property
    def sweep_store(self) -> SweepStore:
        """What the sweep has to see to."""
        from batchyard.adapters.sweep_store import SweepStore

        return SweepStore(self.settings.table)

    @cached_property
    def file_bucket(self) -> FileBucket:
        """The data bucket's files."""
        from batchyard.adapters.file_bucket import FileBucket

        return FileBucket(self.settings.bucket)

    @cached_property
    def file_store(self) -> FileStore:
        """The table's files."""
        from batchyard.adapters.file_store import FileStore

        return FileStore(self.settings.table)

    @cached_property
    def token_ledger_store(self) -> TokenLedgerStore:
        """The ledgers of enqueued tokens, in the same table."""
        from batchyard.adapters.token_ledger_store import TokenLedgerStore

        settings = self.settings
        return TokenLedgerStore(settings.table, settings.provider_name, settings.max_enqueued_tokens)

    @cached_property
    def upload_store(self) -> UploadStore:
        """The table's uploads in parts."""
        from batchyard.adapters.upload_store import UploadStore

        return UploadStore(self.settings.table)

    @cached_property
    def quota_store(self) -> QuotaStore:
        """The sums of what tenants store, in the same table."""
        from batchyard.adapters.quota_store import QuotaStore

        return QuotaStore(self.settings.table, self.settings.max_stored_bytes)

    @cached_property
    def executions(self) -> Executions:
        """The state machine."""
        from batchyard.adapters.executions import Executions

        return Executions(self.settings.state_machine_arn)

    @cached_property
    def cancel_function(self) -> LambdaFunction:
        """The function that cancels provider batches."""
        from batchyard.adapters.lambda_functions import LambdaFunction

        return LambdaFunction(self.settings.cancel_function)

    @cached_property
    def advance_function(self) -> LambdaFunction:
        """The function that does what is due for a shard."""
        from batchyard.adapters.lambda_functions import LambdaFunction

        return LambdaFunction(self.settings.advance_function)

    @cached_property
    def webhook_secret(self) -> Secret:
        """The secrets that sign the provider's webhooks, with spaces between."""
        from batchyard.adapters.secrets_manager import Secret

        return Secret(self.settings.provider_webhook_secret_id)

    @cached_property
    def signing_secret(self) -> Secret:
        """The secret from which those of the webhook endpoints follow."""
        from batchyard.adapters.secrets_manager import Secret

        return Secret(self.settings.signing_secret_id)

    @cached_property
    def webhook_store(self) -> WebhookStore:
        """The table's webhook endpoints and deliveries."""
        from batchyard.adapters.webhook_store import WebhookStore

        return WebhookStore(self.settings.table)

    @cached_property
    def webhook_executions(self) -> Executions:
        """The state machine that delivers webhooks."""
        from batchyard.adapters.executions import Executions

        return Executions(self.settings.webhook_state_machine_arn)

    @cached_property
    def webhook_sender(self) -> WebhookSender:
        """What calls the addresses of tenants."""
        from batchyard.adapters.webhook_sender import WebhookSender

        return WebhookSender(private=self.settings.private_webhooks)

    @cached_property
    def event_bus(self) -> EventBus:
        """The event bus."""
        from batchyard.adapters.event_bus import EventBus

        return EventBus(self.settings.event_bus)

    @cached_property
    def secret(self) -> Secret:
        """The provider's API key."""
        from batchyard.adapters.secrets_manager import Secret

        return Secret(self.settings.provider_secret_id)

    @cached_property
    def provider(self) -> Provider:
        """The provider's API."""
        from batch_client import BatchClient, RetryPolicy

        profile = self.settings.provider_profile or None
        retry = RetryPolicy(
            total=30.0
        )  # the state machine repeats the rest; submit relies on a create that ends in time
        return self._provider or BatchClient(self.secret, self.settings.provider_base_url, profile=profile, retry=retry)

    def now(self) -> int:
        """Tell the time in whole Unix seconds."""
        return int(self.clock())

    def ask(self, call: Callable[[Provider], T]) -> T:
        """Make a call to the provider; a key that is refused or cannot be sent is read anew once: it may be rotated."""
        from batch_client import AuthenticationError, InvalidArgumentError

        try:
            return call(self.provider)
        except (AuthenticationError, InvalidArgumentError):
            self.secret.forget()
            return call(self.provider)


@cache
def current() -> Services:
    """Return services, built from its environment."""
    return Services(settings.current())
