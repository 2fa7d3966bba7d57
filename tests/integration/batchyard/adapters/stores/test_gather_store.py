"""Firings and claims under the table's own conditions: the first one stands."""

import msgspec

from batchyard.adapters.stores.gather_store import DONE, EMPTY, KEEP_CLAIMS, OPEN, VOID, FolderFiring
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


def test_a_listing_is_noted_as_it_goes_on_and_never_back_nor_after_its_end(world: World) -> None:
    store, first = world.services.gather_store, firing(1)
    store.note(first, "no record", "x")
    store.open(first)
    for listing, reached in (("one", "gather/acme/tickets/b"), ("two", "gather/acme/tickets/ä"), ("three", "gather/a")):
        store.note(first, listing, reached)
    noted = store.open(first)
    assert (noted.listing, noted.reached) == ("two", "gather/acme/tickets/ä")
    store.seal(first, "whole")
    store.note(first, "four", "z")
    assert store.firing("acme", "tickets", first.batch_id) == msgspec.structs.replace(noted, listed="whole")


def test_a_firing_that_found_nothing_begins_anew_once_and_who_is_late_with_the_first_round_changes_nothing(
    world: World,
) -> None:
    store, first = world.services.gather_store, firing(1)
    store.open(first)
    store.note(first, "one", "b")
    assert store.reopen(first, 8, 9).listed is None  # it is open as it is
    store.seal(first, "none")
    store.postpone(first, 99)
    store.end(first, EMPTY)
    empty = store.open(first)
    again = store.reopen(empty, 7, 2_000_000_001)
    assert again == msgspec.structs.replace(first, created_at=8, expires_at_ttl=2_000_000_001)
    assert store.reopen(empty, 70, 2_000_000_002) == again
    assert [each.batch_id for each in store.open_firings()] == [first.batch_id]
    store.note(first, "late", "c")
    store.end(first, EMPTY)
    assert store.seal(first, "late") == again
    assert store.seal(again, "found").listed == "found"
    store.end(again, DONE)
    assert store.reopen(again, 9, 9).state == DONE


def test_a_firing_is_left_only_where_nobody_was_asked_to_go_on(world: World) -> None:
    store, first = world.services.gather_store, firing(1)
    store.leave(first, 7)
    assert store.firing("acme", "tickets", first.batch_id) is None
    store.open(first)
    store.leave(first, 7)
    assert store.open(first).due_at == 7
    store.postpone(first, 900)
    store.leave(first, 8)
    assert store.open(first).due_at == 900


def test_a_batch_is_void_of_which_nothing_was_sent_also_when_its_record_is_gone(world: World) -> None:
    store = world.services.gather_store
    for number in range(1, 5):
        store.open(firing(number))
    store.end(firing(1), DONE)
    store.free("acme", "tickets", firing(2).batch_id, 1_000)
    store.free("acme", "tickets", firing(9).batch_id, 1_000)  # whose firing has expired
    store.end(firing(2), DONE)  # of somebody who is late
    assert store.open(firing(2)).state == VOID
    assert store.open(firing(2)).expires_at_ttl == 1_000 + KEEP_CLAIMS
    assert store.open(firing(3)).state == OPEN
    ids = [firing(number).batch_id for number in range(1, 10)]
    assert store.void("acme", "tickets", ids) == {firing(2).batch_id}
    assert store.void("acme", "others", ids) == set()
    assert {each.batch_id for each in store.open_firings()} == {firing(3).batch_id, firing(4).batch_id}


def test_a_batch_is_void_that_ended_and_was_never_in_progress(world: World) -> None:
    states = {
        1: (statuses.FAILED, None),
        2: (statuses.FAILED, 7),
        3: (statuses.VALIDATING, None),
        4: (statuses.CANCELLED, None),
        5: (statuses.CANCELLED, 7),
        6: (statuses.CANCELLING, None),
    }
    for number, (status, at) in states.items():
        world.services.batch_store.create_batch(
            batch(batch_id=f"batch_{number:032x}", status=status, in_progress_at=at)
        )
    ids = [f"batch_{number:032x}" for number in range(8)]
    assert world.services.gather_store.void("acme", "tickets", ids) == {ids[1], ids[4]}
