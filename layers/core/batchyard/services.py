"""Everything an operation works with: built once, in one place, each part when it is first used."""

import random
import time
from collections.abc import Callable, Container, Iterator
from functools import cache, cached_property
from typing import Final, Protocol, TypeVar

from batch_client import (
    AuthenticationError,
    BatchClient,
    File,
    FileDeleted,
    HttpInfo,
    InvalidArgumentError,
    RetryPolicy,
)
from batch_client import Batch as ProviderBatch
from batchyard import settings
from batchyard.adapters.batch_store import BatchStore
from batchyard.adapters.bucket import Bucket
from batchyard.adapters.event_bus import EventBus
from batchyard.adapters.executions import Executions, WebhookExecutions
from batchyard.adapters.file_bucket import FileBucket
from batchyard.adapters.file_store import FileStore
from batchyard.adapters.lambda_functions import LambdaFunction
from batchyard.adapters.quota_store import QuotaStore
from batchyard.adapters.secrets_manager import Secret
from batchyard.adapters.sweep_store import SweepStore
from batchyard.adapters.token_ledger_store import TokenLedgerStore
from batchyard.adapters.upload_store import UploadStore
from batchyard.adapters.webhook_sender import WebhookSender
from batchyard.adapters.webhook_store import WebhookStore
from batchyard.api.api_keys import Keyring
from batchyard.domain.errors import KeyMissing, SecretMissing
from batchyard.lines.byte_ranges import ByteRanges
from batchyard.settings import Settings

T = TypeVar("T")

KEY_MISSING: Final = (
    "No API key of the provider is stored yet. The operator stores one by: make provider-key SECRET={}. "
    "Then the batch goes on by itself."
)


class Provider(Protocol):
    """What we ask of a provider; `batch_client.BatchClient` is the real one and names what each call raises."""

    def create_file(self, source: ByteRanges, filename: str) -> File:
        """ByteRanges the input of a provider batch."""
        ...

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> ProviderBatch:
        """Create a provider batch."""
        ...

    def retrieve_batch(self, batch_id: str) -> ProviderBatch:
        """Read a provider batch."""
        ...

    def cancel_batch(self, batch_id: str) -> ProviderBatch:
        """Cancel a provider batch; one that has ended is returned as it is."""
        ...

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> ProviderBatch | None:
        """Look for the provider batch that carries our own key, or, if it carries none, that was made of this file."""
        ...

    def iter_batches(self, *, after: str | None) -> Iterator[ProviderBatch]:
        """List the provider batches there are, behind one of them."""
        ...

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        """List the files there are, behind one of them."""
        ...

    def delete_file(self, file_id: str) -> FileDeleted:
        """Delete a file."""
        ...

    def download_file(self, file_id: str) -> Iterator[bytes]:
        """Read an output or error file to its very end."""
        ...

    def send(self, url: str, body: bytes) -> HttpInfo[bytes]:
        """Have one request answered at once; it is repeated only where it was certainly not run."""
        ...


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
        return Bucket(self.settings.bucket)

    @cached_property
    def batch_store(self) -> BatchStore:
        """The table."""
        return BatchStore(self.settings.table)

    @cached_property
    def keyring(self) -> Keyring:
        """The API keys this process has met."""
        return Keyring(self.batch_store, self.clock)

    @cached_property
    def sweep_store(self) -> SweepStore:
        """What the sweep has to see to."""
        return SweepStore(self.settings.table)

    @cached_property
    def file_bucket(self) -> FileBucket:
        """The data bucket's files."""
        return FileBucket(self.settings.bucket)

    @cached_property
    def file_store(self) -> FileStore:
        """The table's files."""
        return FileStore(self.settings.table)

    @cached_property
    def token_ledger_store(self) -> TokenLedgerStore:
        """The ledgers of enqueued tokens, in the same table."""
        return TokenLedgerStore(self.settings.table)

    @cached_property
    def upload_store(self) -> UploadStore:
        """The table's uploads in parts."""
        return UploadStore(self.settings.table)

    @cached_property
    def quota_store(self) -> QuotaStore:
        """The sums of what tenants store, in the same table."""
        return QuotaStore(self.settings.table)

    @cached_property
    def executions(self) -> Executions:
        """The state machine."""
        return Executions(self.settings.state_machine_arn)

    @cached_property
    def cancel_function(self) -> LambdaFunction:
        """The function that cancels provider batches."""
        return LambdaFunction(self.settings.cancel_function)

    @cached_property
    def advance_function(self) -> LambdaFunction:
        """The function that does what is due for a shard."""
        return LambdaFunction(self.settings.advance_function)

    @cached_property
    def webhook_secret(self) -> Secret:
        """The secrets that sign the provider's webhooks, with spaces between."""
        return Secret(self.settings.provider_webhook_secret_id)

    @cached_property
    def signing_secret(self) -> Secret:
        """The secret from which those of the webhook endpoints follow."""
        return Secret(self.settings.signing_secret_id)

    @cached_property
    def webhook_store(self) -> WebhookStore:
        """The table's webhook endpoints and deliveries."""
        return WebhookStore(self.settings.table)

    @cached_property
    def webhook_executions(self) -> WebhookExecutions:
        """The state machine that delivers webhooks."""
        return WebhookExecutions(self.settings.webhook_state_machine_arn)

    @cached_property
    def webhook_sender(self) -> WebhookSender:
        """What calls the addresses of tenants."""
        return WebhookSender(private=self.settings.private_webhooks)

    @cached_property
    def event_bus(self) -> EventBus:
        """The event bus."""
        return EventBus(self.settings.event_bus)

    @cached_property
    def secret(self) -> Secret:
        """The provider's API key."""
        return Secret(self.settings.provider_secret_id)

    @cached_property
    def provider(self) -> Provider:
        """The provider's API."""
        profile = self.settings.provider_profile or None
        retry = RetryPolicy(
            total=30.0
        )  # the state machine repeats the rest; submit relies on a create that ends in time
        address = self.settings.provider_base_url
        return self._provider or BatchClient(self.provider_key, address, profile=profile, retry=retry)

    def provider_key(self) -> str:
        """Return the provider's API key; raises KeyMissing, which a shard waits for as for any word of an operator."""
        try:
            return self.secret()
        except SecretMissing as error:
            raise KeyMissing(KEY_MISSING.format(self.secret.name)) from error

    def now(self) -> int:
        """Tell the time in whole Unix seconds."""
        return int(self.clock())

    def ask(self, call: Callable[[Provider], T]) -> T:
        """Make a call to the provider; a key that is refused or cannot be sent is read anew once: it may be rotated."""
        try:
            return call(self.provider)
        except (AuthenticationError, InvalidArgumentError):
            self.secret.forget()
            return call(self.provider)


@cache
def current() -> Services:
    """Return services, built from its environment."""
    return Services(settings.current())
