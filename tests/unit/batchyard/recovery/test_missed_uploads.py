"""What it costs to look for missed uploads is bounded, whatever lies in the inbox, and each upload is met in time."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from batchyard.adapters.bucket import Arrived, InboxPage
from batchyard.domain.batch import Batch, InputObject
from batchyard.recovery.missed_uploads import OLDEST, start_missed
from batchyard.recovery.sweep import sweep
from batchyard.recovery.sweep_run import RESERVE, SweepRun
from tests.fakes.batches import BUCKET, batch
from tests.fakes.bucket import MemoryBucket
from tests.fakes.planned import INPUT
from tests.fakes.services import MemoryServices
from tests.fakes.stores import MemoryBatchStore

HOUR, DAY, SWEEP = 3_600, 86_400, 300
HOURS_OF_A_MONTH = 730
DOLLARS_A_REQUEST, DOLLARS_A_LOOK_UP = 5e-6, 0.125e-6


class Inbox(MemoryBucket):
    """So many pages of old objects, with some of the last hour on each."""

    def __init__(self, services: MemoryServices, pages: int, new: int) -> None:
        super().__init__()
        self.services, self.pages, self.new = services, pages, new
        self.requests, self.walks = 0, 0

    def inbox(self, prefix: str, after: str = "") -> Iterator[InboxPage]:
        self.walks += not after
        at = datetime.fromtimestamp(self.services.clock() - HOUR, UTC)
        for number in range(int(after.split("/")[1]) + 1 if after else 0, self.pages):
            self.requests += 1
            keys = (f"{prefix}{number:06}/{each}" for each in range(self.new))
            yield InboxPage(
                [Arrived(InputObject(BUCKET, key, "e", 1, "v1"), at) for key in keys], f"{prefix}{number:06}/z"
            )


class KnowsEveryBatch(MemoryBatchStore):
    """Records of a batch for each upload there is."""

    look_ups = 0

    def find_batch(self, batch_id: str) -> Batch | None:  # noqa: ARG002 - as the store's own
        self.look_ups += 1
        return batch()


def swept(pages: int, new: int, hours: int) -> tuple[Inbox, KnowsEveryBatch]:
    """Sweep such an inbox every five minutes for so long."""
    services = MemoryServices()
    services.bucket = inbox = Inbox(services, pages, new)
    services.batch_store = store = KnowsEveryBatch()
    for _ in range(hours * HOUR // SWEEP):
        start_missed(SweepRun(services, lambda: 600.0))
        services.wait(SWEEP)
    return inbox, store


@pytest.mark.parametrize(("pages", "new"), [(1, 0), (1, 300), (8, 0), (100, 0), (100, 20), (1_000, 10), (2_400, 1)])
def test_an_inbox_of_any_size_costs_less_than_half_a_dollar_a_month_to_list_and_as_much_to_look_up(
    pages: int, new: int
) -> None:
    hours = 96
    inbox, store = swept(pages, new, hours)
    share = HOURS_OF_A_MONTH / hours
    assert inbox.requests * share * DOLLARS_A_REQUEST < 0.5
    assert store.look_ups * share * DOLLARS_A_LOOK_UP < 0.5


@pytest.mark.parametrize(("pages", "seconds"), [(1, SWEEP), (8, SWEEP), (100, HOUR), (1_000, 10 * HOUR), (5_000, DAY)])
def test_a_small_inbox_is_walked_in_every_sweep_one_of_100_000_once_an_hour_and_any_once_a_day(
    pages: int, seconds: int
) -> None:
    inbox, _ = swept(pages, 0, 96)
    assert inbox.walks == math.ceil(96 * HOUR / seconds)
    assert seconds * 3 < OLDEST.total_seconds()  # an upload is met three times at least before it is too old


def test_a_walk_that_takes_several_runs_counts_all_it_cost() -> None:
    services = MemoryServices()
    services.bucket = inbox = Inbox(services, 100, 1)
    services.batch_store = KnowsEveryBatch()
    left = iter([*([600.0] * 50), RESERVE, *([600.0] * 60)])
    start_missed(SweepRun(services, lambda: next(left)))
    assert 40 < inbox.requests < 60
    start_missed(SweepRun(services, lambda: 600.0))
    assert inbox.requests == 101  # the page it was on is listed again
    services.wait(HOUR - 1)
    start_missed(SweepRun(services, lambda: 600.0))
    assert inbox.requests == 101
    services.wait(1)
    start_missed(SweepRun(services, lambda: 600.0))
    assert inbox.requests == 201


def test_an_upload_is_met_however_the_inbox_is_cut_into_pages() -> None:
    for page in (1, 2, 3, 10):
        services = MemoryServices()
        services.bucket = MemoryBucket(page=page)
        for name in "abcde":
            services.bucket.put(f"inbox/default/{name}.jsonl", INPUT)
        start_missed(SweepRun(services, lambda: 600.0))
        assert len(services.batch_store.batches) == 5


@pytest.mark.parametrize(("days", "done"), [(0, {"UploadsStarted": 1}), (6, {"UploadsStarted": 1}), (8, {}), (80, {})])
def test_an_upload_is_started_as_long_as_it_cannot_have_had_a_batch_before(days: int, done: dict[str, int]) -> None:
    services = MemoryServices()
    services.bucket.put("inbox/team/missed.jsonl", INPUT)
    services.wait(days * DAY)
    assert sweep(services) == done
    assert [each.tenant for each in services.batch_store.batches.values()] == ["team"] * len(done)
