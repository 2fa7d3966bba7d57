"""A failure nobody can mend is recorded once, and what the provider still runs is not left running."""

import pytest

from batchyard.domain.shard import Step, change, change_attempt
from batchyard.planning.plan import plan
from batchyard.shards.fail import RESTS, end_batch, fail_batch, fail_shard
from batchyard.shards.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard
from tests.unit.batchyard.planned import dropped, planned

FIRST = Step(BATCH_ID, 0)


def test_a_batch_of_which_nothing_was_sent_fails_at_once() -> None:
    yard = dropped()
    fail_batch(yard, BATCH_ID, {"Error": "States.Runtime", "Cause": "no such path"})
    assert yard.invoked.invoked == [{"batch_id": BATCH_ID}]
    assert (yard.table.batch(BATCH_ID).status, yard.bus.announced) == ("failed", ["failed"])


def test_a_batch_that_may_have_answers_is_given_up_and_keeps_its_status_and_its_first_reason() -> None:
    yard = planned()
    fail_batch(yard, BATCH_ID, {"Error": "first"})
    given_up = yard.table.batch(BATCH_ID)
    yard.now_is += 60
    fail_batch(yard, BATCH_ID, {"Error": "second"})
    assert yard.table.batch(BATCH_ID) == given_up
    assert (given_up.status, given_up.given_up_at) == ("in_progress", yard.now() - 60)
    assert given_up.given_up is not None
    assert "first" in given_up.given_up.message
    assert yard.invoked.invoked == [{"batch_id": BATCH_ID}] * 2


def test_a_batch_that_is_given_up_sends_nothing_more() -> None:
    yard = planned()
    fail_batch(yard, BATCH_ID, {"Error": "States.Runtime"})
    assert plan(yard, BATCH_ID).next == "run"
    assert submit(yard, FIRST).next == "done"
    assert yard.scripted.calls == []
    assert yard.table.kept[BATCH_ID, 0].reason == yard.table.batch(BATCH_ID).given_up


def test_a_batch_that_ends_as_failed_has_its_provider_batches_cancelled() -> None:
    yard = planned()
    fail_batch(yard, BATCH_ID, {"Error": "States.Runtime"})
    reason = yard.table.batch(BATCH_ID).given_up
    assert reason is not None
    end_batch(yard, BATCH_ID, reason)
    assert (yard.table.batch(BATCH_ID).status, yard.table.batch(BATCH_ID).errors) == ("failed", [reason])
    assert yard.bus.announced[-1] == "failed"


def at_provider() -> MemoryYard:
    yard = planned()
    submit(yard, FIRST)
    return yard


def test_a_shard_with_a_provider_batch_is_left_to_another_execution_after_a_rest() -> None:
    yard = at_provider()
    fail_shard(yard, BATCH_ID, 0, {"Error": "first"})
    shard = yard.table.kept[BATCH_ID, 0]
    assert (shard.given_up, shard.relayed, shard.done) == (True, True, False)
    assert yard.invoked.invoked == [{"batch_id": BATCH_ID}]
    assert submit(yard, FIRST) == FIRST.then("submit", RESTS[0])
    yard.now_is += RESTS[0]
    assert submit(yard, FIRST).next == "poll"


@pytest.mark.parametrize("known", [True, False])
def test_a_shard_that_fails_at_every_rest_too_is_done_and_names_what_the_provider_has(*, known: bool) -> None:
    yard = at_provider()
    shard = yard.table.kept[BATCH_ID, 0]
    if not known:
        yard.table.save_shard(shard, change_attempt(shard, provider_batch_id=None))
    rests = []
    for _ in RESTS:
        fail_shard(yard, BATCH_ID, 0, {"Error": "first"})
        rests.append(yard.table.kept[BATCH_ID, 0].rest_until - yard.now())
    assert tuple(rests) == RESTS
    fail_shard(yard, BATCH_ID, 0, {"Error": "last"})
    shard = yard.table.kept[BATCH_ID, 0]
    assert shard.done
    assert shard.reason is not None
    assert ("first" in shard.reason.message, "pb-0" in shard.reason.message) == (True, known)


def test_a_shard_that_is_done_keeps_its_reason_but_what_it_left_running_is_cancelled() -> None:
    yard = planned()
    fail_shard(yard, BATCH_ID, 0, {"Error": "first"})
    recorded = yard.table.kept[BATCH_ID, 0]
    assert recorded.done
    fail_shard(yard, BATCH_ID, 0, {"Error": "second"})
    assert yard.table.kept[BATCH_ID, 0] == recorded
    assert yard.invoked.invoked == [{"batch_id": BATCH_ID}] * 2


def test_a_shard_that_was_only_uploaded_is_done_at_once() -> None:
    yard = at_provider()
    shard = yard.table.kept[BATCH_ID, 0]
    yard.table.save_shard(
        shard, change(change_attempt(shard, provider_batch_id=None, creating_at=None), file_id="file-0")
    )
    fail_shard(yard, BATCH_ID, 0, {"Error": "States.Timeout"})
    assert yard.table.kept[BATCH_ID, 0].done
    assert yard.table.kept[BATCH_ID, 0].leftovers == ["file-0"]
