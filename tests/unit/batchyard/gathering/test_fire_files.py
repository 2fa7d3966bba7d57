"""Files that cannot be read, bad lines, and custom_ids that stand twice: each is told by its file."""

import gzip
import json
import math
import tracemalloc
from base64 import b64decode
from typing import Any
from zlib import crc32

import pytest

from batchyard.api import batches
from batchyard.api.batches import retrieve_batch
from batchyard.domain.errors import ApiError
from batchyard.gathering.fire import fire
from batchyard.inspection.error_list import error_list
from batchyard.lines import file_kinds
from batchyard.planning import scan
from batchyard.planning.plan import plan
from batchyard.planning.progress import read_progress
from tests.fakes.gathered import FOLDER, NAME, bucket_of, echoing, lines_of, put, report_of, said
from tests.fakes.lines import jsonl, request
from tests.fakes.seconds_left import SecondsLeft
from tests.fakes.services import MemoryEventBus
from tests.fakes.world import World, memory_world

LONG = "x" * 960 + ".jsonl"
# Files that hold no requests, and what is said of each.
WRONG = {
    "b.gz": (gzip.compress(lines_of("b", 1)), "invalid_json_line", "gzip"),
    "c.csv": (b"PK\x03\x04 a zip", "invalid_json_line", "zip"),
    "d.jsonl": (b"", "empty_file", "no requests"),
    "e.jsonl": (b"\n \n", "empty_file", "no requests"),
    LONG: (lines_of("long", 1), "invalid_request", "name"),
}
BROKEN = b'{"custom_id": \n'


@pytest.fixture
def world() -> World:
    made = memory_world(max_requests_per_shard=4)
    made.provider.endings = [echoing] * 40
    return made


def fired(world: World, key: str = "first", **options: object) -> str:
    batch = fire(world.services, "default", NAME, key, options)
    assert batch is not None
    return batch.batch_id


def announced(world: World) -> list[str]:
    bus = world.services.event_bus
    assert isinstance(bus, MemoryEventBus)
    return bus.announced


def errors_of(world: World, batch_id: str) -> list[tuple[str, int | None, str]]:
    batch = world.services.batch_store.batch(batch_id)
    return [(error.code, error.line, error.message) for error in batch.errors]


def test_files_that_hold_no_requests_are_set_aside_and_the_rest_runs(world: World) -> None:
    put(
        world,
        {"a.jsonl": lines_of("a", 2), **{name: wrong[0] for name, wrong in WRONG.items()}, "z.jsonl": lines_of("z", 9)},
    )
    batch_id = fired(world, on_invalid="skip")
    assert world.run(batch_id) == "done"
    files = {file["file"]: file for file in report_of(world, batch_id)["files"]}
    assert report_of(world, batch_id)["files_set_aside"] == len(WRONG)
    for name, (_, code, said_of_it) in WRONG.items():
        assert files[name]["set_aside"]["code"] == code
        assert said_of_it in files[name]["set_aside"]["message"]
        assert (files[name]["lines"], files[name]["checksum"]) == (0, None)
    assert said(world, batch_id, "a.jsonl") == [("line-0", "a 0"), ("line-1", "a 1")]
    assert said(world, batch_id, "z.jsonl") == [(f"line-{at}", f"z {at}") for at in range(9)]
    assert fire(world.services, "default", NAME, "next") is None  # what is set aside is not tried every night


def test_good_lines_behind_more_bad_ones_than_are_looked_at_are_sent_and_each_bad_one_is_told(world: World) -> None:
    bad = b"a line of a log that a program wrote here\n" * 2_000
    assert len(bad) > file_kinds.START
    put(world, {"a.jsonl": bad + lines_of("a", 5), "b.jsonl": lines_of("b", 1)})
    batch_id = fired(world, on_invalid="skip")
    assert world.run(batch_id) == "done"
    assert said(world, batch_id, "a.jsonl") == [(f"line-{at}", f"a {at}") for at in range(5)]
    assert len(said(world, batch_id, "a.jsonl", "errors.jsonl")) == 2_000
    assert report_of(world, batch_id)["files_set_aside"] == 0


