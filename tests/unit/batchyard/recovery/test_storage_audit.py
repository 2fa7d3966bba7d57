"""The sweep corrects what is known of stored bytes: expired files and uploads, and counts whose file never came."""

from collections.abc import Iterator

import pytest

from batchyard.api import uploads
from batchyard.api.files import delete_file
from batchyard.api.presigned import presign_file
from batchyard.domain.multipart_upload import LIFE
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.stored_file import Stored, StoredFile
from batchyard.recovery.storage_audit import CLOCK_EVERY, sum_up
from batchyard.recovery.sweep_run import RESERVE, SweepRun
from tests.fakes.services import MemoryServices

MOST = 10**12


def announced(services: MemoryServices, size: int, tenant: str = "default", life: int | None = None) -> str:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": size}
    expires = {"expires_after": {"anchor": "created_at", "seconds": life}} if life else {}
    return str(presign_file(services, tenant, {**body, **expires})["id"])


def begun(services: MemoryServices, size: int) -> str:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": size, "mime_type": "text/jsonl"}
    return str(uploads.create_upload(services, "default", body)["id"])


def swept(services: MemoryServices, looks: int = 10_000) -> dict[str, int]:
    left = iter([*[RESERVE + 1] * looks, *[RESERVE] * 10_000])
    run = SweepRun(services, lambda: next(left))
    sum_up(run)
    return dict(run.done)


def known(services: MemoryServices, tenant: str = "default") -> int:
    return services.quota_store.read(tenant).bytes


def test_uploads_count_from_their_announcement_until_they_are_cancelled_or_their_file_is_deleted() -> None:
    services = MemoryServices(max_stored_bytes=MOST)
    first, second, file_id = begun(services, 100), begun(services, 30), announced(services, 5)
    assert known(services) == 135
    uploads.cancel_upload(services, "default", second)
    uploads.cancel_upload(services, "default", second)
    assert known(services) == 105
    delete_file(services, "default", file_id)
    assert known(services) == 100
    assert services.upload_store.known[first].status == "pending"


def test_what_expired_takes_no_room_an_hour_later() -> None:
    services = MemoryServices(max_stored_bytes=MOST)
    begun(services, 100)
    announced(services, 30, life=HOUR)
    announced(services, 5)
    assert swept(services) == {}  # the first time, it is right
    services.wait(max(LIFE, HOUR))
    assert swept(services) == {"StoredBytesCorrected": 1}
    assert known(services) == 5
    assert swept(services) == {}


def test_the_files_of_before_there_was_a_limit_are_counted_by_the_next_sweep() -> None:
    services = MemoryServices(max_stored_bytes=0)
    announced(services, 30)
    services.settings, services.quota_store.most_bytes = MemoryServices(max_stored_bytes=100).settings, 100
    announced(services, 5)
    assert known(services) == 5
    assert swept(services) == {"StoredBytesCorrected": 1}
    assert known(services) == 35


@pytest.mark.parametrize(("age", "corrected"), [(HOUR, {}), (DAY, {"StoredBytesCorrected": 1})])
def test_a_sum_that_moves_is_left_alone_for_a_day(age: int, corrected: dict[str, int]) -> None:
    services = MemoryServices(max_stored_bytes=MOST)
    announced(services, 5)
    swept(services)
    services.wait(age)
    services.quota_store.count("default", 7, services.now())  # a call is under way that has not recorded its file yet
    assert swept(services) == corrected


def test_a_sum_that_was_moved_while_it_was_made_is_left_for_the_next_time() -> None:
    services = MemoryServices(max_stored_bytes=MOST)
    announced(services, 5)
    services.quota_store.count("default", 7, services.now())
    stored = services.file_store.stored

    def meanwhile(tenant: str) -> Iterator[StoredFile]:
        services.quota_store.count("default", 1, services.now())
        return stored(tenant)

    services.file_store.stored = meanwhile  # type: ignore[method-assign]  # another call comes between
    assert swept(services) == {}
    services.file_store.stored = stored  # type: ignore[method-assign]  # and now none
    assert swept(services) == {"StoredBytesCorrected": 1}
    assert known(services) == 5


def test_tenants_are_summed_up_in_turns_and_one_too_large_holds_up_nobody() -> None:
    services = MemoryServices(max_stored_bytes=MOST)
    for _ in range(CLOCK_EVERY):
        announced(services, 1, "a")
    for tenant in "abc":
        announced(services, 5, tenant)
        services.quota_store.count(tenant, 7, services.now())
    assert swept(services, looks=1) == {}
    assert swept(services, looks=1) == {"StoredBytesCorrected": 1}
    assert swept(services, looks=1) == {"StoredBytesCorrected": 1}
    assert (known(services, "b"), known(services, "c")) == (5, 5)
    assert swept(services) == {"StoredBytesCorrected": 1}
    assert known(services, "a") == CLOCK_EVERY + 5


def test_without_a_limit_nothing_is_summed_up() -> None:
    services = MemoryServices(max_stored_bytes=0)
    services.quota_store.known["default"] = Stored(tenant="default", bytes=7)
    assert swept(services) == {}
    assert known(services) == 7
