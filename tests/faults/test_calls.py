"""What may become of a call to the provider: each kind of trouble at each call of a run, and storms of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_client import BadRequestError, NotFoundError
from tests.fakes.failures import EACH_FAILURE, Failure, each_passing_failure, lost
from tests.faults.provider import Trouble
from tests.faults.struck import StruckWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_client import BatchClientError

    Kind = Callable[[str], BatchClientError]

SIX = [f"r{at}" for at in range(6)]


def calls_of_a_run() -> int:
    world = StruckWorld(max_requests_per_shard=4)
    world.upload(SIX)
    world.finish()
    return len(world.provider.calls)


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@each_passing_failure
def test_any_call_may_fail(failure: Failure, *, after: bool) -> None:
    after = after and failure.may_have_worked
    for at in range(calls_of_a_run()):
        world = StruckWorld(max_requests_per_shard=4)
        world.provider.troubles = [*[None] * at, *[Trouble(failure.error, after=after)] * 2]
        batch_id = world.upload(SIX)
        world.finish(calm=False)
        assert world.wrongs() == [], f"call {at}"
        assert world.record(batch_id)["status"] == "completed"
        assert len(world.provider.made) == 2
        assert world.record(batch_id)["counts"] == {"total": 6, "completed": 6, "failed": 0}
        assert world.record(batch_id)["paused"] is None


@pytest.mark.parametrize("operation", ["create_file", "create_batch"])
@pytest.mark.parametrize("param", ["file_id", None])
@pytest.mark.parametrize("times", [1, 2, 7])
def test_what_costs_nothing_is_refused_some_times(
    world: StruckWorld, operation: str, param: str | None, times: int
) -> None:
    refusal = BadRequestError("Cannot find file file-1.", status=400, param=param)
    world.provider.troubles = [Trouble(lambda _: refusal, operation=operation) for _ in range(times)]
    batch_id = world.upload(SIX)
    world.finish(calm=False)
    assert world.wrongs() == []
    assert world.record(batch_id)["counts"] == {"total": 6, "completed": 6, "failed": 0}
    assert world.record(batch_id)["paused"] is None


@pytest.mark.parametrize("made", [True, False], ids=["and it was made", "and it was not made"])
def test_the_answer_to_a_create_is_lost_ten_times(world: StruckWorld, *, made: bool) -> None:
    world.provider.troubles = [Trouble(lost, operation="create_batch", after=made and at == 0) for at in range(10)]
    batch_id = world.upload(SIX[:4])
    world.finish(calm=False)
    assert world.record(batch_id)["status"] == "completed"
    assert len(world.provider.made) == 1


@pytest.mark.parametrize("kind", ["rate limited, not told when", "a server error", "a gateway's page"])
def test_nothing_works_for_an_hour(world: StruckWorld, kind: str) -> None:
    world.provider.troubles = [Trouble(EACH_FAILURE[kind].error) for _ in range(40)]
    began = world.clock.now
    batch_id = world.upload(SIX)
    world.finish(calm=False)
    assert world.record(batch_id)["status"] == "completed"
    assert world.clock.now > began + 600
    assert len(world.provider.made) == 2


@pytest.mark.parametrize("kind", ["a key that is refused", "no right", "no money"])
def test_the_operator_takes_half_a_day_to_see_to_it(world: StruckWorld, kind: str) -> None:
    world.provider.troubles = [Trouble(EACH_FAILURE[kind].error) for _ in range(150)]
    batch_id = world.upload(SIX)
    for _ in range(12):
        for execution in world.machine.running:
            world.machine.turn(execution)
    assert world.record(batch_id)["status"] == "in_progress"
    assert world.record(batch_id)["paused"]
    world.finish(calm=False)
    assert world.record(batch_id)["status"] == "completed"
    assert world.record(batch_id)["paused"] is None


def test_the_provider_does_not_find_its_batch_for_some_hours(world: StruckWorld) -> None:
    missing = Trouble(lambda _: NotFoundError("No batch found", status=404), operation="retrieve_batch")
    world.provider.troubles = [missing] * 50
    world.upload(SIX[:4])
    world.finish(calm=False)
    assert len(world.provider.made) == 1


def test_the_provider_never_finds_its_batch_again(world: StruckWorld) -> None:
    batch_id = world.upload(SIX[:4])
    world.play_until("retrieve_batch")
    forgotten = world.provider.batches.pop("pb-0")
    world.finish()
    assert world.record(batch_id)["status"] == "completed"
    assert world.clock.now - (forgotten.created_at or 0) >= 86_400  # its whole window was waited out