def test_files_that_hold_no_requests_refuse_the_batch_and_each_is_named(world: World) -> None:
    put(world, {"a.jsonl": lines_of("a", 2), **{name: wrong[0] for name, wrong in WRONG.items()}})
    batch_id = fired(world)
    assert world.run(batch_id) == "refused"
    assert [(code, line) for code, line, _ in errors_of(world, batch_id)] == [
        (code, None) for _, code, _ in WRONG.values()
    ]
    assert [message.partition(": ")[0] for *_, message in errors_of(world, batch_id)] == list(WRONG)
    assert world.provider.batches == {}


UNUSABLE = {name: WRONG[name][0] for name in ("b.gz", "d.jsonl", "e.jsonl")}
BAD_LINES = {"f.jsonl": BROKEN, "g.jsonl": b'{"custom_id": "x"}\n' * 2}


@pytest.mark.parametrize("more", [{}, {"max_cost_usd": "1"}], ids=["as it is", "estimated"])
@pytest.mark.parametrize("files", [UNUSABLE, BAD_LINES, {**UNUSABLE, **BAD_LINES}], ids=len)
def test_a_batch_of_files_without_a_good_line_completes_and_keeps_its_files(
    world: World, files: dict[str, bytes], more: dict[str, object]
) -> None:
    put(world, files)
    batch_id = fired(world, "first", on_invalid="skip", **more)
    assert world.run(batch_id) == "done"
    bad, report = 3 * ("f.jsonl" in files), report_of(world, batch_id)
    told = retrieve_batch(world.services, "default", batch_id)
    aside = len(UNUSABLE.keys() & files.keys())
    assert (told["status"], told["errors"], told["input_files"]) == ("completed", None, len(files))
    assert told["request_counts"] == {"total": bad, "completed": 0, "failed": bad}
    assert (told["output_file_id"], bool(told["error_file_id"])) == (None, bool(bad))
    assert told.get("files_set_aside", 0) == report["files_set_aside"] == aside
    assert {file["file"] for file in report["files"] if file["set_aside"]} == UNUSABLE.keys() & files.keys()
    assert (report["outcomes_equal_lines"], report["shards"], report["cost"]["usd"]) == (True, [], 0)
    for name in files:
        place = f"results/default/{batch_id}/files/{name}"
        assert world.found(f"{place}/output.jsonl") == b""
        assert (world.found(f"{place}/errors.jsonl") or b"").count(b"\n") == {"f.jsonl": 1, "g.jsonl": 2}.get(name, 0)
    assert world.provider.batches == {}
    assert announced(world)[-1] == "completed"
    assert fire(world.services, "default", NAME, "next") is None  # else each firing made one more such batch


def test_a_batch_without_requests_can_be_looked_at_and_not_retried(world: World) -> None:
    put(world, UNUSABLE)
    batch_id = fired(world, on_invalid="skip")
    world.run(batch_id)
    asked = world.services, "default", batch_id
    assert batches.batch_shards(*asked, None, None)["data"] == []
    assert batches.batch_lines(*asked, None, None)["data"] == []
    assert batches.batch_errors(*asked)["data"] == []
    assert batches.batch_rows(*asked, None, None) == (b"", 0, True)
    for lines in ("errors", "cancelled"):
        with pytest.raises(ApiError) as refused:
            batches.retry_batch(*asked, {"lines": lines})
        assert (refused.value.status, refused.value.code) == (409, "nothing_to_retry")
    again = batches.retry_batch(*asked, {"lines": "all"})["id"]
    assert world.run(again) == "done"
    assert report_of(world, again)["files_set_aside"] == len(UNUSABLE)


def test_a_dry_run_says_in_its_report_which_files_would_be_set_aside(world: World) -> None:
    put(world, {**UNUSABLE, "a.jsonl": lines_of("a", 2)})
    batch_id = fired(world, on_invalid="skip", dry_run=True)
    assert world.run(batch_id) == "done"
    files = {file["file"]: file for file in report_of(world, batch_id)["files"]}
    assert {name for name, file in files.items() if file["set_aside"]} == UNUSABLE.keys()
    assert (files["a.jsonl"]["lines"], files["a.jsonl"]["output"]) == (2, None)
    assert world.found(f"results/default/{batch_id}/files/a.jsonl/output.jsonl") is None


