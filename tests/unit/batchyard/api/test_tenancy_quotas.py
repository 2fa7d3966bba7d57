"""What one tenant may have at once."""

from collections.abc import Callable

import msgspec
import pytest

from batchyard.api.tenancy import check_open_batches, room_for
from batchyard.domain.errors import ApiError, StoreError
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.services import MemoryServices


def refused(call: Callable[[], None]) -> tuple[int, str | None] | None:
    try:
        call()
    except ApiError as error:
        return error.status, error.code
    return None


def open_batches(services: MemoryServices, count: int, tenant: str = "default", status: str = "validating") -> None:
    for number in range(count):
        made = msgspec.structs.replace(batch(tenant=tenant, status=status), batch_id=f"batch_{tenant}{status}{number}")
        services.batch_store.create_batch(made)


@pytest.mark.parametrize(
    ("count", "answer"),
    [(0, None), (2, None), (3, (429, "open_batches_limit_exceeded")), (9, (429, "open_batches_limit_exceeded"))],
)
def test_a_tenant_has_no_more_open_batches_than_it_may(count: int, answer: tuple[int, str] | None) -> None:
    services = MemoryServices(max_open_batches=3)
    open_batches(services, count)
    assert refused(lambda: check_open_batches(services, "default", BATCH_ID)) == answer


def test_batches_that_ended_or_are_another_s_take_no_room() -> None:
    services = MemoryServices(max_open_batches=3)
    open_batches(services, 5, tenant="other")
    open_batches(services, 5, status="completed")
    open_batches(services, 2, status="cancelling")
    assert refused(lambda: check_open_batches(services, "default", BATCH_ID)) is None


def test_a_batch_that_is_there_already_needs_no_room() -> None:
    services = MemoryServices(max_open_batches=1)
    services.batch_store.create_batch(batch())
    assert refused(lambda: check_open_batches(services, "default", "batch_new", BATCH_ID)) is None
    assert refused(lambda: check_open_batches(services, "default", "batch_new")) is not None


def test_without_a_limit_nothing_is_counted() -> None:
    services = MemoryServices(max_open_batches=0, max_stored_bytes=0)
    open_batches(services, 5)
    assert refused(lambda: check_open_batches(services, "default", BATCH_ID)) is None
    assert refused(lambda: stores(services, 10**12)) is None
    assert services.quota_store.known == {}


def stores(services: MemoryServices, size: int, tenant: str = "default") -> None:
    with room_for(services, tenant, size):
        pass


@pytest.mark.parametrize(("size", "answer"), [(40, None), (41, (403, "storage_limit_exceeded"))])
def test_a_file_must_fit_into_what_a_tenant_may_store(size: int, answer: tuple[int, str] | None) -> None:
    services = MemoryServices(max_stored_bytes=100)
    stores(services, 60)
    stores(services, 100, "other")
    assert refused(lambda: stores(services, size)) == answer


def test_a_first_file_must_fit_too() -> None:
    assert refused(lambda: stores(MemoryServices(max_stored_bytes=100), 101)) == (403, "storage_limit_exceeded")


def test_what_is_deleted_makes_room_and_results_take_it_whatever_the_limit() -> None:
    services = MemoryServices(max_stored_bytes=100)
    stores(services, 60)
    services.quota_store.count("default", 70, services.now())
    assert refused(lambda: stores(services, 1)) is not None
    services.quota_store.give_back("default", 60, services.now())
    assert refused(lambda: stores(services, 30)) is None


def test_a_file_that_could_not_be_recorded_takes_no_room() -> None:
    services = MemoryServices(max_stored_bytes=100)
    with pytest.raises(StoreError), room_for(services, "default", 60):
        raise StoreError("no")
    assert services.quota_store.read("default").bytes == 0
