"""Firings and claims under the table's own conditions: the first one stands."""

from batchyard.adapters.stores.gather_store import DONE, EMPTY, FolderFiring
from batchyard.domain import statuses
from tests.fakes.batches import batch
from tests.fakes.world import World


def firing(number: int) -> FolderFiring:
    return FolderFiring(
        tenant="acme", name="tickets", key=f"key {number}", batch_id=f"batch_{number:032x}", options="{}", created_at=7,
        expires_at_ttl=2_000_000_000,
    )  # fmt: skip


def test_a_firing_is_recorded_once_and_its_list_is_set_once(world: World) -> None:
    store, first = world.services.gather_store, firing(1)
    assert store.open(first) == first
    assert store.seal(first, "a").listed == "a"
    assert store.seal(first, "b").listed == "a"
    assert store.open(first).listed == "a"
    store.open(firing(2))
    assert [each.key for each in store.open_firings()] == ["key 1", "key 2"]
    store.end(first, DONE)
    store.end(firing(2), EMPTY)
    assert list(store.open_firings()) == []
    assert store.open(firing(2)).state == EMPTY
    store.end(firing(3), DONE)  # which is not there
    assert world.services.gather_store.open(firing(3)).state == "open"


def test_a_file_is_claimed_by_the_first_firing_and_by_the_one_after_a_refused_one(world: World) -> None:
    store, names = world.services.gather_store, ["a\0v1", "ä" * 600, *(f"f{at}" for at in range(130))]
    first, second, third = firing(1), firing(2), firing(3)
    assert all(store.claim(first, name, 7) for name in names)
    assert store.claim(first, names[0], 8)
    assert not store.claim(second, names[0], 8)
    assert not store.claim(second, names[0], 8, third.batch_id)
    assert store.claim(second, names[0], 8, first.batch_id)
    assert not store.claim(third, names[0], 8, first.batch_id)
    owners = store.claimed("acme", "tickets", [*names, "unknown"])
    assert owners == {**dict.fromkeys(names, first.batch_id), names[0]: second.batch_id}
    assert store.claimed("acme", "others", names) == {}


def test_a_batch_is_refused_that_failed_and_was_never_in_progress(world: World) -> None:
    states = {
        1: (statuses.FAILED, None),
        2: (statuses.FAILED, 7),
        3: (statuses.VALIDATING, None),
        4: (statuses.CANCELLED, None),
    }
    for number, (status, at) in states.items():
        world.services.batch_store.create_batch(
            batch(batch_id=f"batch_{number:032x}", status=status, in_progress_at=at)
        )
    ids = [f"batch_{number:032x}" for number in range(6)]
    assert world.services.gather_store.refused(ids) == {ids[1]}
