"""A long listing is kept now and then, whoever takes the firing up goes on there, and every file is claimed once."""

from collections.abc import Iterator
from typing import Any

import pytest

from batchyard.adapters.bucket import InboxPage
from batchyard.adapters.stores.gather_store import OPEN, FolderFiring
from batchyard.domain.batch import Batch
from batchyard.domain.step import OutOfTime
from batchyard.gathering import claims, listing
from batchyard.gathering.fire import LONGEST_AT_WORK, fire, fire_briefly, go_on, id_of, is_due
from batchyard.gathering.gather import take_up
from tests.fakes.api_stores import MemoryGatherStore
from tests.fakes.bucket import MemoryBucket
from tests.fakes.gathered import FOLDER, NAME, bucket_of
from tests.fakes.seconds_left import Killed, SecondsLeft
from tests.fakes.world import World, memory_world

FILES = [f"{at:03}.jsonl" for at in range(40)]


class Pages:
    """Count the pages that a bucket of memory lists, four objects each; each takes so many seconds."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, seconds: float = 0) -> None:
        self.listed: list[str] = []
        real = MemoryBucket.inbox

        def inbox(bucket: MemoryBucket, prefix: str, after: str = "") -> Iterator[InboxPage]:
            for page in real(bucket, prefix, after):
                self.listed += [each.object.key.removeprefix(FOLDER) for each in page.newest]
                world.clock.now += seconds
                yield page

        monkeypatch.setattr(MemoryBucket, "inbox", inbox)
        bucket_of(world).page = 4


@pytest.fixture
def world() -> World:
    made = memory_world()
    for name in FILES:
        made.backing.put(FOLDER + name, name.encode(), {})
    return made


def firing_of(world: World, key: str = "first") -> FolderFiring:
    found = world.services.gather_store.firing("default", NAME, id_of("default", NAME, key))
    assert found is not None
    return found


def taken(world: World, batch: Batch | None) -> list[str]:
    assert batch is not None
    return [file.name for file in bucket_of(world).file_list(batch.input).files]


def claims_of(world: World) -> dict[tuple[str, str, str], str]:
    store = world.services.gather_store
    assert isinstance(store, MemoryGatherStore)
    return store.claims


def test_who_has_no_more_time_keeps_the_listing_and_the_next_goes_on_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = Pages(world, monkeypatch)
    with pytest.raises(OutOfTime):
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(3))
    assert is_due(firing_of(world), world.services.now())  # the sweep need not wait until its process must be gone
    assert claims_of(world) == {}
    for looks in (1, 2):
        assert take_up(world.services, "default", NAME, id_of("default", NAME, "first"), SecondsLeft(looks)) is None
    assert taken(world, go_on(world.services, firing_of(world))) == FILES
    assert sorted(pages.listed) == FILES  # and none of them twice


@pytest.mark.parametrize("dies", [1, 5, 9, 10])
def test_who_dies_leaves_what_was_listed_a_minute_before(
    world: World, monkeypatch: pytest.MonkeyPatch, dies: int
) -> None:
    pages = Pages(world, monkeypatch, seconds=25)
    with pytest.raises(Killed):
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(dies_at=dies))
    assert not is_due(firing_of(world), world.services.now())
    world.clock.now += LONGEST_AT_WORK
    assert is_due(firing_of(world), world.services.now())
    again = len(pages.listed)
    assert taken(world, go_on(world.services, firing_of(world), lambda: 900)) == FILES
    kept = (dies - 1) // 3 * 3  # pages; the third is the first to end more than a minute after the begin
    assert again == 4 * dies
    assert pages.listed[again:] == FILES[4 * kept :]


def test_a_file_that_comes_behind_the_place_that_was_reached_waits_for_the_next_firing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pages(world, monkeypatch)
    with pytest.raises(OutOfTime):
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(5))
    for name in ("0000.jsonl", "999.jsonl"):
        world.backing.put(FOLDER + name, b"late", {})
    assert taken(world, go_on(world.services, firing_of(world))) == [*FILES, "999.jsonl"]
    assert taken(world, fire(world.services, "default", NAME, "second")) == ["0000.jsonl"]


@pytest.mark.parametrize("at", range(1, 11))
def test_two_at_once_on_a_firing_take_the_same_files_each_once(
    world: World, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The second one begins amid the listing of the first, and ends before that, or is left on its way."""
    for looks in (2, 1_000):
        Pages(world, monkeypatch)
        key, asked = f"{at} {looks}", 0

        def seconds_left(key: str = key, looks: int = looks) -> float:
            nonlocal asked
            asked += 1
            if asked == at:
                take_up(world.services, "default", NAME, id_of("default", NAME, key), SecondsLeft(looks))
            return 600

        batch = fire(world.services, "default", NAME, key, {}, seconds_left=seconds_left)
        assert taken(world, batch) == FILES
        assert set(claims_of(world).values()) == {id_of("default", NAME, key)}
        claims_of(world).clear()
        monkeypatch.undo()