def test_the_files_of_a_refused_batch_are_free_for_the_next_firing(world: World) -> None:
    put(world, {"a.jsonl": lines_of("a", 2), "b.jsonl": BROKEN})
    assert world.run(fired(world)) == "refused"
    batch_id = fired(world, "second", on_invalid="skip")
    assert world.run(batch_id) == "done"
    assert said(world, batch_id, "a.jsonl") == [("line-0", "a 0"), ("line-1", "a 1")]
    assert fire(world.services, "default", NAME, "third") is None


def test_bad_lines_are_told_by_file_and_line(world: World) -> None:
    again = lines_of("b", 2) + jsonl([request("line-1")])
    put(world, {"a.jsonl": lines_of("a", 3) + BROKEN, "b.jsonl": again, "c.jsonl": BROKEN + lines_of("c", 1)})
    batch_id = fired(world)
    assert world.run(batch_id) == "refused"
    told = errors_of(world, batch_id)
    assert [(message.partition(": ")[0], line, code) for code, line, message in told] == [
        ("a.jsonl", 4, "invalid_json_line"),
        ("b.jsonl", 3, "duplicate_custom_id"),
        ("c.jsonl", 1, "invalid_json_line"),
    ]
    assert "is used by line 2." in told[1][2]
    listed = error_list(world.services, world.services.batch_store.batch(batch_id))["data"]
    samples = [(each["line"], each["file_line"]) for one in listed for each in one["samples"]]
    assert sorted(samples, key=str) == [(None, 1), (None, 3), (None, 4)]  # nothing is listed of a refused batch


def test_skipped_lines_are_told_by_file_and_line_and_stand_at_their_place(world: World) -> None:
    again = lines_of("b", 2) + jsonl([request("line-1")]) + lines_of("b", 4).split(b"\n", 2)[2]
    put(world, {"a.jsonl": lines_of("a", 3) + BROKEN, "b.jsonl": again, "c.jsonl": b"\n" + BROKEN + lines_of("c", 1)})
    batch_id = fired(world, on_invalid="skip")
    assert world.run(batch_id) == "done"
    told = [line["error"] for line in world.answered(batch_id, "errors.jsonl")]
    assert [(error["message"].partition(": ")[0], error["line"], error["code"]) for error in told] == [
        ("a.jsonl", 4, "invalid_json_line"),
        ("b.jsonl", 3, "duplicate_custom_id"),
        ("c.jsonl", 2, "invalid_json_line"),
    ]
    assert said(world, batch_id, "b.jsonl") == [(f"line-{at}", f"b {at}") for at in range(4)]
    assert said(world, batch_id, "b.jsonl", "errors.jsonl") == [("line-1", "duplicate_custom_id")]
    assert said(world, batch_id, "c.jsonl") == [("line-0", "c 0")]
    counts = [(file["lines"], file["completed"], file["failed"]) for file in report_of(world, batch_id)["files"]]
    assert counts == [(4, 3, 1), (5, 4, 1), (2, 1, 1)]
    listed = error_list(world.services, world.services.batch_store.batch(batch_id))["data"]
    samples = [each for one in listed for each in one["samples"]]
    assert [(each["file"], each["file_line"]) for each in samples] == [("a.jsonl", 4), ("c.jsonl", 2), ("b.jsonl", 3)]
    assert {each["line"] for each in samples} == {None}  # only lines that are sent are listed


@pytest.mark.parametrize("name", [" a\n\tb.jsonl", "\x7f", "\uffff.jsonl", "é" * 480, "x" * 986])
def test_a_file_whose_results_would_have_no_key_is_set_aside_and_has_none(world: World, name: str) -> None:
    put(world, {"a.jsonl": lines_of("a", 1), name: lines_of("b", 1)})
    batch_id = fired(world, on_invalid="skip")
    assert world.run(batch_id) == "done"
    (odd,) = (file for file in report_of(world, batch_id)["files"] if file["file"] == name)
    assert "The name of the file" in odd["set_aside"]["message"]
    assert (odd["output"], odd["errors"], odd["lines"]) == (None, None, 0)
    results = [key for key in bucket_of(world).stored if key.startswith(f"results/default/{batch_id}/files/")]
    assert results == [f"results/default/{batch_id}/files/a.jsonl/{result}.jsonl" for result in ("output", "errors")]
    put(world, {f"{name}{name[:1]}": lines_of("c", 1)})
    again = fired(world, "second")
    assert world.run(again) == "refused"
    ((code, line, message),) = errors_of(world, again)
    assert (code, line) == ("invalid_request", None)
    assert "The name of the file" in message


