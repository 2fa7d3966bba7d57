"""What is due is done at once; the state machine finds it done."""

import json

from batchyard.domain.shard import Step, change
from batchyard.recovery.advance import advance
from batchyard.results.assemble import assemble
from batchyard.shards.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard
from tests.unit.batchyard.planned import planned


def answered(yard: MemoryYard, provider_batch: str) -> None:
    lines = yard.scripted.files[yard.scripted.batches[provider_batch].input_file_id or ""].splitlines()
    ids = [json.loads(line)["custom_id"] for line in lines]
    output = [{"custom_id": each, "response": {"status_code": 200, "body": {}}} for each in ids]
    yard.scripted.files["file-out"] = b"".join(json.dumps(each).encode() + b"\n" for each in output)
    yard.scripted.end(provider_batch, "completed", output_file_id="file-out")


def test_a_shard_that_has_ended_is_collected_and_the_batch_put_together() -> None:
    yard = planned()
    submit(yard, Step(BATCH_ID, 0))
    answered(yard, "pb-0")
    assert advance(yard, BATCH_ID, 0) == "done"
    assert yard.table.batch(BATCH_ID).status == "completed"
    assert assemble(yard, BATCH_ID) == "done"


def test_results_there_is_no_time_to_write_are_left_to_the_batchs_own_execution() -> None:
    yard = planned()
    submit(yard, Step(BATCH_ID, 0))
    answered(yard, "pb-0")
    assert advance(yard, BATCH_ID, 0, seconds_left=lambda: 10.0) == "assemble"
    assert yard.table.batch(BATCH_ID).status == "finalizing"
    assert assemble(yard, BATCH_ID) == "done"


def test_a_shard_that_waits_for_an_execution_of_its_own_is_left_to_it() -> None:
    yard = planned()
    submit(yard, Step(BATCH_ID, 0))
    shard = yard.table.kept[BATCH_ID, 0]
    yard.table.save_shard(shard, change(shard, relayed=True))
    answered(yard, "pb-0")
    assert advance(yard, BATCH_ID, 0) == "relay"
    assert yard.table.kept[BATCH_ID, 0].relayed


def test_a_shard_that_is_handed_over_meanwhile_keeps_its_mark() -> None:
    yard = planned()
    submit(yard, Step(BATCH_ID, 0))
    shard = yard.table.kept[BATCH_ID, 0]
    yard.table.save_shard(shard, change(shard, relayed=True))
    assert submit(yard, Step(BATCH_ID, 0, turns=1)).next == "relay"
    assert yard.table.kept[BATCH_ID, 0].relayed
    assert submit(yard, Step(BATCH_ID, 0)).next == "poll"
    assert not yard.table.kept[BATCH_ID, 0].relayed


def test_a_shard_that_still_runs_is_left_to_its_own_execution() -> None:
    yard = planned()
    submit(yard, Step(BATCH_ID, 0))
    assert advance(yard, BATCH_ID, 0) == "poll"
    assert yard.table.batch(BATCH_ID).status == "in_progress"
