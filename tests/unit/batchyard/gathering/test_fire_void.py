"""The files of a batch of which nothing was sent are free again, whichever way it came to that, for as long as they matter."""

from collections.abc import Callable

import pytest

from batchyard.adapters.stores.gather_store import DONE, KEEP_CLAIMS, VOID
from batchyard.api.batches import cancel_batch, retry_batch
from batchyard.budgets.spending import CODE
from batchyard.domain.errors import ApiError
from batchyard.domain.numbers import DAY, HOUR
from batchyard.gathering.fire import fire, id_of
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from batchyard.shards.fail import fail_batch
from tests.fakes.budgets import give, spend
from tests.fakes.gathered import NAME, bucket_of, echoing, lines_of, put
from tests.fakes.world import World, memory_world

FIRST = id_of("default", NAME, "first")


def fired(world: World, key: str, **options: object) -> list[str]:
    """Fire the folder and name the files of the batch."""
    batch = fire(world.services, "default", NAME, key, options)
    return [file.name for file in bucket_of(world).file_list(batch.input).files] if batch else []


def faulty(world: World) -> None:
    put(world, {"b.jsonl": b"?"})
    fired(world, "first")
    assert world.run(FIRST) == "refused"


def too_dear(world: World) -> None:
    fired(world, "first", max_cost_usd="0.000001")
    assert world.run(FIRST) == "refused"


def without_budget(world: World) -> None:
    give(world.services, 5)
    spend(world.services, 5)
    fired(world, "first")
    assert world.services.batch_store.batch(FIRST).errors[0].code == CODE
    world.services.quota_store.remove_budget("default")


def dead(world: World) -> None:
    fired(world, "first")
    fail_batch(world.services, FIRST, {"Error": "Exhausted", "Cause": "plan died"})


def cancelled(world: World) -> None:
    fired(world, "first")
    cancel_batch(world.services, "default", FIRST)
    assert fired(world, "too early") == []
    world.run(FIRST)


def cancelled_and_dead(world: World) -> None:
    fired(world, "first")
    cancel_batch(world.services, "default", FIRST)
    fail_batch(world.services, FIRST, {"Error": "Exhausted", "Cause": "plan died"})


def cancelled_amid_the_plan(world: World) -> None:
    fired(world, "first")
    cancel_batch(world.services, "default", FIRST)
    plan(world.services, FIRST)  # which was under way, and finds that it may not begin
    assert fired(world, "too early") == []
    world.run(FIRST)


@pytest.fixture
def world() -> World:
    made = memory_world(record_days=30)
    made.provider.endings = [echoing] * 5
    put(made, {"a.jsonl": lines_of("a", 2)})
    return made


@pytest.mark.parametrize("expired", [False, True])
@pytest.mark.parametrize(
    "end", [faulty, too_dear, without_budget, dead, cancelled, cancelled_and_dead, cancelled_amid_the_plan]
)
def test_the_files_are_free_also_when_the_record_of_the_batch_is_gone(
    world: World, end: Callable[[World], None], *, expired: bool
) -> None:
    end(world)
    assert world.services.batch_store.batch(FIRST).ended
    assert world.provider.batches == {}
    if expired:
        world.clock.now += 2 * HOUR
        sweep(world.services)
        firing = world.services.gather_store.firing("default", NAME, FIRST)
        assert firing is not None
        assert (firing.state, firing.expires_at_ttl) >= (VOID, world.services.now() - 2 * HOUR + KEEP_CLAIMS)
        del world.services.batch_store.batches[FIRST]  # type: ignore[attr-defined]
        assert fired(world, "first") == []  # a firing is one batch, once
    assert fired(world, "second", on_invalid="skip")[0] == "a.jsonl"
    assert world.run(id_of("default", NAME, "second")) == "done"


def test_the_files_of_a_batch_that_was_sent_are_never_free(world: World) -> None:
    fired(world, "first")
    world.run(FIRST)
    world.clock.now += 40 * DAY
    sweep(world.services)
    firing = world.services.gather_store.firing("default", NAME, FIRST)
    assert firing is not None
    assert firing.state == DONE
    del world.services.batch_store.batches[FIRST]  # type: ignore[attr-defined]
    assert fired(world, "first") == fired(world, "second") == []


def test_a_batch_that_was_cancelled_before_it_began_is_not_retried_as_its_files_are_free(world: World) -> None:
    cancelled(world)
    for lines in ("errors", "cancelled", "all"):
        with pytest.raises(ApiError, match="Gather the folder again"):
            retry_batch(world.services, "default", FIRST, {"lines": lines})


def test_a_retry_that_was_cancelled_before_it_began_frees_no_file_and_can_be_retried(world: World) -> None:
    fired(world, "first")
    world.run(FIRST)
    child = str(retry_batch(world.services, "default", FIRST, {"lines": "all"})["id"])
    cancel_batch(world.services, "default", child)
    world.run(child)
    world.clock.now += 2 * HOUR
    sweep(world.services)
    assert fired(world, "second") == []
    assert retry_batch(world.services, "default", child, {"lines": "all"})["retry_of"] == child


def test_a_dry_run_that_is_cancelled_had_no_file(world: World) -> None:
    fired(world, "first", dry_run=True)
    cancel_batch(world.services, "default", FIRST)
    assert fired(world, "second") == ["a.jsonl"]
    world.run(FIRST)
    assert fired(world, "third") == []