def test_a_slow_listing_sets_a_fast_one_not_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    Pages(world, monkeypatch)
    with pytest.raises(OutOfTime):
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(0))
    slow = firing_of(world)
    with pytest.raises(OutOfTime):
        go_on(world.services, slow, SecondsLeft(6))
    assert firing_of(world).reached == f"{FOLDER}{FILES[31]}"
    with pytest.raises(OutOfTime):
        go_on(world.services, slow, SecondsLeft(1))
    assert firing_of(world).reached == f"{FOLDER}{FILES[31]}"


def test_of_too_many_files_the_first_are_taken_though_the_listing_was_parted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    Pages(world, monkeypatch)
    monkeypatch.setattr(listing, "MOST_FILES", 5)
    for at, name in enumerate(reversed(FILES)):  # the last of the folder came first
        bucket_of(world).arrived[FOLDER + name] = world.clock.now - 100 + at
    with pytest.raises(OutOfTime):
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(7))
    assert taken(world, go_on(world.services, firing_of(world))) == FILES[:-6:-1]
    assert taken(world, fire(world.services, "default", NAME, "second")) == FILES[-6:-11:-1]


@pytest.mark.parametrize("left", [None, b"of a version that lists otherwise"])
def test_a_listing_that_cannot_be_read_begins_anew(
    world: World, monkeypatch: pytest.MonkeyPatch, left: bytes | None
) -> None:
    Pages(world, monkeypatch)
    with pytest.raises(OutOfTime):
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(7))
    kept = firing_of(world).listing or ""
    del bucket_of(world).stored[kept]
    if left is not None:
        bucket_of(world).stored[kept] = b"\xc4" + bytes([len(left)]) + left
    assert taken(world, go_on(world.services, firing_of(world))) == FILES


def test_claims_are_made_once_though_processes_have_no_more_time_or_die_amid_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "PART", 4)
    monkeypatch.setattr(claims, "CLAIMERS", 1)
    made, real = list[str](), MemoryGatherStore.claim

    def claim(store: MemoryGatherStore, firing: FolderFiring, file: str, *rest: Any) -> bool:
        made.append(file)
        return real(store, firing, file, *rest)

    monkeypatch.setattr(MemoryGatherStore, "claim", claim)
    with pytest.raises(OutOfTime):  # a look at the clock for the page, and one for each part
        fire(world.services, "default", NAME, "first", {}, seconds_left=SecondsLeft(4))
    assert len(made) == len(claims_of(world)) == 12
    with pytest.raises(Killed):
        go_on(world.services, firing_of(world), SecondsLeft(dies_at=7))
    assert taken(world, go_on(world.services, firing_of(world))) == FILES
    assert len(made) == len(set(made)) == 40


@pytest.mark.parametrize("asked", [True, False], ids=["a request", "a function"])
def test_who_still_lists_when_the_firing_found_nothing_and_began_anew_leaves_it_to_the_new_round(
    monkeypatch: pytest.MonkeyPatch, *, asked: bool
) -> None:
    """The second process ends the round of the first; the third begins another, and is not done with its listing."""
    world, real = memory_world(), MemoryBucket.inbox
    services, batch_id = world.services, id_of("default", NAME, "first")

    def request() -> Batch | None:
        return fire_briefly(services, "default", NAME, "first", {}, 18)

    def inbox(bucket: MemoryBucket, prefix: str, after: str = "") -> Iterator[InboxPage]:
        yield from real(bucket, prefix, after)
        monkeypatch.setattr(MemoryBucket, "inbox", real)
        assert request() is None
        services.gather_store.reopen(firing_of(world), services.now(), services.now())

    if not asked:
        assert request() is None
        services.gather_store.reopen(firing_of(world), services.now(), services.now())
    monkeypatch.setattr(MemoryBucket, "inbox", inbox)
    if asked:
        with pytest.raises(OutOfTime):
            request()
    else:
        assert take_up(services, "default", NAME, batch_id) is None
    assert (firing_of(world).state, firing_of(world).listed) == (OPEN, None)
    world.backing.put(FOLDER + "new", b"x", {})
    assert taken(world, request()) == ["new"]


def test_a_firing_without_a_record_is_not_taken_up(world: World) -> None:
    assert take_up(world.services, "default", NAME, "batch_1") is None
    assert world.services.batch_store.find_batch("batch_1") is None
