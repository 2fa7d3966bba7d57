"""A batch that waits says so once, goes on by itself, and at once when it is asked to."""

import pytest

from batch_client import AuthenticationError, BatchError, QuotaError, RateLimitError
from batchyard.api.resume import resume
from batchyard.domain.batch import LineError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.shard import Step, finish
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_shard
from batchyard.shards.poll import poll
from batchyard.shards.retries import save_after_answer
from batchyard.shards.submit import submit
from tests.unit.batchyard.memory import BATCH_ID, MemoryYard
from tests.unit.batchyard.planned import planned

FIRST, SECOND = Step(BATCH_ID, 0), Step(BATCH_ID, 1)
NO_MONEY = QuotaError("pay first", status=429, code="insufficient_quota")
NO_KEY = AuthenticationError("bad key", status=401)


def several() -> MemoryYard:
    """Make a yard whose batch has three shards."""
    yard = planned(max_requests_per_shard=1)
    yard.bus.announced.clear()
    return yard


def refuse(yard: MemoryYard, call: str, *errors: Exception) -> None:
    yard.scripted.trouble[call] = list(errors)  # type: ignore[arg-type]  # errors of the client, all


def test_a_pause_is_told_once_however_often_it_is_probed_and_so_is_its_end() -> None:
    yard = several()
    refuse(yard, "create_file", *[NO_MONEY] * 5)
    for _ in range(5):
        assert submit(yard, FIRST).next == "submit"
    assert yard.bus.announced == ["paused"]
    assert yard.table.batch(BATCH_ID).status == "in_progress"
    assert submit(yard, FIRST).next == "poll"
    assert yard.bus.announced == ["paused", "resumed"]


def test_a_batch_is_paused_until_none_of_its_shards_waits() -> None:
    yard = several()
    for step in (FIRST, SECOND):
        refuse(yard, "create_file", NO_MONEY)
        submit(yard, step)
    submit(yard, FIRST)
    assert yard.table.batch(BATCH_ID).paused
    assert yard.bus.announced == ["paused"]
    submit(yard, SECOND)
    assert yard.table.batch(BATCH_ID).paused is None
    assert yard.bus.announced == ["paused", "resumed"]


def test_a_late_worker_does_not_end_the_pause_of_another() -> None:
    yard = several()
    refuse(yard, "create_file", NO_MONEY)
    submit(yard, FIRST)
    seen = yard.table.kept[BATCH_ID, 0]
    refuse(yard, "create_file", NO_MONEY)
    submit(yard, FIRST)
    with pytest.raises(StaleRecord):
        save_after_answer(yard, seen, seen)
    assert yard.table.batch(BATCH_ID).paused
    assert "resumed" not in yard.bus.announced


def test_a_refused_key_is_read_anew_once_and_then_pauses_every_kind_of_step() -> None:
    yard = several()
    refuse(yard, "create_file", NO_KEY, NO_KEY)
    assert submit(yard, FIRST).next == "submit"
    assert (yard.key.forgotten, yard.bus.announced) == (1, ["paused"])
    assert submit(yard, FIRST).next == "poll"
    refuse(yard, "retrieve_batch", NO_KEY, NO_KEY)
    assert poll(yard, FIRST.then("poll")).next == "poll"
    assert yard.bus.announced == ["paused", "resumed", "paused"]


def test_an_end_of_a_pause_that_could_not_be_told_is_told_at_the_next_look() -> None:
    yard = several()
    refuse(yard, "create_file", NO_MONEY)
    submit(yard, FIRST)
    shard = yard.table.kept[BATCH_ID, 0]
    submit(yard, SECOND)
    yard.table.save_shard(shard, finish(shard, LineError("server_error", "no")))  # and then the worker died
    assert yard.bus.announced == ["paused"]
    assert poll(yard, SECOND.then("poll")).next == "poll"
    assert yard.bus.announced == ["paused", "resumed"]


def test_a_shard_that_fails_while_it_waits_holds_its_batch_no_longer() -> None:
    yard = several()
    refuse(yard, "create_file", NO_MONEY)
    submit(yard, FIRST)
    fail_shard(yard, BATCH_ID, 0, {"Error": "States.Timeout", "Cause": ""})
    assert yard.table.batch(BATCH_ID).paused is None
    assert yard.bus.announced == ["paused", "resumed"]


def test_a_batch_that_has_ended_is_neither_paused_nor_resumed() -> None:
    yard = several()
    yard.table.move_batch(BATCH_ID, "failed", yard.now())
    shard = submit(yard, FIRST)
    assert shard.next == "done"
    assert yard.bus.announced == []


def test_a_provider_batch_that_failed_for_money_pauses_and_the_next_probe_uses_the_same_file() -> None:
    yard = several()
    step = submit(yard, FIRST)
    yard.scripted.end("pb-0", "failed", errors=(BatchError("billing_hard_limit_reached", "no money"),))
    assert collect(yard, step).next == "submit"
    assert yard.bus.announced == ["paused"]
    submit(yard, FIRST)
    assert yard.bus.announced == ["paused", "resumed"]
    assert yard.scripted.calls.count("create_file") == 1


def test_probes_grow_as_rare_as_the_ceiling_and_each_is_one_call() -> None:
    yard = several()
    refuse(yard, "create_file", *[NO_MONEY] * 50)
    waits = [submit(yard, FIRST).wait_seconds for _ in range(50)]
    assert waits[:6] == [30, 60, 120, 240, 480, 600]
    assert set(waits[5:]) == {yard.settings.retry_ceiling_seconds}
    assert yard.scripted.calls == ["create_file"] * 50


def test_resume_has_each_shard_that_waits_looked_after_and_no_other() -> None:
    yard = several()
    refuse(yard, "create_file", NO_MONEY)
    submit(yard, FIRST)
    submit(yard, SECOND)
    third = Step(BATCH_ID, 2)
    step = submit(yard, third)
    refuse(yard, "retrieve_batch", NO_KEY, NO_KEY)
    poll(yard, step)
    assert resume(yard, BATCH_ID) == 2
    assert [each["shard"] for each in yard.advanced.invoked] == [0, 2]


def test_a_resumed_shard_is_sent_once_though_its_execution_wakes_up_later() -> None:
    yard = several()
    refuse(yard, "create_file", NO_MONEY)
    asleep = submit(yard, FIRST)
    assert submit(yard, FIRST).next == "poll"  # what resume asked for
    assert submit(yard, asleep).next == "poll"
    assert yard.scripted.calls.count("create_batch") == 1


def test_a_single_rate_limit_is_no_pause() -> None:
    yard = several()
    refuse(yard, "create_file", RateLimitError("slow down", status=429, retryable=True))
    submit(yard, FIRST)
    assert yard.table.batch(BATCH_ID).paused is None
    assert yard.bus.announced == []
