"""Services whose bucket, table, state machine, bus and provider are dictionaries: no socket is opened."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import msgspec

from batchyard.adapters.event_bus import EventBus, detail, shard_detail, warning_detail
from batchyard.adapters.executions import Executions, LambdaFunction
from batchyard.adapters.secrets_manager import Secret
from batchyard.costs.budget import BudgetWarning
from batchyard.domain.batch import Batch
from batchyard.domain.errors import SecretMissing
from batchyard.domain.shard import Shard
from batchyard.providers.account import Account
from batchyard.providers.entries import Entry
from batchyard.providers.limits import most_in_ledger
from batchyard.services import Services
from batchyard.settings import Settings
from tests.fakes.api_stores import MemoryApiKeyStore, MemoryGatherStore, MemoryIdempotencyStore
from tests.fakes.batches import BUCKET, NOW
from tests.fakes.bucket import MemoryBucket, MemoryFileBucket
from tests.fakes.provider import ScriptedProvider
from tests.fakes.schedules import MemoryScheduleClock, MemoryScheduleStore
from tests.fakes.stores import (
    MemoryBatchStore,
    MemoryCreationStore,
    MemoryFileStore,
    MemoryQuotaStore,
    MemorySweepStore,
    MemoryTokenLedgerStore,
    MemoryUploadStore,
)
from tests.fakes.webhooks import MemoryWebhookReceipts, MemoryWebhookSender, MemoryWebhookStore


class MemoryExecutions(Executions):
    """The executions started and `looked` at, by name; `statuses` tells those that do not run any more."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.looked: list[str] = []
        self.payloads: dict[str, Any] = {}
        self.statuses: dict[str, str] = {}

    def start(self, name: str, payload: object) -> bool:
        self.started.append(name)
        self.payloads.setdefault(name, payload)
        return self.started.count(name) == 1

    def status(self, name: str) -> str | None:
        self.looked.append(name)
        return self.statuses.get(name, "RUNNING") if name in self.started else None

    def list_running(self) -> frozenset[str]:
        return frozenset(each for each in self.started if self.statuses.get(each, "RUNNING") == "RUNNING")


