"""What is due is done at once; the state machine finds it done."""

import json

from batchyard.domain.shard import change
from batchyard.domain.step import Step
from batchyard.recovery.advance import advance
from batchyard.results.assemble import assemble
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices


def answered(services: MemoryServices, provider_batch: str) -> None:
    lines = services.provider.files[services.provider.batches[provider_batch].input_file_id or ""].splitlines()
    ids = [json.loads(line)["custom_id"] for line in lines]
    output = [{"custom_id": each, "response": {"status_code": 200, "body": {}}} for each in ids]
    services.provider.files["file-out"] = b"".join(json.dumps(each).encode() + b"\n" for each in output)
    services.provider.end(provider_batch, "completed", output_file_id="file-out")


def test_a_shard_that_has_ended_is_collected_and_the_batch_put_together() -> None:
    services = planned()
    submit(services, Step(BATCH_ID, 0))
    answered(services, "pb-0")
    assert advance(services, BATCH_ID, 0) == "done"
    assert services.batch_store.batch(BATCH_ID).status == "completed"
    assert assemble(services, BATCH_ID) == "done"


def test_results_there_is_no_time_to_write_are_left_to_the_batchs_own_execution() -> None:
    services = planned()
    submit(services, Step(BATCH_ID, 0))
    answered(services, "pb-0")
    assert advance(services, BATCH_ID, 0, seconds_left=lambda: 10.0) == "assemble"
    assert services.batch_store.batch(BATCH_ID).status == "finalizing"
    assert assemble(services, BATCH_ID) == "done"


def test_a_shard_that_waits_for_an_execution_of_its_own_is_left_to_it() -> None:
    services = planned()
    submit(services, Step(BATCH_ID, 0))
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, change(shard, continues=True))
    answered(services, "pb-0")
    assert advance(services, BATCH_ID, 0) == "continue"
    assert services.batch_store.kept[BATCH_ID, 0].continues


def test_a_shard_that_is_handed_over_meanwhile_keeps_its_mark() -> None:
    services = planned()
    submit(services, Step(BATCH_ID, 0))
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, change(shard, continues=True))
    assert submit(services, Step(BATCH_ID, 0, turns=1)).next == "continue"
    assert services.batch_store.kept[BATCH_ID, 0].continues
    assert submit(services, Step(BATCH_ID, 0)).next == "poll"
    assert not services.batch_store.kept[BATCH_ID, 0].continues


def test_a_shard_that_still_runs_is_left_to_its_own_execution() -> None:
    services = planned()
    submit(services, Step(BATCH_ID, 0))
    assert advance(services, BATCH_ID, 0) == "poll"
    assert services.batch_store.batch(BATCH_ID).status == "in_progress"
