"""A failure nobody can mend is recorded once, and what the provider still runs is not left running."""

from batchyard.fail import fail_batch, fail_shard
from batchyard.shard import Step
from batchyard.submit import submit
from tests.unit.batchyard.memory import BATCH_ID
from tests.unit.batchyard.planned import planned


def test_a_failed_batch_has_its_provider_batches_cancelled() -> None:
    yard = planned()
    fail_batch(yard, BATCH_ID, {"Error": "States.Runtime", "Cause": "no such path"})
    assert yard.invoked.invoked == [{"batch_id": BATCH_ID}]
    assert yard.bus.announced[-1] == "failed"


def test_a_shard_that_is_done_keeps_its_reason_but_what_it_left_running_is_cancelled() -> None:
    yard = planned()
    submit(yard, Step(BATCH_ID, 0))
    fail_shard(yard, BATCH_ID, 0, {"Error": "first"})
    recorded = yard.table.kept[BATCH_ID, 0]
    fail_shard(yard, BATCH_ID, 0, {"Error": "second"})
    assert yard.table.kept[BATCH_ID, 0] == recorded
    assert yard.invoked.invoked == [{"batch_id": BATCH_ID}] * 2
