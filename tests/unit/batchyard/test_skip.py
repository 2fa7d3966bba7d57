"""With `on-invalid: skip`, bad lines are skipped: they stand in errors.jsonl at their place, and the rest runs."""

import gzip
import json

import pytest
from msgspec.structs import replace

from batchyard.api.batches import create_batch
from batchyard.domain.batch import SKIP
from batchyard.domain.step import TIME_TO_END
from batchyard.planning import skipped
from batchyard.planning.plan import plan
from tests.fakes.bucket import MemoryBucket
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request
from tests.fakes.stores import MemoryBatchStore
from tests.fakes.world import World, memory_world

GOOD = [jsonl([request(f"r{at}", model=f"m{at % 2}")]) for at in range(8)]
NO_BODY = b'{"custom_id":"bare","method":"POST","url":"/v1/chat/completions"}\n'
NUMBERED = b'{"custom_id":7,"method":"POST","url":"/v1/chat/completions","body":{"model":"m0"}}\n'
ELSEWHERE = jsonl([request("elsewhere", url="/v1/files")])
ROWS = [
    NO_BODY, GOOD[0], GOOD[1], b"?\n", GOOD[2], b"\n", GOOD[0], GOOD[3], NUMBERED, ELSEWHERE, GOOD[4], GOOD[4], b"\xff\n",
]  # fmt: skip
# What becomes of them: custom_id, code and line.
REJECT_LINES = [
    ("bare", "missing_required_parameter", 1), (None, "invalid_json_line", 4), ("r0", "duplicate_custom_id", 7),
    (None, "invalid_type", 9), ("elsewhere", "invalid_url", 10), ("r4", "duplicate_custom_id", 12),
    (None, "invalid_json_line", 13),
]  # fmt: skip


@pytest.fixture
def world() -> World:
    return memory_world()


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


def dies(*_: object, **__: object) -> None:
    raise Killed


def told(world: World, batch_id: str) -> list[tuple[str | None, str, int]]:
    lines = world.answered(batch_id, "errors.jsonl")
    assert all(set(line) == {"id", "custom_id", "response", "error"} and line["response"] is None for line in lines)
    assert len({line["id"] for line in lines}) == len(lines)
    return [(line["custom_id"], line["error"]["code"], line["error"]["line"]) for line in lines]


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
def test_bad_lines_are_skipped_in_input_order_and_the_rest_runs(world: World, *, packed: bool) -> None:
    data = b"".join(ROWS)
    batch_id = world.drop(gzip.compress(data) if packed else data, **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == ["r0", "r1", "r2", "r3", "r4"]
    assert told(world, batch_id) == REJECT_LINES
    sent = [each for batch in world.provider.batches.values() for each in world.provider.custom_ids(batch)]
    assert sorted(sent) == ["r0", "r1", "r2", "r3", "r4"]
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.counts.total, batch.counts.completed, batch.counts.failed) == (12, 5, 7)
    report = json.loads(world.result(batch_id, "report.json"))
    assert (report["input"]["lines"], report["outcomes_equal_lines"]) == (12, True)
    codes = [code for _, code, _ in REJECT_LINES]
    assert report["errors"]["by_code"] == {code: codes.count(code) for code in codes}
    assert sum(shard["lines"] for shard in report["shards"]) == 5


def test_skipped_lines_stand_among_the_provider_s_errors_by_their_place(world: World) -> None:
    world.provider.endings = [
        answering(lambda custom_id: bad(custom_id, 400) if custom_id != "r2" else good(custom_id))
    ]
    data = b"".join([b"?\n", GOOD[0], b"??\n", GOOD[2], GOOD[4], b"???\n"])
    batch_id = world.drop(data, **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    assert [line["custom_id"] for line in world.answered(batch_id, "errors.jsonl")] == [None, "r0", None, "r4", None]
    assert [line["custom_id"] for line in world.answered(batch_id, "output.jsonl")] == ["r2"]


def test_a_shard_whose_lines_are_all_skipped_is_not_run(world: World) -> None:
    twins = [request("a", model=model) for model in ("m0", "m1", "m2")]
    batch_id = world.drop(jsonl([*twins, request("b", model="m2")]), **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    assert len(world.provider.batches) == 2
    assert told(world, batch_id) == [("a", "duplicate_custom_id", 2), ("a", "duplicate_custom_id", 3)]
    report = json.loads(world.result(batch_id, "report.json"))
    assert [(shard["lines"], shard["reason"]) for shard in report["shards"]] == [(1, None), (0, None), (1, None)]


def test_a_batch_without_one_good_line_fails_and_says_why(world: World) -> None:
    batch_id = world.drop(b"?\n" + NO_BODY, **{"on-invalid": "skip"})
    assert world.run(batch_id) == "refused"
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.status, [error.line for error in batch.errors]) == ("failed", [1, 2])
    assert world.provider.calls == []


def test_an_input_that_cannot_be_read_at_all_still_fails(world: World) -> None:
    batch_id = world.drop(gzip.compress(b"".join(ROWS))[:-9], **{"on-invalid": "skip"})
    assert world.run(batch_id) == "refused"


def test_the_parameter_is_what_counts_where_the_upload_names_nothing(world: World) -> None:
    world.services.settings = replace(world.services.settings, on_invalid=SKIP)
    assert world.run(world.drop(b"?\n" + GOOD[0])) == "done"
    assert world.run(world.drop(b"?\n" + GOOD[0], "inbox/default/2.jsonl", **{"on-invalid": "refuse"})) == "refused"


def test_an_upload_that_asks_for_what_is_unknown_fails_and_names_it(world: World) -> None:
    batch = world.services.batch_store.batch(world.drop(GOOD[0], **{"on-invalid": "ignore"}))
    assert (batch.status, batch.errors[0].param) == ("failed", "on_invalid")


def test_a_call_that_takes_an_upload_over_while_it_is_read_has_its_bad_lines_skipped(world: World) -> None:
    batch_id = world.drop(b"".join(ROWS))
    wanted = {
        "input_file_id": world.services.batch_store.batch(batch_id).input.uri, "endpoint": "/v1/chat/completions",
        "completion_window": "24h", "on_invalid": "skip",
    }  # fmt: skip
    times = iter([TIME_TO_END - 1])
    assert plan(world.services, batch_id, seconds_left=lambda: next(times)).next == "plan"
    assert create_batch(world.services, "default", wanted)["id"] == batch_id
    assert plan(world.services, batch_id, resume=True).next == "run"
    world.run(batch_id)
    assert told(world, batch_id) == REJECT_LINES


def test_a_plan_that_goes_on_and_is_made_again_at_its_end_skips_the_same_lines(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skipped, "MOST_IN_RUN", 400)
    monkeypatch.setattr(MemoryBucket.chunks, "__defaults__", (0, None, 200))
    batch_id = world.drop(b"".join(ROWS), **{"on-invalid": "skip"})
    assert plan(world.services, batch_id, seconds_left=lambda: TIME_TO_END - 1).next == "plan"
    with monkeypatch.context() as patched:
        patched.setattr(MemoryBatchStore, "move_batch", dies)
        with pytest.raises(Killed):
            plan(world.services, batch_id, resume=True)
    assert plan(world.services, batch_id, resume=True).next == "run"
    assert world.run(batch_id) == "done"
    assert told(world, batch_id) == REJECT_LINES