class MemoryLambdaFunction(LambdaFunction):
    """The invocations asked for."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, object]] = []

    def invoke(self, payload: Mapping[str, object]) -> None:
        self.invoked.append(dict(payload))


class MemoryEventBus(EventBus):
    """The statuses announced, and the details of the events as they would go out."""

    def __init__(self) -> None:
        self.announced: list[str] = []
        self.details: list[str] = []
        self.shards: list[dict[str, Any]] = []
        self.warned: list[int] = []
        self.mails: list[tuple[str, str]] = []

    def announce(self, batch: Batch, what: str | None = None) -> None:
        self.announced.append(what or batch.status)
        self.details.append(detail(batch))

    def announce_shard(self, batch: Batch, shard: Shard) -> None:
        self.shards.append(json.loads(shard_detail(batch, shard)))

    def notify(self, subject: str, text: str) -> None:
        self.mails.append((subject, text))

    def warn(self, warning: BudgetWarning, created_at: int, month: Mapping[str, object]) -> None:
        self.warned.append(warning.percent)
        self.details.append(warning_detail(warning, created_at, month))


class MemorySecret(Secret):
    """A made-up key that counts how often it was said to be stale."""

    def __init__(self) -> None:
        self._id = "secret"
        self.forgotten = 0
        self.age = 0.0
        self.text = "sk-made-up"

    def __call__(self) -> str:
        if not self.text:
            raise SecretMissing(self._id)
        return self.text

    def if_stored(self, again_after: float) -> str | None:  # noqa: ARG002 - nothing is looked up here
        return self.text or None

    def forget(self, older_than: float = 0.0) -> bool:
        self.forgotten += 1
        return self.age >= older_than


class MemoryAccount(Account):
    """A provider whose records are made of memory."""

    @cached_property
    def token_ledgers(self) -> MemoryTokenLedgerStore:
        return MemoryTokenLedgerStore(self.name, most_in_ledger(self.entry, self.facts))

    @cached_property
    def creations(self) -> MemoryCreationStore:
        return MemoryCreationStore(self.name)


def _function() -> cached_property[MemoryLambdaFunction]:
    def made(_: Services) -> MemoryLambdaFunction:
        return MemoryLambdaFunction()

    return cached_property(made)


class MemoryAdapters(Services):
    """Services whose adapters are made of memory, whatever the provider is; each has the name that `Services` gives it."""

    @cached_property
    def bucket(self) -> MemoryBucket:
        return MemoryBucket()

    @cached_property
    def batch_store(self) -> MemoryBatchStore:
        return MemoryBatchStore()

    @cached_property
    def api_key_store(self) -> MemoryApiKeyStore:
        return MemoryApiKeyStore()

    @cached_property
    def idempotency_store(self) -> MemoryIdempotencyStore:
        return MemoryIdempotencyStore()

    @cached_property
    def gather_store(self) -> MemoryGatherStore:
        return MemoryGatherStore(self.batch_store)

    @cached_property
    def webhook_receipts(self) -> MemoryWebhookReceipts:
        return MemoryWebhookReceipts()

    @cached_property
    def sweep_store(self) -> MemorySweepStore:
        return MemorySweepStore(self.batch_store)

    @cached_property
    def file_bucket(self) -> MemoryFileBucket:
        return MemoryFileBucket(self.bucket)

    @cached_property
    def file_store(self) -> MemoryFileStore:
        return MemoryFileStore()

    @cached_property
    def upload_store(self) -> MemoryUploadStore:
        return MemoryUploadStore()

    @cached_property
    def quota_store(self) -> MemoryQuotaStore:
        return MemoryQuotaStore(self.settings.max_stored_bytes)

    @cached_property
    def executions(self) -> MemoryExecutions:
        return MemoryExecutions()

    cancel_function = _function()
    advance_function = _function()
    trigger_function = _function()
    gather_function = _function()

    @cached_property
    def schedule_store(self) -> MemoryScheduleStore:
        return MemoryScheduleStore()

    @cached_property
    def schedule_clock(self) -> MemoryScheduleClock:
        return MemoryScheduleClock()

    @cached_property
    def webhook_secret(self) -> MemorySecret:
        return MemorySecret()

    @cached_property
    def chat_secret(self) -> MemorySecret:
        made = MemorySecret()
        made.text = "https://hooks.slack.com/services/T0/B0/made-up"
        return made

    @cached_property
    def signing_secret(self) -> MemorySecret:
        return MemorySecret()

    @cached_property
    def webhook_store(self) -> MemoryWebhookStore:
        return MemoryWebhookStore()

    @cached_property
    def webhook_executions(self) -> MemoryExecutions:
        return MemoryExecutions()

    @cached_property
    def webhook_sender(self) -> MemoryWebhookSender:
        return MemoryWebhookSender()

    @cached_property
    def event_bus(self) -> MemoryEventBus:
        return MemoryEventBus()

    @cached_property
    def secret(self) -> MemorySecret:
        return MemorySecret()

    def _account(self, entry: Entry) -> MemoryAccount:
        return MemoryAccount(self.settings, entry, lambda: self.secret, lambda: self.bucket, self._client(entry.name))


class MemoryServices(MemoryAdapters):
    """Services without AWS, with a provider of memory; `now_is` is their clock."""

    def __init__(self, **settings: str | int) -> None:
        self.now_is = float(NOW)
        provider = ScriptedProvider(self.now)
        super().__init__(made_up_settings(**settings), provider, lambda: self.now_is, lambda: 0.0)

    @cached_property
    def provider(self) -> ScriptedProvider:
        assert isinstance(self._provider, ScriptedProvider)
        return self._provider

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now_is += seconds


#: What each setting is when the environment does not name the setting.
DEFAULTS: Final[dict[str, Any]] = {each.name: each.default for each in msgspec.structs.fields(Settings)}
_SETTINGS: dict[str, str | int] = {
    "bucket": BUCKET, "table": "table", "event_bus": "bus", "provider_base_url": "http://127.0.0.1/v1",
    "provider_secret_id": "secret", "stack": "stack-1", "max_enqueued_tokens": "1000000000",
}  # fmt: skip


def made_up_settings(**settings: str | int) -> Settings:
    """Make the settings of a stack that is nowhere, but for these."""
    return Settings(**{**_SETTINGS, **settings})  # type: ignore[arg-type]  # each test gives a field its own type
