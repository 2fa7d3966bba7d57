"""Each line of a batch beside its answer: any part of it, while the batch runs and after it has ended."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from batchyard.api.batches import batch_lines, cancel_batch
from batchyard.domain.errors import ApiError
from batchyard.domain.shard import with_files_to_delete
from batchyard.domain.step import Step
from batchyard.inspection import line_page, sent_lines
from batchyard.planning.plan import plan
from batchyard.shards.submit import submit
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.world import World, memory_world

IDS = [f"r{at}" for at in range(12)]
FAILED = {"r1", "r9"}


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1, max_requests_per_shard=4)


def mixed(custom_id: str) -> bytes:
    return bad(custom_id, 400) if custom_id in FAILED else good(custom_id)


def ran(world: World, rows: bytes) -> str:
    world.provider.endings = [answering(mixed, "completed")] * 10
    batch_id = world.drop(rows)
    assert world.run(batch_id) == "done"
    return batch_id


def asked(world: World, batch_id: str, first: int = 1, limit: int = 20, **named: Any) -> dict[str, Any]:
    """Ask as a client does, and read what it is sent."""
    found = batch_lines(world.services, "default", batch_id, str(first), str(limit), **named)
    answer: dict[str, Any] = json.loads(msgspec.json.encode(found))
    return answer


def pages(world: World, batch_id: str, limit: int, **named: Any) -> Iterator[list[dict[str, Any]]]:
    following: int | None = 1
    while following is not None:
        page = asked(world, batch_id, following, limit, **named)
        assert page["has_more"] == (page["next"] is not None)
        yield page["data"]
        following = page["next"]


def interleaved() -> bytes:
    """Lines of two models, and blank lines among them."""
    return b"\n".join(jsonl([request(each, model=f"m{at % 2}")]) for at, each in enumerate(IDS))


@pytest.mark.parametrize("limit", [1, 2, 5, 12, 50])
def test_pages_give_each_line_once_in_input_order_beside_its_answer(world: World, limit: int) -> None:
    batch_id = ran(world, interleaved())
    rows = [row for page in pages(world, batch_id, limit) for row in page]
    assert [row["custom_id"] for row in rows] == IDS
    assert [row["line"] for row in rows] == list(range(1, 24, 2))  # the blank lines count, as in an editor
    for row in rows:
        assert row["request"]["custom_id"] == row["result"]["custom_id"] == row["custom_id"]
        assert row["outcome"] == ("failed" if row["custom_id"] in FAILED else "succeeded")
        assert row["cut"] == {}


def test_a_page_begins_with_the_line_that_is_asked_for_or_the_next_one(world: World) -> None:
    batch_id = ran(world, interleaved())
    assert [row["line"] for row in asked(world, batch_id, 8, 2)["data"]] == [9, 11]
    assert asked(world, batch_id, 24, 2) == {"object": "list", "data": [], "has_more": False, "next": None}


def test_only_the_errors_are_given_where_these_are_asked_for(world: World) -> None:
    batch_id = ran(world, interleaved())
    rows = [row["custom_id"] for page in pages(world, batch_id, 1, outcome="failed") for row in page]
    assert rows == ["r1", "r9"]


def test_a_line_is_found_by_its_custom_id(world: World) -> None:
    batch_id = ran(world, interleaved())
    page = asked(world, batch_id, custom_id="r9")
    assert [(row["line"], row["outcome"]) for row in page["data"]] == [(19, "failed")]
    assert asked(world, batch_id, custom_id="nobody")["data"] == []


def test_a_line_that_still_runs_has_a_request_and_no_answer_yet(world: World) -> None:
    batch_id = world.drop(interleaved())
    world.run_until_submitted(batch_id)
    rows = asked(world, batch_id)["data"]
    assert [row["custom_id"] for row in rows] == IDS
    assert {(row["outcome"], row["result"]) for row in rows} == {(None, None)}
    assert rows[3]["request"]["custom_id"] == "r3"


def test_shards_that_have_not_begun_are_left_out(world: World) -> None:
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    plan(world.services, batch_id)
    assert asked(world, batch_id)["data"] == []
    submit(world.services, Step(batch_id, 1))
    assert [row["custom_id"] for row in asked(world, batch_id)["data"]] == IDS[4:8]


def test_a_line_that_never_ran_is_an_error_once_the_batch_has_ended(world: World) -> None:
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    world.run_until_submitted(batch_id)
    cancel_batch(world.services, "default", batch_id)
    assert world.run(batch_id) == "done"
    rows = asked(world, batch_id, outcome="failed")["data"]
    assert [row["custom_id"] for row in rows] == IDS
    assert {row["result"]["error"]["code"] for row in rows} == {"batch_cancelled"}


def test_a_skipped_duplicate_is_not_among_the_lines_that_are_sent(world: World) -> None:
    world.provider.endings = [answering(mixed, "completed")] * 10
    rows = jsonl([request(each) for each in ("r0", "r2", "r0", "r3")])
    batch_id = world.drop(rows, **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    assert [(row["line"], row["custom_id"]) for row in asked(world, batch_id)["data"]] == [
        (1, "r0"),
        (2, "r2"),
        (4, "r3"),
    ]


def test_what_is_long_is_cut_and_what_does_not_fit_follows_on_the_next_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [request("short"), request("long", prompt="ä" * 3_000), request("last")]
    batch_id = ran(world, jsonl(rows))
    monkeypatch.setattr(line_page, "LONGEST", 1_000)
    monkeypatch.setattr(line_page, "SHOWN_START", 401)  # in the middle of a letter
    cut = asked(world, batch_id)["data"][1]
    assert cut["request"] is None
    assert cut["cut"]["request"]["bytes"] > 6_000
    assert cut["cut"]["request"]["start"].startswith('{"custom_id"')
    assert cut["result"]["custom_id"] == "long"
    monkeypatch.setattr(line_page, "MOST_BYTES", 1)
    assert [len(page) for page in pages(world, batch_id, 10)] == [1, 1, 1]


def test_an_input_that_is_gone_leaves_the_answers(world: World) -> None:
    batch_id = ran(world, interleaved())
    del world.services.bucket.stored["inbox/default/in.jsonl"]  # type: ignore[attr-defined]  # a bucket of memory
    row = asked(world, batch_id)["data"][0]
    assert row["request"] is None
    assert row["result"]["custom_id"] == "r0"


def test_a_search_that_takes_long_goes_on_with_the_next_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = ran(world, jsonl([request(each) for each in IDS]))
    monkeypatch.setattr(sent_lines, "LOOK_SECONDS", -1)
    found = list(pages(world, batch_id, 10, custom_id="r9"))
    assert [[row["custom_id"] for row in page] for page in found] == [[], [], ["r9"]]


def test_a_page_reads_ranges_and_not_the_whole_input(world: World) -> None:
    batch_id = ran(world, jsonl([request(each, prompt="x" * 300_000) for each in IDS]))
    reads = world.services.bucket.reads  # type: ignore[attr-defined]  # a bucket of memory
    reads.clear()
    asked(world, batch_id, 6, 1)
    assert sum(stop - start for start, stop in reads) < 400_000


@pytest.mark.parametrize(
    ("named", "param"),
    [
        ({"first": "-1"}, "from"),
        ({"first": "x"}, "from"),
        ({"limit": "101"}, "limit"),
        ({"outcome": "good"}, "outcome"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(world: World, named: dict[str, str], param: str) -> None:
    batch_id = world.drop(jsonl([request("r0")]))
    given = {"first": None, "limit": None, **named}
    with pytest.raises(ApiError) as caught:
        batch_lines(world.services, "default", batch_id, **given)
    assert caught.value.param == param


def test_unanswered_lines_are_shown_however_often_the_sweep_saves_their_shard_behind_the_end(world: World) -> None:
    world.provider.endings = [answering(lambda each: unrun(each) if each in FAILED else good(each), "expired")] * 10
    batch_id = world.drop(interleaved())
    assert world.run(batch_id) == "done"
    for shard in [*world.services.batch_store.shards(batch_id)]:
        saved = shard
        for at in range(12):
            saved = world.services.batch_store.save_shard(saved, with_files_to_delete(saved, f"file-{at}"))
    for outcome in (None, "failed"):
        rows = {row["custom_id"]: row for row in asked(world, batch_id, outcome=outcome)["data"]}
        assert all(rows[each]["outcome"] == "failed" and rows[each]["result"] for each in FAILED)
