"""What a user may ask of a batch that is there: to be cancelled and resumed, and how often that reaches the provider."""

from typing import Any

import pytest

from batch_client import AuthenticationError, QuotaError
from batchyard.api.batches import cancel_batch, resume, resume_batch
from batchyard.domain.errors import StoreError
from batchyard.domain.step import Step
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
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


def test_resume_has_each_shard_that_waits_looked_after_and_no_other() -> None:
    services = several()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    submit(services, SECOND)
    third = Step(BATCH_ID, 2)
    step = submit(services, third)
    refuse(services, "retrieve_batch", NO_KEY, NO_KEY)
    poll(services, step)
    assert resume(services, BATCH_ID) == 2
    assert [each["shard"] for each in services.advance_function.invoked] == [0, 2]


def test_a_resumed_shard_is_sent_once_though_its_execution_wakes_up_later() -> None:
    services = several()
    refuse(services, "create_file", NO_MONEY)
    asleep = submit(services, FIRST)
    assert submit(services, FIRST).next == "poll"  # what resume asked for
    assert submit(services, asleep).next == "poll"
    assert services.provider.calls.count("create_batch") == 1


def waiting() -> MemoryServices:
    """Make services whose batch waits for money, with one of its three shards."""
    services = several()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)
    return services


def test_a_cancel_that_is_repeated_reaches_the_provider_at_most_once_a_minute() -> None:
    services = several()
    for second in range(130):
        cancel_batch(services, "default", BATCH_ID)
        services.now_is += 1
        assert len(services.cancel_function.invoked) == 1 + second // 60


def test_a_resume_that_is_repeated_reaches_the_provider_at_most_once_a_minute() -> None:
    services = waiting()
    for second in range(130):
        assert resume_batch(services, "default", BATCH_ID, {})["paused"]
        services.now_is += 1
        assert len(services.advance_function.invoked) == 1 + second // 60


def test_a_resume_that_reached_some_shards_alone_may_be_repeated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    services, asked = several(), list[dict[str, Any]]()
    refuse(services, "create_file", NO_MONEY)
    submit(services, FIRST)

    def throttled(payload: dict[str, Any]) -> None:
        asked.append(payload)
        raise StoreError("no room")

    monkeypatch.setattr(services.advance_function, "invoke", throttled)
    for times in (1, 2):
        with pytest.raises(StoreError):
            resume(services, BATCH_ID)
        assert len(asked) == times


def test_a_cancel_acts_at_once_though_the_batch_was_resumed_just_now() -> None:
    services = waiting()
    resume_batch(services, "default", BATCH_ID, {})
    assert cancel_batch(services, "default", BATCH_ID)["status"] == "cancelling"
    assert services.cancel_function.invoked == [{"batch_id": BATCH_ID}]
    resume_batch(services, "default", BATCH_ID, {})
    assert len(services.advance_function.invoked) == 1


def test_a_batch_that_ended_meanwhile_is_not_asked() -> None:
    services = waiting()
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    assert resume(services, BATCH_ID) == 0
    assert services.advance_function.invoked == []
