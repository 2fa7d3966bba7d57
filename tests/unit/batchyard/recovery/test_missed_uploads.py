"""An upload without a batch is started, unless its record may have expired."""

import pytest

from batchyard.domain.durations import DAY
from batchyard.recovery.sweep import sweep
from tests.fakes.planned import INPUT
from tests.fakes.services import MemoryServices


@pytest.mark.parametrize(("days", "done"), [(0, {"UploadsStarted": 1}), (6, {"UploadsStarted": 1}), (8, {}), (80, {})])
def test_an_upload_is_started_as_long_as_it_cannot_have_had_a_batch_before(days: int, done: dict[str, int]) -> None:
    services = MemoryServices()
    services.bucket.put("inbox/team/missed.jsonl", INPUT)
    services.wait(days * DAY)
    assert sweep(services) == done
    assert [each.tenant for each in services.batch_store.batches.values()] == ["team"] * len(done)
