"""What nobody waits for any more is cancelled at the provider; what is waited for is not."""

import pytest

from batch_client import APIConnectionError, ServerError
from batchyard.domain.batch import BatchError
from batchyard.domain.shard import as_done
from batchyard.domain.step import Step
from batchyard.shards.cancel import cancel
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices


def running() -> MemoryServices:
    """Make services whose batch runs as three provider batches."""
    services = planned(max_requests_per_shard=1)
    for number in range(3):
        assert submit(services, Step(BATCH_ID, number)).next == "poll"
    return services


def give_up(services: MemoryServices, number: int) -> None:
    shard = services.batch_store.kept[BATCH_ID, number]
    services.batch_store.save_shard(shard, as_done(shard, BatchError("server_error", "no")))


def statuses(services: MemoryServices) -> list[str]:
    return [each.status for each in services.provider.batches.values()]


def test_of_a_batch_that_goes_on_only_the_shards_that_were_given_up_are_cancelled() -> None:
    services = running()
    assert cancel(services, BATCH_ID) == 0
    give_up(services, 1)
    assert cancel(services, BATCH_ID) == 1
    assert statuses(services) == ["in_progress", "cancelling", "in_progress"]


@pytest.mark.parametrize("status", ["cancelling", "failed"])
def test_of_a_batch_that_was_cancelled_or_has_failed_all_are(status: str) -> None:
    services = running()
    give_up(services, 1)
    services.batch_store.move_batch(BATCH_ID, status, services.now())
    assert cancel(services, BATCH_ID) == 3
    assert statuses(services) == ["cancelling"] * 3


def test_one_that_cannot_be_cancelled_does_not_keep_the_others() -> None:
    services = running()
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    services.provider.trouble["cancel_batch"] = [ServerError("down", status=500)]
    assert cancel(services, BATCH_ID) == 2
    assert statuses(services) == ["in_progress", "cancelling", "cancelling"]


def test_a_provider_that_gave_no_answer_is_asked_once_so_that_those_of_others_are_not_kept_waiting() -> None:
    services = running()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.provider.trouble["cancel_batch"] = [APIConnectionError("no answer in time")]
    assert cancel(services, BATCH_ID) == 0
    assert statuses(services) == ["in_progress"] * 3


def test_a_shard_that_was_never_sent_has_nothing_to_cancel() -> None:
    services = planned()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    assert cancel(services, BATCH_ID) == 0
    assert services.provider.calls == []
