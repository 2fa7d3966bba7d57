"""Changed lines count toward what the tenant stores once, and not at all if their batch is refused or the writing fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchyard.adapters.object_writer import Begun, Writer
from batchyard.domain.errors import StoreError
from batchyard.planning import changed_lines
from batchyard.planning.changed_lines import CHANGED, ChangedLines
from batchyard.planning.decompress import TooMuch
from batchyard.planning.progress import PlanProgress
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.services import MemoryServices

if TYPE_CHECKING:
    from batchyard.domain.batch import Batch

LINE = b"x" * 399 + b"\n"
COUNTED = 1_000  # bytes that are counted together


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> MemoryServices:
    monkeypatch.setattr(changed_lines, "COUNTED_TOGETHER", COUNTED)
    services = MemoryServices()
    services.quota_store.most_bytes = 1_000_000
    services.batch_store.create_batch(asked())
    services.quota_store.add("default", 500, 0)
    return services


def asked() -> Batch:
    return batch(retry_of="batch_0", retry_body='{"model": "n"}')


def write(services: MemoryServices, progress: PlanProgress, lines: int, error: Exception | None = None) -> None:
    with ChangedLines(services, asked(), progress) as changed:
        for _ in range(lines):
            changed.write(LINE)
        if error is not None:
            raise error
        changed.complete()


def stored(services: MemoryServices) -> int:
    return services.quota_store.read("default").bytes


@pytest.mark.parametrize("lines", [2, 3, 5])
def test_no_byte_stays_counted_if_there_is_no_room_for_the_last_ones(services: MemoryServices, lines: int) -> None:
    services.quota_store.most_bytes = 500 + lines * len(LINE) - 1
    progress = PlanProgress()
    with pytest.raises(TooMuch):
        write(services, progress, lines)
    assert (stored(services), progress.retry.changed_counted) == (500, 0)
    assert services.batch_store.batch(BATCH_ID).changed is None


def test_lines_that_just_fit_are_counted(services: MemoryServices) -> None:
    services.quota_store.most_bytes = 500 + 5 * len(LINE)
    progress = PlanProgress()
    write(services, progress, 5)
    assert stored(services) == services.quota_store.most_bytes
    assert progress.retry.changed == services.batch_store.batch(BATCH_ID).changed


@pytest.mark.parametrize("fails", ["head", "keep_copy"])
def test_another_try_counts_no_byte_twice(
    services: MemoryServices, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreError(fails)

    with monkeypatch.context() as broken:
        broken.setattr(services.bucket if fails == "head" else services.batch_store, fails, fail)
        with pytest.raises(StoreError, match=fails):
            write(services, PlanProgress(), 5)
    assert stored(services) == 500
    write(services, PlanProgress(), 5)
    assert stored(services) == 500 + 5 * len(LINE)


def test_what_a_checkpoint_names_stays_counted_after_a_failure_and_goes_with_a_refusal(
    services: MemoryServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = PlanProgress()
    with ChangedLines(services, asked(), progress) as changed:
        for _ in range(3):
            changed.write(LINE)
        changed.suspend()
    begun, counted, discarded = progress.retry.changing, progress.retry.changed_counted, []
    assert begun is not None
    assert (begun.size, counted) == (3 * len(LINE), 3 * len(LINE))
    monkeypatch.setattr(Writer, "discard", lambda writer: discarded.append(writer.key))
    with pytest.raises(StoreError):
        write(services, progress, 3, StoreError("S3"))
    assert (stored(services), progress.retry.changed_counted, discarded) == (500 + counted, counted, [])
    again = PlanProgress()
    again.retry.changing = Begun(size=begun.size, held=begun.held)
    again.retry.changed_bytes = again.retry.changed_counted = counted
    services.quota_store.most_bytes = stored(services) + len(LINE) - 1
    with pytest.raises(TooMuch):
        write(services, again, 1)
    assert (stored(services), again.retry.changed_counted) == (500, 0)
    assert [key.rpartition("/")[2] for key in discarded] == [CHANGED]