def test_a_file_that_is_gone_before_the_plan_is_set_aside(world: World) -> None:
    put(world, {f"{name}.jsonl": lines_of(name, 2) for name in "abcd"})
    batch_id = fired(world, on_invalid="skip")
    for name in "bd":
        del bucket_of(world).stored[f"{FOLDER}{name}.jsonl"]
    assert world.run(batch_id) == "done"
    files = report_of(world, batch_id)["files"]
    assert [bool(file["set_aside"]) for file in files] == [False, True, False, True]
    assert "deleted or replaced" in files[1]["set_aside"]["message"]
    assert said(world, batch_id, "c.jsonl") == [("line-0", "c 0"), ("line-1", "c 1")]


@pytest.mark.parametrize("looks", [0, 1, 3, 8])
@pytest.mark.parametrize("on_invalid", ["skip", "refuse"])
def test_a_plan_that_stops_after_every_few_blocks_finds_the_same(on_invalid: str, looks: int) -> None:
    def planned(looks: float) -> tuple[World, str, dict[str, Any]]:
        world = memory_world(max_requests_per_shard=4)
        world.provider.endings = [echoing] * 40
        bucket_of(world).chunk = 100
        put(world, {f"{at}.jsonl": lines_of(str(at), 3) + (BROKEN if at % 3 == 1 else b"") for at in range(8)})
        put(world, {"9.gz": b"\x1f\x8b", "a.jsonl": lines_of("a", 4)})
        batch_id = fired(world, on_invalid=on_invalid)
        size, turns = world.services.batch_store.batch(batch_id).input.size, 0
        following = "plan"
        while following == "plan":
            done = turns > 0 and read_progress(world.services, batch_id).offset == size
            # to look for what is used twice takes some looks at once
            left = SecondsLeft(math.inf if done else looks)
            following = str(plan(world.services, batch_id, resume=turns > 0, seconds_left=left).next)
            turns += 1
        assert turns > 1 or looks == math.inf
        if on_invalid == "skip":
            world.run(batch_id)
        record = world.services.batch_store.batch(batch_id)
        return world, batch_id, {"errors": record.errors, "counts": record.counts, "status": record.status}

    once, batch_id, found = planned(math.inf)
    parts, _, found_in_parts = planned(looks)
    assert found_in_parts == found
    if on_invalid == "skip":
        report, other = report_of(once, batch_id), report_of(parts, batch_id)
        assert report["files"] == other["files"]
        assert all(file["checksum"] for file in report["files"] if not file["set_aside"])
        assert once.result(batch_id, "errors.jsonl") == parts.result(batch_id, "errors.jsonl")
    else:
        assert len(found["errors"]) == 4


def test_a_dry_run_counts_the_lines_and_claims_no_file(world: World) -> None:
    put(world, {"a.jsonl": lines_of("a", 2), "b.jsonl": lines_of("b", 3)})
    batch_id = fired(world, dry_run=True)
    assert world.run(batch_id) == "done"
    preflight = json.loads(world.services.batch_store.batch(batch_id).preflight or "")
    assert (preflight["lines"], preflight["shards"]) == (5, 2)
    assert fired(world, "second") != batch_id


def test_a_line_without_end_is_refused_and_never_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "LONGEST_LINE", 100_000)
    endless = lines_of("a", 2) + b'{"custom_id": "' + b"x" * 5_000_000
    put(world, {"a.jsonl": endless, "b.jsonl": lines_of("b", 1)})
    batch_id = fired(world, on_invalid="skip")
    tracemalloc.start()
    try:
        plan(world.services, batch_id)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2_500_000
    assert world.run(batch_id) == "done"
    first, second = report_of(world, batch_id)["files"]
    assert (first["completed"], first["failed"], second["completed"]) == (2, 1, 1)
    assert int.from_bytes(b64decode(first["checksum"].removeprefix("CRC32:")), "big") == crc32(endless)
