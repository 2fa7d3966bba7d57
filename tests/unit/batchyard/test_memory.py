"""The fakes have every method of the real things, with the same parameters."""

import inspect

import pytest

from batch_client import BatchClient
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
from tests.unit.batchyard.api_memory import MemoryApiKeyStore, MemoryIdempotencyStore, MemoryWebhookReceipts
from tests.unit.batchyard.memory import (
    MemoryBatchStore,
    MemoryBucket,
    MemoryEventBus,
    MemoryExecutions,
    MemoryFileBucket,
    MemoryFileStore,
    MemoryLambdaFunction,
    MemoryProvider,
    MemoryQuotaStore,
    MemorySecret,
    MemorySweepStore,
    MemoryTokenLedgerStore,
    MemoryUploadStore,
)
from tests.unit.batchyard.webhook_memory import MemoryWebhookSender, MemoryWebhookStore

INHERITED = {
    "put_headers",
    "add",
    "count",
    "give_back",
    "name_of",
    "limit",
    "limit_of",
}  # they call nothing but what is here


def methods(kind: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (Bucket, MemoryBucket),
        (BatchStore, MemoryBatchStore),
        (SweepStore, MemorySweepStore),
        (ApiKeyStore, MemoryApiKeyStore),
        (IdempotencyStore, MemoryIdempotencyStore),
        (WebhookReceipts, MemoryWebhookReceipts),
        (TokenLedgerStore, MemoryTokenLedgerStore),
        (Executions, MemoryExecutions),
        (LambdaFunction, MemoryLambdaFunction),
        (EventBus, MemoryEventBus),
        (FileBucket, MemoryFileBucket),
        (FileStore, MemoryFileStore),
        (UploadStore, MemoryUploadStore),
        (QuotaStore, MemoryQuotaStore),
        (Secret, MemorySecret),
        (WebhookStore, MemoryWebhookStore),
        (WebhookSender, MemoryWebhookSender),
        (Provider, MemoryProvider),
    ],
)
def test_a_fake_answers_every_call_the_real_thing_answers(real: type, fake: type) -> None:
    for name in methods(real):
        assert name in vars(fake) or name in INHERITED, name
        assert list(inspect.signature(getattr(real, name)).parameters) == list(
            inspect.signature(getattr(fake, name)).parameters
        )


def test_the_real_client_takes_the_calls_we_make_of_a_provider() -> None:
    for name in methods(Provider):
        ours = set(inspect.signature(getattr(Provider, name)).parameters) - {"self"}
        theirs = set(inspect.signature(getattr(BatchClient, name)).parameters) - {"self"}
        assert ours <= theirs, name
