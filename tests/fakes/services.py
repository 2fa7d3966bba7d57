"""Services whose bucket, table, state machine, bus and provider are dictionaries: no socket is opened."""

from collections.abc import Mapping

from batchyard.adapters.event_bus import EventBus
from batchyard.adapters.executions import Executions
from batchyard.adapters.lambda_functions import LambdaFunction
from batchyard.adapters.secrets_manager import Secret
from batchyard.domain.batch import Batch
from batchyard.services import Services
from batchyard.settings import Settings
from tests.fakes.batches import BUCKET, NOW
from tests.fakes.bucket import MemoryBucket, MemoryFileBucket
from tests.fakes.provider import MemoryProvider
from tests.fakes.stores import (
    MemoryBatchStore,
    MemoryFileStore,
    MemoryQuotaStore,
    MemorySweepStore,
    MemoryTokenLedgerStore,
    MemoryUploadStore,
)
from tests.fakes.webhooks import MemoryWebhookExecutions, MemoryWebhookSender, MemoryWebhookStore


class MemoryExecutions(Executions):
    """The executions started, by name; `statuses` tells those that do not run any more."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.statuses: dict[str, str] = {}

    def start(self, batch_id: str, restarts: int = 0) -> bool:
        name = f"{batch_id}-{restarts + 1}" if restarts else batch_id
        self.started.append(name)
        return self.started.count(name) == 1

    def status(self, batch_id: str, restarts: int) -> str | None:
        name = f"{batch_id}-{restarts + 1}" if restarts else batch_id
        return self.statuses.get(name, "RUNNING") if name in self.started else None


class MemoryLambdaFunction(LambdaFunction):
    """The invocations asked for."""

    def __init__(self) -> None:
        self.invoked: list[dict[str, object]] = []

    def invoke(self, payload: Mapping[str, object]) -> None:
        self.invoked.append(dict(payload))


class MemoryEventBus(EventBus):
    """The statuses announced."""

    def __init__(self) -> None:
        self.announced: list[str] = []

    def announce(self, batch: Batch, what: str | None = None) -> None:
        self.announced.append(what or batch.status)


class MemorySecret(Secret):
    """A made-up key that counts how often it was said to be stale."""

    def __init__(self) -> None:
        self.forgotten = 0
        self.age = 0.0
        self.text = "sk-made-up"

    def __call__(self) -> str:
        return self.text

    def forget(self, older_than: float = 0.0) -> bool:
        self.forgotten += 1
        return self.age >= older_than


class MemoryServices(Services):
    """Services without AWS; `now_is` is its clock."""

    def __init__(self, **settings: str | int) -> None:
        self.now_is = float(NOW)
        self.scripted = MemoryProvider()
        self.scripted.clock = self.now
        given = Settings(**{**_SETTINGS, **settings})  # type: ignore[arg-type]  # each test gives a field its own type
        super().__init__(given, self.scripted, lambda: self.now_is, lambda: 0.0)
        self.fake_bucket, self.table, self.room = MemoryBucket(), MemoryBatchStore(), MemoryTokenLedgerStore()
        self.started, self.invoked, self.bus, self.key = (
            MemoryExecutions(), MemoryLambdaFunction(), MemoryEventBus(), MemorySecret(),
        )  # fmt: skip
        self.bucket, self.batch_store, self.executions = self.fake_bucket, self.table, self.started
        self.sweep_store = MemorySweepStore(self.table)
        self.kept_files, self.file_bodies = MemoryFileStore(), MemoryFileBucket(self.fake_bucket)
        self.token_ledger_store = self.room
        self.kept_uploads = MemoryUploadStore()
        self.quota_store = self.sums = MemoryQuotaStore()
        self.file_store, self.file_bucket, self.upload_store = self.kept_files, self.file_bodies, self.kept_uploads
        self.cancel_function, self.event_bus, self.secret = self.invoked, self.bus, self.key
        self.advanced, self.signing = MemoryLambdaFunction(), MemorySecret()
        self.advance_function, self.webhook_secret = self.advanced, self.signing
        self.root, self.hooks, self.deliveries, self.called = (
            MemorySecret(), MemoryWebhookStore(), MemoryWebhookExecutions(), MemoryWebhookSender(),
        )  # fmt: skip
        self.signing_secret, self.webhook_store = self.root, self.hooks
        self.webhook_executions, self.webhook_sender = self.deliveries, self.called

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now_is += seconds


_SETTINGS: dict[str, str | int] = {
    "bucket": BUCKET, "table": "table", "event_bus": "bus", "provider_base_url": "http://127.0.0.1/v1",
    "provider_secret_id": "secret", "stack": "stack-1", "max_enqueued_tokens": "1000000000",
}  # fmt: skip
