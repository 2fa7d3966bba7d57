"""The files of a gathered batch by the HTTP API: each is listed, and its results are handed out."""

import json
from typing import Any

import pytest

from batchyard.api.batches import batch_files, cancel_batch, file_result
from batchyard.domain.errors import ApiError
from batchyard.gathering.fire import fire
from batchyard.inspection import file_page
from tests.fakes.gathered import NAME, bucket_of, echoing, failing, lines_of, put, report_of
from tests.fakes.world import World, memory_world

HOSTILE = ("../../up.jsonl", "/etc/passwd", "A.JSONL", "a.jsonl", "é" * 300, '"; rm -rf', "%2e%2e/x")


@pytest.fixture
def world() -> World:
    made = memory_world(max_attempts=1)
    made.provider.endings = [echoing] * 10
    return made


def fired(world: World, **options: object) -> str:
    batch = fire(world.services, "default", NAME, "first", options)
    assert batch is not None
    return batch.batch_id


def listed(world: World, batch_id: str, after: int = 0, limit: int = 20) -> dict[str, Any]:
    return batch_files(world.services, "default", batch_id, str(after), str(limit))


def content(world: World, batch_id: str, number: object, name: str = "output.jsonl") -> bytes | None:
    return file_result(world.services, "default", batch_id, str(number), name).data


def refused(world: World, batch_id: str, number: object = 1) -> str:
    with pytest.raises(ApiError) as found:
        content(world, batch_id, number)
    assert found.value.status in {400, 404}
    return str(found.value)


def test_files_are_listed_as_the_report_has_them_with_what_their_results_hold(world: World) -> None:
    world.provider.endings = [failing("b 1")] * 3
    put(world, {"a.jsonl": lines_of("a", 2), "b.jsonl": lines_of("b", 3), "c.csv": b"x,y\n1,2\n"})
    batch_id = fired(world, on_invalid="skip")
    world.run(batch_id)
    page = listed(world, batch_id)
    assert page["data"] == report_of(world, batch_id)["files"]
    assert (page["has_more"], page["files_total"], [each["number"] for each in page["data"]]) == (False, 3, [1, 2, 3])
    assert "CSV" in page["data"][2]["set_aside"]["message"]
    said = [json.loads(line)["response"]["body"] for line in (content(world, batch_id, 2) or b"").splitlines()]
    assert [each["said"] for each in said] == ["b 0", "b 2"]
    assert b"line-1" in (content(world, batch_id, 2, "errors.jsonl") or b"")
    assert content(world, batch_id, 3) == content(world, batch_id, 3, "errors.jsonl") == b""


def test_results_are_found_by_number_whatever_the_names_of_files_are(world: World) -> None:
    put(world, {name: lines_of(str(at), 1) for at, name in enumerate(HOSTILE)})
    batch_id = fired(world)
    assert world.run(batch_id) == "done"
    for file in listed(world, batch_id)["data"]:
        at = HOSTILE.index(file["file"])
        found = file_result(world.services, "default", batch_id, str(file["number"]), "output.jsonl")
        assert f'"said": "{at} 0"'.encode() in (found.data or b"")
        assert found.filename == f"{batch_id}_{file['number']}_output.jsonl"


def test_a_file_without_room_for_its_results_says_so(world: World) -> None:
    put(world, {"a.jsonl": lines_of("a", 1), "b\n\x01.jsonl": lines_of("b", 1)})
    batch_id = fired(world, on_invalid="skip")
    assert world.run(batch_id) == "done"
    assert "control characters" in refused(world, batch_id, 2)


@pytest.mark.parametrize("limit", [1, 99, 100, 101, 1_000])
def test_pages_follow_each_other_and_read_no_more_than_they_show(world: World, limit: int) -> None:
    put(world, {f"{at:03}": lines_of(str(at), 1) for at in range(205)})
    batch_id = fired(world)
    world.run(batch_id)
    after, seen = (0 if limit > 1 else 198), list[str]()
    expected = [f"{at:03}" for at in range(after, 205)]
    while page := listed(world, batch_id, after, limit):
        seen += [file["file"] for file in page["data"]]
        after = page["data"][-1]["number"]
        if not page["has_more"]:
            break
    assert seen == expected
    assert listed(world, batch_id, 999, limit)["data"] == []
    assert listed(world, batch_id, 0, 0) == {"object": "list", "data": [], "has_more": False, "files_total": 205}


def test_a_page_ends_early_where_names_are_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_page, "MOST_BYTES", 1_000)
    put(world, {f"{at}" + "x" * 300: lines_of(str(at), 1) for at in range(3)})
    batch_id = fired(world)
    world.run(batch_id)
    page = listed(world, batch_id)
    assert ([each["number"] for each in page["data"]], page["has_more"]) == ([1], True)
    assert [each["number"] for each in listed(world, batch_id, 1)["data"]] == [2]


def test_large_results_are_handed_out_packed_or_by_a_link(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchyard.api.batches.MOST_OCTETS", 300)
    put(world, {"a": lines_of("a", 40)})
    batch_id = fired(world)
    world.run(batch_id)
    asked = world.services, "default", batch_id, "1", "output.jsonl"
    assert "files/a/output.jsonl" in str(file_result(*asked).url)
    monkeypatch.setattr("batchyard.api.batches.MOST_OCTETS", 2_000)
    assert file_result(*asked, gzip=True).packed


def test_where_there_is_nothing_the_reason_is_told(world: World) -> None:
    put(world, {"a": lines_of("a", 1), "b": b"?\n"})
    refuses = fired(world)
    assert "not listed yet" in refused(world, refuses)
    assert world.run(refuses) == "refused"
    assert "gather the folder again" in refused(world, refuses)
    put(world, {"b": lines_of("b", 1)})
    batch = fire(world.services, "default", NAME, "second", {"output_expires_after": {"anchor": "x", "seconds": 3_600}})
    assert batch is not None
    batch_id = batch.batch_id
    world.run(batch_id)
    assert "its files are 1 to 2" in refused(world, batch_id, 3)
    assert "its files are 1 to 2" in refused(world, batch_id, 0)
    for odd in ("-1", "x", "1/../2", ""):
        assert refused(world, batch_id, odd)
    world.clock.now += 3_601
    assert "gone" in refused(world, batch_id)
    for key in [key for key in bucket_of(world).stored if key.startswith("results/")]:
        del bucket_of(world).stored[key]
    with pytest.raises(ApiError, match="gone"):
        listed(world, batch_id)
    single = world.drop(lines_of("c", 1))
    world.run(single)
    assert "of one input" in refused(world, single)
    with pytest.raises(ApiError) as foreign:
        batch_files(world.services, "acme", batch_id, None, None)
    assert foreign.value.status == 404


def test_a_cancelled_batch_has_its_files_and_a_dry_run_no_results(world: World) -> None:
    put(world, {"a": lines_of("a", 1)})
    dry = fired(world, dry_run=True)
    world.run(dry)
    assert [file["output"] for file in listed(world, dry)["data"]] == [None]
    assert "dry run" in refused(world, dry)
    batch = fire(world.services, "default", NAME, "second")
    assert batch is not None
    world.run_until_submitted(batch.batch_id)
    cancel_batch(world.services, "default", batch.batch_id)
    world.run(batch.batch_id)
    assert listed(world, batch.batch_id)["data"][0]["failed"] == 1
    assert b"batch_cancelled" in (content(world, batch.batch_id, 1, "errors.jsonl") or b"")
