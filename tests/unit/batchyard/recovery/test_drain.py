"""A batch that is given up is brought to its end by the sweep, step by step, and fails when that does not help in a day."""

import json

from batchyard.domain.step import Step
from batchyard.domain.stopping import DRAINING
from batchyard.planning.plan import plan
from batchyard.recovery.advance import advance
from batchyard.recovery.sweep import sweep
from batchyard.shards.fail import fail_batch, fail_shard
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.planned import KEY
from tests.fakes.services import MemoryServices

LINE = {"method": "POST", "url": "/v1/responses", "body": {"model": "m"}}
FIVE = b"".join(json.dumps({"custom_id": f"r{at}", **LINE}).encode() + b"\n" for at in range(5))


def given_up(begun: int, **settings: str | int) -> MemoryServices:
    """Make services whose batch of five shards was given up when so many were at the provider."""
    services = MemoryServices(max_requests_per_shard=1, **settings)
    services.bucket.put(KEY, FIVE)
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0]))
    assert plan(services, BATCH_ID).next == "run"
    for number in range(begun):
        assert submit(services, Step(BATCH_ID, number)).next == "poll"
    fail_batch(services, BATCH_ID, {"Error": "States.Runtime"})
    return services


def asked(services: MemoryServices) -> list[object]:
    assert sweep(services)["GivenUpBatchesAdvanced"] == 1
    shards = [each["shard"] for each in services.advance_function.invoked]
    services.advance_function.invoked.clear()
    return shards


def test_a_step_is_asked_for_of_as_many_shards_as_may_run_side_by_side() -> None:
    assert asked(given_up(3)) == [0, 1, 2]
    services, seen = given_up(5, max_concurrent_shards=2), set[object]()
    for chances in ((0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1)):
        services.chance = iter(chances).__next__
        shards = asked(services)
        assert len(shards) == 2
        seen.update(shards)
    assert seen == {0, 1, 3, 4}


def test_no_execution_is_started_for_it() -> None:
    services = given_up(1)
    asked(services)
    assert BATCH_ID not in services.executions.started


def test_shards_that_were_never_begun_are_not_waited_for_and_their_lines_say_why() -> None:
    services = given_up(1)
    assert advance(services, BATCH_ID, 0) == "poll"
    assert services.provider.batches["pb-0"].status == "cancelling"
    answer = {"custom_id": "r0", "response": {"status_code": 200, "body": {}}}
    services.provider.files["out"] = json.dumps(answer).encode()
    services.provider.end("pb-0", "cancelled", output_file_id="out")
    assert asked(services) == [0]
    assert advance(services, BATCH_ID, 0) == "done"
    ended = services.batch_store.batch(BATCH_ID)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 1, 4)
    assert services.bucket.stored[f"results/default/{BATCH_ID}/errors.jsonl"].count(b"States.Runtime") == 4


def test_results_are_asked_for_when_no_shard_is_left() -> None:
    services = given_up(0)
    assert asked(services) == [None]
    assert advance(services, BATCH_ID, None) == "failed"  # not one line was ever run
    ended = services.batch_store.batch(BATCH_ID)
    assert (ended.status, ended.errors, ended.counts.failed) == ("failed", [ended.drain_reason], 5)


def test_a_shard_that_rests_after_its_execution_died_is_not_left_to_another_one() -> None:
    services = given_up(1)
    fail_shard(services, BATCH_ID, 0, {"Error": "States.TaskFailed"})
    services.provider.end("pb-0", "cancelled")
    assert advance(services, BATCH_ID, 0) == "done"
    assert services.batch_store.batch(BATCH_ID).ended


def test_a_shard_that_does_not_end_in_a_day_does_not_cost_the_answers_of_the_others() -> None:
    services = given_up(2)
    answer = {"custom_id": "r0", "response": {"status_code": 200, "body": {}}}
    services.provider.files["out"] = json.dumps(answer).encode()
    services.provider.end("pb-0", "cancelled", output_file_id="out")
    assert advance(services, BATCH_ID, 0) == "done"
    assert not services.batch_store.batch(BATCH_ID).ended
    services.now_is += DRAINING
    assert asked(services) == [None]
    assert advance(services, BATCH_ID, None) == "done"
    ended = services.batch_store.batch(BATCH_ID)
    assert (ended.status, ended.counts.completed, ended.counts.failed) == ("completed", 1, 4)


def test_a_batch_whose_results_cannot_be_written_either_fails_after_another_day() -> None:
    services = given_up(1)
    services.now_is += 2 * DRAINING
    assert sweep(services)["BatchesFailed"] == 1
    ended = services.batch_store.batch(BATCH_ID)
    assert (ended.status, ended.errors) == ("failed", [ended.drain_reason])
    assert services.event_bus.announced[-1] == "failed"
