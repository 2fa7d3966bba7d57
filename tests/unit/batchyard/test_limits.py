"""What one tenant may have at once."""

from collections.abc import Callable

import msgspec
import pytest

from batchyard import keys, stored_file
from batchyard.errors import ApiError
from batchyard.limits import check_open_batches, check_stored_bytes
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard, batch


def refused(call: Callable[[], None]) -> tuple[int, str | None] | None:
    try:
        call()
    except ApiError as error:
        return error.status, error.code
    return None


def open_batches(yard: MemoryYard, count: int, tenant: str = "default", status: str = "validating") -> None:
    for number in range(count):
        made = msgspec.structs.replace(batch(tenant=tenant, status=status), batch_id=f"batch_{tenant}{status}{number}")
        yard.table.create_batch(made)


@pytest.mark.parametrize(
    ("count", "answer"),
    [(0, None), (2, None), (3, (429, "open_batches_limit_exceeded")), (9, (429, "open_batches_limit_exceeded"))],
)
def test_a_tenant_has_no_more_open_batches_than_it_may(count: int, answer: tuple[int, str] | None) -> None:
    yard = MemoryYard(max_open_batches=3)
    open_batches(yard, count)
    assert refused(lambda: check_open_batches(yard, "default", BATCH_ID)) == answer


def test_batches_that_ended_or_are_another_s_take_no_room() -> None:
    yard = MemoryYard(max_open_batches=3)
    open_batches(yard, 5, tenant="other")
    open_batches(yard, 5, status="completed")
    open_batches(yard, 2, status="cancelling")
    assert refused(lambda: check_open_batches(yard, "default", BATCH_ID)) is None


def test_a_batch_that_is_there_already_needs_no_room() -> None:
    yard = MemoryYard(max_open_batches=1)
    yard.table.create_batch(batch())
    assert refused(lambda: check_open_batches(yard, "default", "batch_new", BATCH_ID)) is None
    assert refused(lambda: check_open_batches(yard, "default", "batch_new")) is not None


def test_without_a_limit_nothing_is_counted() -> None:
    yard = MemoryYard(max_open_batches=0, max_stored_bytes=0)
    open_batches(yard, 5)
    assert refused(lambda: check_open_batches(yard, "default", BATCH_ID)) is None
    assert refused(lambda: check_stored_bytes(yard, "default", 10**12)) is None


@pytest.mark.parametrize(("size", "answer"), [(40, None), (41, (403, "storage_limit_exceeded"))])
def test_a_file_must_fit_into_what_a_tenant_may_store(size: int, answer: tuple[int, str] | None) -> None:
    yard = MemoryYard(max_stored_bytes=100)
    for name, tenant, life in (("a", "default", None), ("b", "default", 1), ("c", "other", None)):
        key = keys.file(tenant, f"file-{name}")
        yard.kept_files.keep(
            stored_file.new(
                f"file-{name}", tenant, yard.clock(), life, key=key, bytes=60, filename="f", purpose="batch"
            )
        )
    yard.wait(5)  # the second is gone by then
    assert refused(lambda: check_stored_bytes(yard, "default", size)) == answer
