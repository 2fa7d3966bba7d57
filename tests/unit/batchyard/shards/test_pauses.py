"""A batch that waits says so once, goes on by itself, and at once when it is asked to."""

import pytest

from batch_client import AuthenticationError, QuotaError, RateLimitError
from batch_client import BatchError as ProviderBatchError
from batchyard.domain.batch import BatchError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.shard import as_done
from batchyard.domain.step import Next, Step
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_shard
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from batchyard.shards.turn import Turn
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST, SECOND = Step(BATCH_ID, 0), Step(BATCH_ID, 1)
NO_MONEY = QuotaError("pay first", status=429, code="insufficient_quota")
NO_KEY = AuthenticationError("bad key", status=401)


def several() -> MemoryServices:
    """Make services whose batch has three shards."""
    services = planned(max_requests_per_shard=1)
    services.event_bus.announced.clear()
    return services


def refuse(services: MemoryServices, call: str, *errors: Exception) -> None:
    services.provider.trouble[call] = list(errors)  # type: ignore[arg-type]  # errors of the client, all


def test_a_pause_is_told_once_however_often_it_is_probed_and_so_is_its_end() -> None:
    services = several()
    refuse(services, "create_file", *[NO_MONEY] * 5)
    for _ in range(5):
        assert submit(services, FIRST).next == "submit"
    assert services.event_bus.announced == ["paused"]
    assert services.batch_store.batch(BATCH_ID).status == "in_progress"
    assert submit(services, FIRST).next == "poll"
    assert services.event_bus.announced == ["paused", "resumed"]


def test_a_batch_is_paused_until_none_of_its_shards_waits() -> None:
    services = several()
    for step in (FIRST, SECOND):
        refuse(services, "create_file", NO_MONEY)
        submit(services, step)
    submit(services, FIRST)
    assert services.batch_store.batch(BATCH_ID).paused
    assert services.event_bus.announced == ["paused"]
    submit(services, SECOND)
    assert services.batch_store.batch(BATCH_ID).paused is None
    assert services.event_bus.announced == ["paused", "resumed"]


def test_a_late_worker_does_not_end_the_pause_of_another() -> None:
    services = several()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    seen = services.batch_store.kept[BATCH_ID, 0]
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    with pytest.raises(StaleRecord):
        Turn(services, services.batch_store.batch(BATCH_ID), seen, FIRST).save_answered(seen)
    assert services.batch_store.batch(BATCH_ID).paused
    assert "resumed" not in services.event_bus.announced


def test_a_refused_key_is_read_anew_once_and_then_pauses_every_kind_of_step() -> None:
    services = several()
    refuse(services, "create_file", NO_KEY, NO_KEY)
    assert submit(services, FIRST).next == "submit"
    assert (services.secret.forgotten, services.event_bus.announced) == (1, ["paused"])
    assert submit(services, FIRST).next == "poll"
    refuse(services, "retrieve_batch", NO_KEY, NO_KEY)
    assert poll(services, FIRST.then(Next.POLL)).next == "poll"
    assert services.event_bus.announced == ["paused", "resumed", "paused"]


def test_an_end_of_a_pause_that_could_not_be_told_is_told_at_the_next_look() -> None:
    services = several()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    submit(services, SECOND)
    services.batch_store.save_shard(shard, as_done(shard, BatchError("server_error", "no")))  # and then the worker died
    assert services.event_bus.announced == ["paused"]
    assert poll(services, SECOND.then(Next.POLL)).next == "poll"
    assert services.event_bus.announced == ["paused", "resumed"]


def test_a_shard_that_fails_while_it_waits_holds_its_batch_no_longer() -> None:
    services = several()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    fail_shard(services, BATCH_ID, 0, {"Error": "States.Timeout", "Cause": ""})
    assert services.batch_store.batch(BATCH_ID).paused is None
    assert services.event_bus.announced == ["paused", "resumed"]


def test_a_batch_that_has_ended_is_neither_paused_nor_resumed() -> None:
    services = several()
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    shard = submit(services, FIRST)
    assert shard.next == "done"
    assert services.event_bus.announced == []


def test_a_provider_batch_that_failed_for_money_pauses_and_the_next_probe_uses_the_same_file() -> None:
    services = several()
    step = submit(services, FIRST)
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError("billing_hard_limit_reached", "no money"),))
    assert collect(services, step).next == "submit"
    assert services.event_bus.announced == ["paused"]
    submit(services, FIRST)
    assert services.event_bus.announced == ["paused", "resumed"]
    assert services.provider.calls.count("create_file") == 1


def test_probes_grow_as_rare_as_the_ceiling_and_each_is_one_call() -> None:
    services = several()
    refuse(services, "create_file", *[NO_MONEY] * 50)
    waits = [submit(services, FIRST).wait_seconds for _ in range(50)]
    assert waits[:6] == [30, 60, 120, 240, 480, 600]
    assert set(waits[5:]) == {services.settings.retry_ceiling_seconds}
    assert services.provider.calls == ["create_file"] * 50


def test_a_single_rate_limit_is_no_pause() -> None:
    services = several()
    refuse(services, "create_file", RateLimitError("slow down", status=429, retryable=True))
    submit(services, FIRST)
    assert services.batch_store.batch(BATCH_ID).paused is None
    assert services.event_bus.announced == []
