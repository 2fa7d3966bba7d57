"""Rows of a batch are handed out in input order as far as they are complete: each once, whatever a client asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchyard.api import early_rows
from batchyard.api.batches import batch_rows, cancel_batch, retry_batch
from batchyard.domain.errors import ApiError
from batchyard.domain.shard import with_files_to_delete
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import NOW
from tests.fakes.bucket import MemoryBucket
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.world import World, memory_world

IDS = [f"r{at:02}" for at in range(12)]


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=2, max_requests_per_shard=4)


def drop(world: World, models: int = 1, /, **metadata: str) -> str:
    return world.drop(jsonl([request(each, model=f"m{at % models}") for at, each in enumerate(IDS)]), **metadata)


def page(world: World, batch_id: str, after: int | str | None = None, limit: int | None = None) -> early_rows.EarlyRows:
    given = [None if each is None else str(each) for each in (after, limit)]
    return batch_rows(world.services, "default", batch_id, *given)


def ids(found: early_rows.EarlyRows) -> list[Any]:
    return [json.loads(line)["custom_id"] for line in found.data.splitlines()]


def polled(world: World, batch_id: str, limit: int = 5) -> bytes:
    """Take rows as a client does, until there will be no more."""
    data, after, complete = b"", 0, False
    while not complete:
        found = page(world, batch_id, after, limit)
        assert found.after == after + len(found.data.splitlines()) <= after + limit
        data, after, complete = data + found.data, found.after, found.complete
    return data


def whole(world: World, batch_id: str) -> list[bytes]:
    """Return the lines of both results, in input order by their custom_ids."""
    lines = [
        line for name in ("output.jsonl", "errors.jsonl") for line in world.result(batch_id, name).splitlines(True)
    ]
    return sorted(lines, key=lambda line: json.loads(line)["custom_id"])


def mixed(custom_id: str) -> bytes:
    return {"r03": bad("r03", 400), "r08": unrun("r08")}.get(custom_id, good(custom_id))


def shards(world: World, batch_id: str) -> list[int]:
    following = plan(world.services, batch_id)
    return list(range(following.last_shard + 1))


def test_rows_come_as_far_as_they_are_complete_while_the_batch_runs(world: World) -> None:
    batch_id = drop(world)
    assert page(world, batch_id) == (b"", 0, False)
    world.provider.endings = [answering(mixed)] * 9
    assert shards(world, batch_id) == [0, 1, 2]
    world.run_shard(Step(batch_id, 1))
    assert page(world, batch_id) == (b"", 0, False), "the first shard has not ended"
    world.run_shard(Step(batch_id, 0))
    found = page(world, batch_id)
    assert (ids(found), found.after, found.complete) == (IDS[:8], 8, False)
    assert page(world, batch_id, 8) == (b"", 8, False)
    assert ids(page(world, batch_id, 2, 3)) == IDS[2:5]
    world.run(batch_id)
    found = page(world, batch_id, 8)
    assert (ids(found), found.after, found.complete) == (IDS[8:], 12, True)
    assert page(world, batch_id, 12) == (b"", 12, True)


@pytest.mark.parametrize("models", [1, 3])
def test_the_rows_are_the_lines_of_the_results_to_the_byte(world: World, models: int) -> None:
    batch_id = drop(world, models)
    world.provider.endings = [answering(mixed, "expired")] * 20
    assert world.run(batch_id) == "done"
    assert polled(world, batch_id).splitlines(keepends=True) == whole(world, batch_id)


def test_a_line_that_is_to_be_sent_again_holds_the_rows_back(world: World) -> None:
    batch_id = drop(world)
    once = [answering(lambda each: unrun(each) if each == "r01" else good(each), "expired")]
    world.provider.endings = [*once, answering(good)]
    shards(world, batch_id)
    step = Step(batch_id, 0)
    while step.next != "submit" or not step.turns:
        step = world.step(step)
    assert ids(page(world, batch_id)) == ["r00"]
    world.run_shard(Step(batch_id, 0))
    assert ids(page(world, batch_id)) == IDS[:4]


def test_skipped_lines_have_their_rows(world: World) -> None:
    rows = [jsonl([request(each)]) for each in IDS]
    data = b"".join([b"?\n", *rows[:6], rows[0], *rows[6:], b"{}\n"])
    batch_id = world.drop(data, **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    told = [json.loads(line) for line in polled(world, batch_id, 4).splitlines()]
    assert [each["custom_id"] for each in told] == [None, *IDS[:6], "r00", *IDS[6:], None]
    assert [each["error"]["line"] for each in told if each["error"]] == [1, 8, 15]


def test_a_cancelled_batch_has_a_row_for_each_line(world: World) -> None:
    batch_id = drop(world)
    shards(world, batch_id)
    world.run_shard(Step(batch_id, 1))
    cancel_batch(world.services, "default", batch_id)
    world.run(batch_id)
    assert polled(world, batch_id).splitlines(keepends=True) == whole(world, batch_id)
    sweep(world.services)
    world.clock.now += 5_000
    sweep(world.services)
    assert polled(world, batch_id).splitlines(keepends=True) == whole(world, batch_id)


def test_a_batch_that_is_cancelled_before_its_plan_has_rows_at_the_end(world: World) -> None:
    batch_id = drop(world)
    cancel_batch(world.services, "default", batch_id)
    assert page(world, batch_id) == (b"", 0, False)
    world.run(batch_id)
    assert polled(world, batch_id).splitlines(keepends=True) == whole(world, batch_id)
    assert page(world, batch_id, None, 20).after == len(IDS)


@pytest.mark.parametrize("saves", [1, 7, 40])
def test_the_rows_stay_however_often_the_sweep_saves_a_shard_behind_the_end(world: World, saves: int) -> None:
    batch_id = drop(world)
    world.provider.endings = [answering(mixed, "expired")] * 20
    assert world.run(batch_id) == "done"
    for shard in [*world.services.batch_store.shards(batch_id)]:
        for at in range(saves):
            shard = world.services.batch_store.save_shard(shard, with_files_to_delete(shard, f"file-{at}"))  # noqa: PLW2901
    assert polled(world, batch_id).splitlines(keepends=True) == whole(world, batch_id)


def test_a_page_reads_the_runs_of_its_own_rows_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = drop(world)
    shards(world, batch_id)
    cancel_batch(world.services, "default", batch_id)
    world.run(batch_id)
    read: list[str] = []

    def get(bucket: MemoryBucket, key: str) -> bytes:
        read.append(key)
        return bucket.stored[key]

    monkeypatch.setattr(MemoryBucket, "get", get)
    assert ids(page(world, batch_id, 5, 2)) == IDS[5:7]
    assert {key.split("/")[3] for key in read if "left" in key} == {"00001"}


def test_a_retry_has_rows_of_its_own_and_of_its_parent(world: World) -> None:
    parent = drop(world)
    world.provider.endings = [answering(mixed, "expired")] * 20
    world.run(parent)
    world.provider.endings = []
    child = retry_batch(world.services, "default", parent, {})["id"]
    plan(world.services, child)
    assert ids(page(world, child)) == IDS[:3]
    world.run(child)
    assert polled(world, child).splitlines(keepends=True) == whole(world, child)


def test_an_answer_is_bounded_and_a_row_that_no_answer_holds_is_told_of(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = drop(world)
    long = good("r05").replace(b'"r"', b'"' + b"x" * 5_000 + b'"', 1)
    world.provider.endings = [answering(lambda each: long if each == "r05" else good(each))] * 3
    world.run(batch_id)
    monkeypatch.setattr(early_rows, "MOST_BYTES", 1_000)
    found = page(world, batch_id)
    assert 1 < len(ids(found)) < 5
    assert len(found.data) <= 1_000
    assert ids(page(world, batch_id, 3)) == ["r03", "r04"]
    with pytest.raises(ApiError, match=r"after=6\.") as told:
        page(world, batch_id, 5)
    assert (told.value.status, told.value.code) == (422, "row_too_large")
    assert ids(page(world, batch_id, 6))[0] == "r06"


@pytest.mark.parametrize(("after", "limit"), [("x", None), ("-1", None), ("1.5", None), (None, 10_001), (None, -1)])
def test_what_is_no_count_of_rows_is_refused(world: World, after: str | None, limit: int | None) -> None:
    with pytest.raises(ApiError) as told:
        page(world, drop(world), after, limit)
    assert (told.value.status, told.value.param) == (400, "after" if after else "limit")


def test_a_batch_that_sends_nothing_has_no_rows(world: World) -> None:
    estimate = drop(world, **{"dry-run": "true"})
    assert page(world, estimate) == (b"", 0, False)
    world.run(estimate)
    assert page(world, estimate) == (b"", 0, True)
    refused = world.drop(b"?\n", "inbox/default/bad.jsonl")
    world.run(refused)
    assert page(world, refused) == (b"", 0, True)


def test_the_batch_of_another_tenant_is_not_there(world: World) -> None:
    batch_id = drop(world)
    with pytest.raises(ApiError, match="No batch found") as told:
        batch_rows(world.services, "another", batch_id, None, None)
    assert told.value.status == 404


@pytest.mark.parametrize("what", ["the plan", "a run", "a file"])
def test_rows_that_are_gone_are_told_of_and_never_left_out(world: World, what: str) -> None:
    batch_id = drop(world)
    world.run(batch_id)
    stored: dict[str, bytes] = world.services.bucket.stored  # type: ignore[attr-defined]
    if what == "a file":
        file_id = world.services.batch_store.batch(batch_id).output_file_id or ""
        world.services.file_store.change(file_id, deleted_at=NOW)
    else:
        gone = "summary" if what == "the plan" else "shards/00000/attempt"
        for key in [key for key in stored if batch_id in key and gone in key]:
            del stored[key]
    with pytest.raises(ApiError) as told:
        page(world, batch_id)
    assert (told.value.status, told.value.code) == (410, "rows_gone")


def test_each_run_is_read_with_one_request(world: World) -> None:
    batch_id = drop(world, 2)
    world.run(batch_id)
    reads: list[Any] = world.services.bucket.reads  # type: ignore[attr-defined]
    reads.clear()
    assert len(ids(page(world, batch_id))) == 12
    assert len(reads) == len([*world.services.batch_store.shards(batch_id)])
