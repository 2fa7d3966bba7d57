"""A batch that is given up is brought to its end by the sweep, step by step, and fails when that does not help in a day."""

import json

from batchyard.domain.shard import Step, change
from batchyard.domain.stopping import DRAINING
from batchyard.planning.plan import plan
from batchyard.recovery.advance import advance
from batchyard.recovery.sweep import sweep
from batchyard.shards.fail import fail_batch
from batchyard.shards.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard, batch
from tests.unit.batchyard.planned import KEY

LINE = {"method": "POST", "url": "/v1/responses", "body": {"model": "m"}}
FIVE = b"".join(json.dumps({"custom_id": f"r{at}", **LINE}).encode() + b"\n" for at in range(5))


def given_up(begun: int, **settings: str | int) -> MemoryYard:
    """Make a yard whose batch of five shards was given up when so many were at the provider."""
    yard = MemoryYard(max_requests_per_shard=1, **settings)
    yard.bucket.put(KEY, FIVE)
    yard.table.create_batch(batch(input=yard.bucket.head(KEY)[0]))
    assert plan(yard, BATCH_ID).next == "run"
    for number in range(begun):
        assert submit(yard, Step(BATCH_ID, number)).next == "poll"
    fail_batch(yard, BATCH_ID, {"Error": "States.Runtime"})
    return yard


def asked(yard: MemoryYard) -> list[object]:
    assert sweep(yard)["GivenUpBatchesAdvanced"] == 1
    shards = [each["shard"] for each in yard.advanced.invoked]
    yard.advanced.invoked.clear()
    return shards


def test_a_step_is_asked_for_of_as_many_shards_as_may_run_side_by_side() -> None:
    assert asked(given_up(3)) == [0, 1, 2]
    yard, seen = given_up(5, max_concurrent_shards=2), set[object]()
    for chances in ((0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1)):
        yard.chance = iter(chances).__next__
        shards = asked(yard)
        assert len(shards) == 2
        seen.update(shards)
    assert seen == {0, 1, 3, 4}


def test_no_execution_is_started_for_it() -> None:
    yard = given_up(1)
    asked(yard)
    assert BATCH_ID not in yard.started.started


def test_shards_that_were_never_begun_are_not_waited_for_and_their_lines_say_why() -> None:
    yard = given_up(1)
    assert advance(yard, BATCH_ID, 0) == "poll"
    assert yard.scripted.batches["pb-0"].status == "cancelling"
    answer = {"custom_id": "r0", "response": {"status_code": 200, "body": {}}}
    yard.scripted.files["out"] = json.dumps(answer).encode()
    yard.scripted.end("pb-0", "cancelled", output_file_id="out")
    assert asked(yard) == [0]
    assert advance(yard, BATCH_ID, 0) == "done"
    ended = yard.table.batch(BATCH_ID)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 1, 4)
    assert yard.bucket.stored[f"results/default/{BATCH_ID}/errors.jsonl"].count(b"States.Runtime") == 4


def test_results_are_asked_for_when_no_shard_is_left() -> None:
    yard = given_up(0)
    assert asked(yard) == [None]
    assert advance(yard, BATCH_ID, None) == "failed"  # not one line was ever run
    ended = yard.table.batch(BATCH_ID)
    assert (ended.status, ended.errors, ended.counts.failed) == ("failed", [ended.given_up], 5)


def test_a_shard_that_waits_for_an_execution_is_not_left_to_it() -> None:
    yard = given_up(1)
    shard = yard.table.kept[BATCH_ID, 0]
    yard.table.save_shard(shard, change(shard, relayed=True))
    yard.scripted.end("pb-0", "cancelled")
    assert advance(yard, BATCH_ID, 0) == "done"
    assert yard.table.batch(BATCH_ID).ended


def test_a_shard_that_does_not_end_in_a_day_does_not_cost_the_answers_of_the_others() -> None:
    yard = given_up(2)
    yard.table.save_shard(yard.table.kept[BATCH_ID, 1], change(yard.table.kept[BATCH_ID, 1], relayed=True))
    answer = {"custom_id": "r0", "response": {"status_code": 200, "body": {}}}
    yard.scripted.files["out"] = json.dumps(answer).encode()
    yard.scripted.end("pb-0", "cancelled", output_file_id="out")
    assert advance(yard, BATCH_ID, 0) == "done"
    assert not yard.table.batch(BATCH_ID).ended
    yard.now_is += DRAINING
    assert asked(yard) == [None]
    assert advance(yard, BATCH_ID, None) == "done"
    ended = yard.table.batch(BATCH_ID)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 1, 4)


def test_a_batch_whose_results_cannot_be_written_either_fails_after_another_day() -> None:
    yard = given_up(1)
    yard.now_is += 2 * DRAINING
    assert sweep(yard)["BatchesFailed"] == 1
    ended = yard.table.batch(BATCH_ID)
    assert (ended.status, ended.errors) == ("failed", [ended.given_up])
    assert yard.bus.announced[-1] == "failed"
