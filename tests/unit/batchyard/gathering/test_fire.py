"""A firing makes one batch of all new files of its folder, and each file has its own answers under its own custom_ids."""

import json
import zlib

import pytest

from batchyard.adapters import checksums
from batchyard.domain.step import TimeBudget
from batchyard.gathering import claims
from batchyard.gathering.fire import fire
from batchyard.gathering.listing import Listing, walk
from tests.fakes.gathered import FOLDER, NAME, bucket_of, echoing, lines_of, put, report_of, said
from tests.fakes.world import World, memory_world


@pytest.fixture
def world() -> World:
    made = memory_world()
    made.provider.endings = [echoing] * 20
    return made


def fired(world: World, key: str = "first", **options: object) -> str:
    batch = fire(world.services, "default", NAME, key, options)
    assert batch is not None
    return batch.batch_id


def test_files_with_the_same_custom_ids_become_one_batch_and_one_pair_of_results_each(world: World) -> None:
    files = {f"{at:02}.jsonl": lines_of(f"{at:02}", 1 + at % 4) for at in range(30)}
    files["07.jsonl"] = files["07.jsonl"].rstrip(b"\n")  # no line end at the end
    put(world, files)
    batch_id = fired(world)
    assert world.run(batch_id) == "done"
    assert len(world.provider.batches) == 1
    sent = [json.loads(line) for line in next(iter(world.provider.files.values())).splitlines()]
    assert len({line["custom_id"] for line in sent}) == len(sent) == sum(1 + at % 4 for at in range(30))
    for at in range(30):
        name = f"{at:02}.jsonl"
        assert said(world, batch_id, name) == [(f"line-{line}", f"{at:02} {line}") for line in range(1 + at % 4)]
        assert world.found(f"results/default/{batch_id}/files/{name}/errors.jsonl") == b""
    whole = b"".join(world.read(f"results/default/{batch_id}/files/{name}/output.jsonl") for name in files)
    assert world.result(batch_id, "output.jsonl") == whole


def test_the_report_lists_the_files_with_their_counts_and_checksums(world: World) -> None:
    files = {"a.jsonl": lines_of("a", 3), "below/b.jsonl": lines_of("b", 2)[:-1]}
    put(world, files)
    batch_id = fired(world)
    world.run(batch_id)
    report = report_of(world, batch_id)
    assert (report["files_total"], report["files_set_aside"]) == (2, 0)
    for (name, data), told in zip(files.items(), report["files"], strict=True):
        assert (told["file"], told["key"], told["bytes"]) == (name, FOLDER + name, len(data))
        assert told["checksum"] == checksums.shown(zlib.crc32(data))
        for result in ("output", "errors"):
            own = world.read(f"results/default/{batch_id}/files/{name}/{result}.jsonl")
            assert told[result] == {"bytes": len(own), "checksum": checksums.shown(zlib.crc32(own))}
    assert [(told["lines"], told["completed"], told["failed"]) for told in report["files"]] == [(3, 3, 0), (2, 2, 0)]
    assert report["input"]["key"] == FOLDER
    assert report["input"]["file_count"] == 2


def test_a_file_belongs_to_one_batch_and_the_next_firing_takes_what_came_since(world: World) -> None:
    put(world, {"a.jsonl": lines_of("a", 1), "b.jsonl": lines_of("b", 1)})
    first = fired(world)
    assert fired(world) == first
    assert fire(world.services, "default", NAME, "second") is None
    world.run(first)
    put(world, {"c.jsonl": lines_of("c", 1), "a.jsonl": lines_of("another a", 1)})
    third = fired(world, "third")
    world.run(third)
    assert [each["file"] for each in report_of(world, first)["files"]] == ["a.jsonl", "b.jsonl"]
    assert [each["file"] for each in report_of(world, third)["files"]] == ["a.jsonl", "c.jsonl"]
    assert said(world, third, "a.jsonl") == [("line-0", "another a 0")]


def test_a_firing_that_found_nothing_finds_nothing_later_either(world: World) -> None:
    assert fire(world.services, "default", NAME, "early") is None
    put(world, {"a.jsonl": lines_of("a", 1)})
    assert fire(world.services, "default", NAME, "early") is None
    assert fired(world, "late")


def test_what_waits_is_what_a_firing_would_take(world: World) -> None:
    put(world, {"a.jsonl": lines_of("a", 1), "b.jsonl": lines_of("b", 2)})

    def waiting() -> list[str]:
        nobody, listing = claims.Nobody("default", NAME), Listing()
        found = walk(world.services, nobody, listing, lambda _: None, TimeBudget())
        return [each.file.name for each in found.first()]

    assert waiting() == ["a.jsonl", "b.jsonl"]
    fired(world)
    assert waiting() == []


def test_of_too_many_files_those_that_came_last_wait_for_the_next_firing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchyard.gathering.listing.MOST_FILES", 2)
    put(world, {name: lines_of(name, 1) for name in "abc"})
    for at, name in enumerate("cab"):
        bucket_of(world).arrived[FOLDER + name] = world.clock.now + at
    taken = [bucket_of(world).file_list(world.services.batch_store.batch(fired(world, key)).input) for key in "12"]
    assert [[file.name for file in each.files] for each in taken] == [["c", "a"], ["b"]]


def test_each_file_has_byte_for_byte_the_answers_of_a_run_of_its_own(world: World) -> None:
    files = {f"{name}.jsonl": lines_of(name, 4) for name in ("a", "ü", "c")}
    put(world, files)
    batch_id = fired(world)
    world.run(batch_id)
    for name, data in files.items():
        alone = memory_world()
        alone.provider.endings = [echoing]
        single = alone.drop(data)
        alone.run(single)
        gathered = world.read(f"results/default/{batch_id}/files/{name}/output.jsonl")
        assert gathered == alone.result(single, "output.jsonl") != b""
