"""The fakes have every method of the real things, with the same parameters."""

import inspect

import pytest

from batch_client import BatchClient
from batchyard.adapters.batch_store import Records
from batchyard.adapters.bucket import Objects
from batchyard.adapters.event_bus import Events
from batchyard.adapters.executions import Executions, WebhookExecutions
from batchyard.adapters.file_bucket import FileObjects
from batchyard.adapters.file_store import FileRecords
from batchyard.adapters.lambda_functions import Functions
from batchyard.adapters.quota_store import StoredBytes
from batchyard.adapters.secrets_manager import Secret
from batchyard.adapters.sweep_store import Chores
from batchyard.adapters.token_ledger_store import Ledgers
from batchyard.adapters.upload_store import UploadRecords
from batchyard.adapters.webhook_sender import Callbacks
from batchyard.adapters.webhook_store import WebhookRecords
from batchyard.services import Provider
from tests.unit.batchyard.memory import (
    MemoryChores,
    MemoryEvents,
    MemoryExecutions,
    MemoryFileObjects,
    MemoryFileRecords,
    MemoryFunctions,
    MemoryLedgers,
    MemoryObjects,
    MemoryProvider,
    MemoryRecords,
    MemorySecret,
    MemoryStoredBytes,
    MemoryUploadRecords,
)
from tests.unit.batchyard.webhook_memory import MemoryCallbacks, MemoryWebhookExecutions, MemoryWebhookRecords

INHERITED = {"fence", "put_headers"}  # they call nothing but what is here


def methods(kind: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (Objects, MemoryObjects),
        (Records, MemoryRecords),
        (Chores, MemoryChores),
        (Ledgers, MemoryLedgers),
        (Executions, MemoryExecutions),
        (Functions, MemoryFunctions),
        (Events, MemoryEvents),
        (FileObjects, MemoryFileObjects),
        (FileRecords, MemoryFileRecords),
        (UploadRecords, MemoryUploadRecords),
        (StoredBytes, MemoryStoredBytes),
        (Secret, MemorySecret),
        (WebhookRecords, MemoryWebhookRecords),
        (WebhookExecutions, MemoryWebhookExecutions),
        (Callbacks, MemoryCallbacks),
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
