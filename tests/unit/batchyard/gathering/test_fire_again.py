"""What follows a firing: retries, requests on their own, answers that are not accepted, and results in parts."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from batchyard.api.batches import batch_rows, cancel_batch, retry_batch
from batchyard.domain.attempt import End
from batchyard.domain.errors import ApiError
from batchyard.domain.step import Step
from batchyard.gathering.fire import fire
from batchyard.inspection.error_list import error_list
from batchyard.inspection.file_page import file_page
from batchyard.inspection.line_page import line_page
from batchyard.inspection.sent_lines import Wanted
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.results.file_results import CHECKPOINT
from tests.fakes.endings import cancelled
from tests.fakes.gathered import NAME, bucket_of, echoing, failing, lines_of, put, report_of, said
from tests.fakes.seconds_left import SecondsLeft
from tests.fakes.world import World, memory_world

FILES = {f"{name}.jsonl": lines_of(name, 3) for name in "abcd"}
# One line of each file but the last fails at first: another one in each, and all files have the same custom_ids.
FAILING = ("a 0", "b 2", "c 1")
BROKEN = b'{"custom_id": "line-0"}\n'


@pytest.fixture
def world() -> World:
    made = memory_world(max_requests_per_shard=5, max_attempts=1)
    made.provider.endings = [failing(*FAILING)] * 10
    return made


def fired(world: World, key: str = "first", **options: object) -> str:
    batch = fire(world.services, "default", NAME, key, options)
    assert batch is not None
    return batch.batch_id


def retry(world: World, batch_id: str, **body: Any) -> str:
    return str(retry_batch(world.services, "default", batch_id, body)["id"])


def all_good(world: World, batch_id: str, files: dict[str, bytes]) -> None:
    for name in files:
        assert said(world, batch_id, name) == [(f"line-{at}", f"{name[0]} {at}") for at in range(3)]


def test_a_refused_batch_is_not_retried_as_its_files_are_free_for_the_next_firing(world: World) -> None:
    put(world, {**FILES, "z.jsonl": BROKEN})
    batch_id = fired(world)
    assert world.run(batch_id) == "refused"
    for lines in ("errors", "all"):
        with pytest.raises(ApiError, match="gather the folder again"):
            retry(world, batch_id, lines=lines)


def test_a_retry_sends_the_failed_lines_of_each_file_and_the_results_are_whole(world: World) -> None:
    put(world, FILES)
    batch_id = fired(world)
    world.run(batch_id)
    assert said(world, batch_id, "b.jsonl") == [("line-0", "b 0"), ("line-1", "b 1")]
    assert said(world, batch_id, "b.jsonl", "errors.jsonl") == [("line-2", "some_code")]
    made = len(world.provider.batches)
    world.provider.endings = [echoing] * 20
    child = retry(world, batch_id)
    assert world.run(child) == "done"
    all_good(world, child, FILES)
    asked = [world.provider.files[batch.input_file_id or ""] for batch in list(world.provider.batches.values())[made:]]
    prompts = [json.loads(line)["body"]["messages"][0]["content"] for data in asked for line in data.splitlines()]
    assert prompts == ["a 0", "b 2", "c 1"]
    assert [file["completed"] for file in report_of(world, child)["files"]] == [3, 3, 3, 3]


@pytest.mark.parametrize("looks", [1, 2, 7])
def test_a_retry_that_is_planned_in_parts_takes_over_the_same(world: World, looks: int) -> None:
    files = {f"{name}.jsonl": lines_of(name, 3) + (BROKEN if name in "bc" else b"") for name in "abcd"}
    bucket_of(world).chunk = 150
    put(world, files)
    batch_id = fired(world, on_invalid="skip")
    world.run(batch_id)
    world.provider.endings = [echoing] * 20
    child, turns = retry(world, batch_id), 0
    while plan(world.services, child, resume=turns > 0, seconds_left=SecondsLeft(looks + turns)).next == "plan":
        turns += 1
    world.run(child)
    all_good(world, child, files)
    for name in "bc":
        assert said(world, child, f"{name}.jsonl", "errors.jsonl") == [("line-0", "missing_required_parameter")]
    told = [line["error"] for line in world.answered(child, "errors.jsonl")]
    assert [(error["line"], error["message"].count(".jsonl: ")) for error in told] == [(4, 1), (4, 1)]


def test_a_retry_of_a_retry_changes_bodies_and_keeps_files_apart(world: World) -> None:
    put(world, FILES)
    batch_id = fired(world)
    world.run(batch_id)
    again = retry(world, batch_id, body={"temperature": 1})
    world.provider.endings = [failing("b 2")] * 20
    world.run(again)
    assert said(world, again, "b.jsonl", "errors.jsonl") == [("line-2", "some_code")]
    world.provider.endings = [echoing] * 30
    last = retry(world, again, lines="errors")
    world.run(last)
    all_good(world, last, FILES)
    every = retry(world, last, lines="all")
    world.run(every)
    all_good(world, every, FILES)


def test_a_file_of_another_round_is_gone_and_the_retry_says_so(world: World) -> None:
    put(world, FILES)
    batch_id = fired(world)
    world.run(batch_id)
    del bucket_of(world).stored["gather/default/tickets/c.jsonl"]
    again = retry(world, batch_id)
    assert world.run(again) == "refused"
    (error,) = world.services.batch_store.batch(again).errors
    assert error.message.startswith("c.jsonl: The file was deleted while it was needed. A retry reads all files again")
    assert error.param == "input_prefix"


def refused(world: World, batch_id: str) -> None:
    del bucket_of(world).stored["gather/default/tickets/c.jsonl"]
    assert world.run(batch_id) == "refused"
    world.backing.put("gather/default/tickets/c.jsonl", FILES["c.jsonl"], {})


def cancelled_before_it_began(world: World, batch_id: str) -> None:
    cancel_batch(world.services, "default", batch_id)
    world.run(batch_id)


@pytest.mark.parametrize("befalls", [refused, cancelled_before_it_began])
def test_a_retry_of_which_nothing_was_sent_names_its_parent_as_the_files_are_still_claimed(
    world: World, befalls: Callable[[World, str], None]
) -> None:
    put(world, FILES)
    batch_id = fired(world)
    world.run(batch_id)
    child = retry(world, batch_id)
    befalls(world, child)
    with pytest.raises(ApiError, match=f"Retry the batch '{batch_id}' again"):
        retry(world, child)
    assert retry(world, batch_id) != child


def test_the_files_of_a_refused_retry_are_not_to_be_gathered_again(world: World) -> None:
    put(world, FILES)
    batch_id = fired(world)
    world.run(batch_id)
    child = retry(world, batch_id)
    refused(world, child)
    with pytest.raises(ApiError, match=f"retry the batch '{batch_id}' again"):
        file_page(world.services, world.services.batch_store.batch(child), 0, 20)


@pytest.mark.parametrize("looks", [1, 2, 100])
def test_a_retry_sets_aside_what_its_parent_did_for_the_same_reason_and_does_not_read_it(
    world: World, looks: int
) -> None:
    aside = {"0.jsonl": b"", "aa.gz": b"\x1f\x8b", "cc.jsonl": b"\n \n", "d.jsonl": FILES["d.jsonl"]}
    put(world, dict(sorted({**FILES, **aside}.items())))
    batch_id, stored = fired(world, on_invalid="skip"), bucket_of(world).stored
    del stored["gather/default/tickets/d.jsonl"]
    world.run(batch_id)
    for name in ("aa.gz", "cc.jsonl"):  # they were there, and are gone since
        del stored[f"gather/default/tickets/{name}"]
    world.provider.endings = [echoing] * 20
    child, turns = retry(world, batch_id), 0
    while plan(world.services, child, resume=turns > 0, seconds_left=SecondsLeft(looks + turns)).next == "plan":
        turns += 1
    assert world.run(child) == "done"
    all_good(world, child, {name: data for name, data in FILES.items() if name not in aside})
    parents, own = ([file["set_aside"] for file in report_of(world, each)["files"]] for each in (batch_id, child))
    assert own == parents
    assert [bool(each) for each in own] == [True, False, True, False, False, True, True]


def test_requests_that_are_sent_on_their_own_have_their_own_names_again() -> None:
    world = memory_world(deadline_action="finish", deadline_budget_requests=100)
    put(world, {"a.jsonl": lines_of("a", 2), "b.jsonl": lines_of("b", 1)})
    batch_id = fired(world)
    plan(world.services, batch_id)
    step = world.step(Step(batch_id, 0))
    world.clock.now += 23 * 3_600
    world.provider.endings = [cancelled()]
    world.run_shard(step)
    assert world.services.batch_store.shard(batch_id, 0).attempts[-1].end is End.DIRECT  # type: ignore[union-attr]
    assert assemble(world.services, batch_id) == "done"
    assert sorted(world.provider.direct) == ["a 0", "a 1", "b 0"]
    assert [line["custom_id"] for line in world.answered(batch_id, "output.jsonl")] == ["line-0", "line-1", "line-0"]
    own = world.read(f"results/default/{batch_id}/files/b.jsonl/output.jsonl").splitlines()
    assert [json.loads(line)["custom_id"] for line in own] == ["line-0"]


def test_an_answer_that_is_not_accepted_names_its_line_as_its_user_does(world: World) -> None:
    world.provider.endings = [echoing] * 10
    put(world, FILES)
    batch_id = fired(world, accept={"finish_reason": ["stop"]})
    world.run(batch_id)
    errors = world.answered(batch_id, "errors.jsonl")
    assert [line["custom_id"] for line in errors] == [f"line-{at}" for _ in FILES for at in range(3)]
    assert {line["error"]["code"] for line in errors} == {"answer_not_accepted"}


def test_lines_are_shown_by_their_own_custom_ids_and_by_file(world: World) -> None:
    put(world, FILES)
    batch_id = fired(world)
    world.run(batch_id)
    batch = world.services.batch_store.batch(batch_id)
    page = line_page(world.services, batch, Wanted(1, 100))["data"]
    assert [(row["custom_id"], row["file"], row["file_line"]) for row in page] == [
        (f"line-{at}", name, at + 1) for name in FILES for at in range(3)
    ]
    failed = line_page(world.services, batch, Wanted(1, 100, failed=True))["data"]
    assert [(row["file"], row["file_line"]) for row in failed] == [("a.jsonl", 1), ("b.jsonl", 3), ("c.jsonl", 2)]
    assert json.loads(bytes(failed[1]["request"]))["body"]["messages"][0]["content"] == "b 2"
    (told,) = error_list(world.services, batch)["data"]
    assert told["count"] == 3
    for sample in told["samples"]:  # `line` leads to the line
        (row,) = line_page(world.services, batch, Wanted(sample["line"], 1))["data"]
        assert (row["file"], row["file_line"]) == (sample["file"], sample["file_line"])
    rows = [json.loads(row) for row in batch_rows(world.services, "default", batch_id, None, None).data.splitlines()]
    assert [row["custom_id"] for row in rows] == [f"line-{at}" for _ in FILES for at in range(3)]


def test_results_of_files_that_are_written_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(looks: float) -> dict[str, bytes]:
        world = memory_world()
        world.provider.endings = [failing("b 1")]
        put(world, {f"{name}.jsonl": lines_of(name, 2) for name in "abcdefghij"})
        batch_id = fired(world)
        plan(world.services, batch_id)
        world.run_shard(Step(batch_id, 0))
        turns = 0
        while assemble(world.services, batch_id, SecondsLeft(looks + turns // 3)) == "assemble":
            turns += 1
        assert looks > 100 or turns > 2
        return {key: data for key, data in bucket_of(world).stored.items() if "/files/" in key}

    monkeypatch.setattr("batchyard.results.file_results.TOGETHER", 2)
    monkeypatch.setattr("batchyard.results.file_results.CHECKPOINT", 3)
    assert CHECKPOINT > 3
    once = written(1_000)
    assert len(once) == 20
    assert written(2) == once
