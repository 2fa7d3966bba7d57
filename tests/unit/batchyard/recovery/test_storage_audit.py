"""The sweep corrects what is known of stored bytes: expired files and uploads, and counts whose file never came."""

import pytest

from batchyard.api import quotas, uploads
from batchyard.api.files import delete_file
from batchyard.api.presigned import presign_file
from batchyard.domain.multipart_upload import LIFE
from batchyard.domain.quota import DAY, HOUR
from batchyard.recovery.storage_audit import AT_ONCE, sum_up
from batchyard.recovery.sweep_run import RESERVE, Shift
from tests.unit.batchyard.memory import MemoryYard

MOST = 10**12


def announced(yard: MemoryYard, size: int, tenant: str = "default", life: int | None = None) -> str:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": size}
    expires = {"expires_after": {"anchor": "created_at", "seconds": life}} if life else {}
    return str(presign_file(yard, tenant, {**body, **expires})["id"])


def begun(yard: MemoryYard, size: int) -> str:
    body = {"filename": "in.jsonl", "purpose": "batch", "bytes": size, "mime_type": "text/jsonl"}
    return str(uploads.create_upload(yard, "default", body)["id"])


def swept(yard: MemoryYard, looks: int = 10_000) -> dict[str, int]:
    left = iter([*[RESERVE + 1] * looks, *[RESERVE] * 10_000])
    shift = Shift(yard, lambda: next(left))
    sum_up(shift)
    return dict(shift.done)


def known(yard: MemoryYard, tenant: str = "default") -> int:
    return yard.sums.read(tenant).bytes


def test_uploads_count_from_their_announcement_until_they_are_cancelled_or_their_file_is_deleted() -> None:
    yard = MemoryYard(max_stored_bytes=MOST)
    first, second, file_id = begun(yard, 100), begun(yard, 30), announced(yard, 5)
    assert known(yard) == 135
    uploads.cancel_upload(yard, "default", second)
    uploads.cancel_upload(yard, "default", second)
    assert known(yard) == 105
    delete_file(yard, "default", file_id)
    assert known(yard) == 100
    assert yard.kept_uploads.known[first].status == "pending"


def test_what_expired_takes_no_room_an_hour_later() -> None:
    yard = MemoryYard(max_stored_bytes=MOST)
    begun(yard, 100)
    announced(yard, 30, life=HOUR)
    announced(yard, 5)
    assert swept(yard) == {}  # the first time, it is right
    yard.wait(max(LIFE, HOUR))
    assert swept(yard) == {"StoredBytesCorrected": 1}
    assert known(yard) == 5
    assert swept(yard) == {}


def test_the_files_of_before_there_was_a_limit_are_counted_by_the_next_sweep() -> None:
    yard = MemoryYard()
    announced(yard, 30)
    yard.settings = MemoryYard(max_stored_bytes=100).settings
    announced(yard, 5)
    assert known(yard) == 5
    assert swept(yard) == {"StoredBytesCorrected": 1}
    assert known(yard) == 35


@pytest.mark.parametrize(("age", "corrected"), [(HOUR, {}), (DAY, {"StoredBytesCorrected": 1})])
def test_a_sum_that_moves_is_left_alone_for_a_day(age: int, corrected: dict[str, int]) -> None:
    yard = MemoryYard(max_stored_bytes=MOST)
    announced(yard, 5)
    swept(yard)
    yard.wait(age)
    quotas.count(yard, "default", 7)  # a call is under way that has not recorded its file yet
    assert swept(yard) == corrected


def test_a_sum_that_was_moved_while_it_was_made_is_left_for_the_next_time() -> None:
    yard = MemoryYard(max_stored_bytes=MOST)
    announced(yard, 5)
    quotas.count(yard, "default", 7)
    files = yard.kept_files.files

    def meanwhile(*arguments: object, **named: object) -> object:
        quotas.count(yard, "default", 1)
        return files(*arguments, **named)  # type: ignore[arg-type]  # as they came

    yard.kept_files.files = meanwhile  # type: ignore[method-assign,assignment]  # another call comes between
    assert swept(yard) == {}
    yard.kept_files.files = files  # type: ignore[method-assign]  # and now none
    assert swept(yard) == {"StoredBytesCorrected": 1}
    assert known(yard) == 5


def test_tenants_are_summed_up_in_turns_and_one_too_large_holds_up_nobody() -> None:
    yard = MemoryYard(max_stored_bytes=MOST)
    for _ in range(AT_ONCE):
        announced(yard, 1, "a")
    for tenant in "abc":
        announced(yard, 5, tenant)
        quotas.count(yard, tenant, 7)
    assert swept(yard, looks=1) == {}
    assert swept(yard, looks=1) == {"StoredBytesCorrected": 1}
    assert swept(yard, looks=1) == {"StoredBytesCorrected": 1}
    assert (known(yard, "b"), known(yard, "c")) == (5, 5)
    assert swept(yard) == {"StoredBytesCorrected": 1}
    assert known(yard, "a") == AT_ONCE + 5


def test_without_a_limit_nothing_is_summed_up() -> None:
    yard = MemoryYard()
    yard.sums.add("default", 7, yard.now(), None)
    assert swept(yard) == {}
    assert known(yard) == 7
