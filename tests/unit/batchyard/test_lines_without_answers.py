"""A line that never ran, or whose answer does not come, has lost no try; lost batches are counted by themselves."""

from functools import partial

import pytest

from batchyard.api.batches import cancel_batch
from batchyard.domain.numbers import DAY
from batchyard.domain.step import Next, Step
from batchyard.results.assemble import assemble
from tests.fakes.endings import Ending, answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.stores import MemoryBatchStore
from tests.fakes.world import World, memory_world

TRIES = 3  # MaxAttempts, unless it is set
SICK = answering(partial(bad, status=500, code="server_error"))
FIRST = answering(lambda name: good(name) if name == "r0" else bad(name, 500, "server_error"))
EXPIRED, CANCELLED = (answering(partial(unrun, code=code)) for code in ("batch_expired", "batch_cancelled"))
SILENT = answering(lambda _: None)


def played(*endings: Ending, lines: int = 3) -> World:
    world = memory_world()
    batch_id = world.drop(jsonl([request(f"r{at}") for at in range(lines)]))
    world.provider.endings = list(endings)
    assert world.run(batch_id) == "done"
    return world


def told(world: World) -> dict[str, str]:
    """Return the error of each line that has one."""
    assert isinstance(world.services.batch_store, MemoryBatchStore)
    (batch_id,) = world.services.batch_store.batches
    found = world.found(f"results/default/{batch_id}/errors.jsonl")
    errors = world.answered(batch_id, "errors.jsonl") if found else []
    return {each["custom_id"]: (each["error"] or each["response"]["body"]["error"])["code"] for each in errors}


@pytest.mark.parametrize(
    "endings",
    [
        (FIRST, EXPIRED, EXPIRED),
        (FIRST, CANCELLED, CANCELLED),
        (FIRST, SILENT, SILENT),
        (FIRST, SICK, SILENT),
        (FIRST, SICK, EXPIRED),
    ],
    ids=["expired", "cancelled", "no answer", "tries, and none", "tries, and expired"],
)
def test_a_line_that_has_a_try_left_is_sent_again_whatever_did_not_come(endings: tuple[Ending, ...]) -> None:
    world = played(*endings)
    assert told(world) == {}
    assert len(world.provider.batches) == len(endings) + 1


def test_errors_and_lost_batches_are_counted_apart_and_each_is_bounded() -> None:
    world = played(SILENT, SICK, SILENT, SICK, SILENT, SICK, SICK)
    assert set(told(world).values()) == {"server_error"}, "the last true error of each line"
    assert len(world.provider.batches) <= 2 * TRIES - 1


@pytest.mark.parametrize("ending", [EXPIRED, SILENT])
def test_no_answer_at_all_again_and_again_ends(ending: Ending) -> None:
    world = played(*[ending] * 9)
    assert set(told(world)) == {"r0", "r1", "r2"}
    assert len(world.provider.batches) == TRIES


def test_lines_that_ran_for_nothing_take_with_them_those_that_never_ran_as_often() -> None:
    mixed = answering(lambda name: None if name == "r1" else unrun(name))
    world = played(*[mixed] * 9)
    assert told(world) == dict.fromkeys(["r0", "r1", "r2"], "no_answer")
    assert len(world.provider.batches) == TRIES


def test_a_stopped_shard_whose_provider_batch_is_lost_says_that_it_was_cancelled() -> None:
    world = memory_world()
    batch_id = world.drop(jsonl([request(f"r{at}") for at in range(3)]))
    world.run_until_submitted(batch_id)
    step = Step(batch_id, 0, next=Next.POLL)
    for lost in range(TRIES):
        if lost == TRIES - 1:
            cancel_batch(world.services, "default", batch_id)
        world.provider.batches.clear()
        while step.next == Next.POLL:
            world.clock.now += DAY
            step = world.step(step)
        while step.next == Next.SUBMIT:
            world.clock.now += step.wait_seconds
            step = world.step(step)
    assert step.next == Next.DONE
    assert assemble(world.services, batch_id) == "done"
    assert told(world) == dict.fromkeys(["r0", "r1", "r2"], "batch_cancelled")
