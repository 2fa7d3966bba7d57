"""A record that cannot be read stops no sweep: it is set apart, told and counted, and all others are seen to."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from batchyard.adapters.bucket import Arrived, InboxPage
from batchyard.domain.batch import Batch
from batchyard.domain.errors import StoreError
from batchyard.domain.numbers import DAY
from batchyard.domain.stored_file import Stored
from batchyard.recovery.sweep import sweep, sweep_batch
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.bucket import MemoryBucket
from tests.fakes.planned import INPUT
from tests.fakes.services import MemoryServices
from tests.fakes.stores import MemoryBatchStore, MemoryQuotaStore, MemoryTokenLedgerStore

# What reading a poisoned record leads to, in one place or another.
UNREADABLE = [
    ValueError("no number"),
    TypeError("no text"),
    OverflowError("too large"),
    KeyError("tenant"),
    msgspec.ValidationError("x"),
]
each_error = pytest.mark.parametrize("error", UNREADABLE, ids=lambda error: type(error).__name__)


class PoisonedStore(MemoryBatchStore):
    """Records of which one raises when it is read."""

    poisoned = "batch_0bad"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def find_batch(self, batch_id: str) -> Batch | None:
        if batch_id == self.poisoned:
            raise self.error
        return super().find_batch(batch_id)


def poisoned(error: Exception) -> MemoryServices:
    """Make services with a batch that cannot be read, and behind it one without an execution."""
    services = MemoryServices()
    services.batch_store = PoisonedStore(error)
    for batch_id in (PoisonedStore.poisoned, BATCH_ID):
        services.batch_store.create_batch(msgspec.structs.replace(batch(), batch_id=batch_id))
    return services


@each_error
def test_a_batch_that_cannot_be_read_keeps_no_other_waiting(error: Exception) -> None:
    services = poisoned(error)
    assert sweep(services) == {"SetApart": 1, "ExecutionsStarted": 1}
    assert services.executions.started == [BATCH_ID]
    assert sweep(services) == {"SetApart": 1}  # as long as it lies there, it is told


@each_error
def test_a_failed_execution_of_such_a_batch_is_told_and_not_tried_for_a_day(error: Exception) -> None:
    assert sweep_batch(poisoned(error), PoisonedStore.poisoned) == {"SetApart": 1}


def test_a_task_that_cannot_go_on_keeps_no_other_from_its_turn() -> None:
    services = MemoryServices()
    services.batch_store.create_batch(batch())
    services.sweep_store.bookmarks["inbox"] = {"rest_until": "soon"}
    assert sweep(services) == {"SetApart": 1, "ExecutionsStarted": 1}


class PoisonedLedgers(MemoryTokenLedgerStore):
    """Ledgers of which the first cannot be read."""

    def reservations(self, name: str) -> Iterator[Any]:
        if name == "a":
            raise TypeError(name)
        return super().reservations(name)


def test_a_ledger_that_cannot_be_read_keeps_no_other_from_being_corrected() -> None:
    services = MemoryServices()
    services.account().token_ledgers = PoisonedLedgers()
    for name in "ab":
        services.account().token_ledgers.change(name, enqueued=7, reservations=1)
    assert sweep(services) == {"SetApart": 1, "LedgersCorrected": 1}
    assert services.account().token_ledgers.read("b").enqueued == 0


def test_a_provider_batch_of_such_a_batch_keeps_no_other_from_being_cancelled() -> None:
    services = poisoned(TypeError("no text"))
    for batch_id in ("batch_0dead", PoisonedStore.poisoned):  # the newest is listed first
        services.provider.create_batch(
            input_file_id="file-0", endpoint="/v1/responses", completion_window="24h",
            metadata={"batchyard_attempt": f"{batch_id}/0/1", "batchyard_stack": "stack-1"},
        )  # fmt: skip
    assert sweep(services) == {"SetApart": 2, "ExecutionsStarted": 1, "ProviderBatchesCancelled": 1}


class PoisonedBucket(MemoryBucket):
    """A bucket of which one upload has a time that is none."""

    def inbox(self, prefix: str, after: str = "") -> Iterator[InboxPage]:
        for page in super().inbox(prefix, after):
            yield page._replace(
                newest=[self._poisoned(each) if "bad" in each.object.key else each for each in page.newest]
            )

    def _poisoned(self, arrived: Arrived) -> Arrived:
        return arrived._replace(at=None)  # type: ignore[arg-type]  # that is the point


def test_an_upload_that_cannot_be_read_keeps_no_other_from_its_batch() -> None:
    services = MemoryServices()
    services.bucket = PoisonedBucket()
    for name in ("a", "bad", "c"):
        services.bucket.put(f"inbox/default/{name}.jsonl", INPUT)
    assert sweep(services) == {"SetApart": 1, "UploadsStarted": 2}


class PoisonedSums(MemoryQuotaStore):
    """Sums of which the first cannot be read."""

    def read(self, tenant: str) -> Stored:
        if tenant == "a":
            raise msgspec.ValidationError(tenant)
        return super().read(tenant)


def test_a_sum_that_cannot_be_read_keeps_no_other_from_being_corrected() -> None:
    services = MemoryServices(max_stored_bytes=10**6)
    services.quota_store = PoisonedSums(10**6)
    for tenant in "ab":
        services.quota_store.known[tenant] = Stored(tenant=tenant, bytes=7)
    assert sweep(services) == {"SetApart": 1, "StoredBytesCorrected": 1}
    assert services.quota_store.read("b").bytes == 0


def test_a_failure_of_aws_is_still_raised_at_the_end() -> None:
    services = poisoned(StoreError("no"))
    with pytest.raises(StoreError, match="1 things"):
        sweep(services)
    assert services.executions.started == [BATCH_ID]


class UnreadableOpenBatches(MemoryBatchStore):
    """Records of which those of open batches cannot be listed; `asked` counts how often that was tried."""

    asked = 0

    def open_of(self, tenant: str) -> Iterator[Batch]:
        self.asked += 1
        raise msgspec.ValidationError(tenant)


def test_where_the_open_batches_of_a_tenant_cannot_be_read_none_of_its_files_is_removed() -> None:
    services = MemoryServices(max_stored_bytes=0)
    services.batch_store = UnreadableOpenBatches()
    keys = [f"files/a/file-{letter * 22}" for letter in "xyz"]
    for key in (*keys, f"files/b/file-{'x' * 22}"):
        services.bucket.put(key, b"{}")
    services.wait(DAY)
    assert sweep(services) == {"SetApart": 2}
    assert services.batch_store.asked == 2  # once for each tenant
    assert sorted(services.bucket.stored) == [*keys, f"files/b/file-{'x' * 22}"]
