"""What nobody waits for any more is cancelled at the provider; what is waited for is not."""

import pytest

from batch_client import ServerError
from batchyard.domain.batch import LineError
from batchyard.domain.shard import Step, finish
from batchyard.shards.cancel import cancel
from batchyard.shards.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard
from tests.unit.batchyard.planned import planned


def running() -> MemoryYard:
    """Make a yard whose batch runs as three provider batches."""
    yard = planned(max_requests_per_shard=1)
    for number in range(3):
        assert submit(yard, Step(BATCH_ID, number)).next == "poll"
    return yard


def give_up(yard: MemoryYard, number: int) -> None:
    shard = yard.table.kept[BATCH_ID, number]
    yard.table.save_shard(shard, finish(shard, LineError("server_error", "no")))


def statuses(yard: MemoryYard) -> list[str]:
    return [each.status for each in yard.scripted.batches.values()]


def test_of_a_batch_that_goes_on_only_the_shards_that_were_given_up_are_cancelled() -> None:
    yard = running()
    assert cancel(yard, BATCH_ID) == 0
    give_up(yard, 1)
    assert cancel(yard, BATCH_ID) == 1
    assert statuses(yard) == ["in_progress", "cancelling", "in_progress"]


@pytest.mark.parametrize("status", ["cancelling", "failed"])
def test_of_a_batch_that_was_cancelled_or_has_failed_all_are(status: str) -> None:
    yard = running()
    give_up(yard, 1)
    yard.table.move_batch(BATCH_ID, status, yard.now())
    assert cancel(yard, BATCH_ID) == 3
    assert statuses(yard) == ["cancelling"] * 3


def test_one_that_cannot_be_cancelled_does_not_keep_the_others() -> None:
    yard = running()
    yard.table.move_batch(BATCH_ID, "failed", yard.now())
    yard.scripted.trouble["cancel_batch"] = [ServerError("down", status=500)]
    assert cancel(yard, BATCH_ID) == 2
    assert statuses(yard) == ["in_progress", "cancelling", "cancelling"]


def test_a_shard_that_was_never_sent_has_nothing_to_cancel() -> None:
    yard = planned()
    yard.table.move_batch(BATCH_ID, "cancelling", yard.now())
    assert cancel(yard, BATCH_ID) == 0
    assert yard.scripted.calls == []
