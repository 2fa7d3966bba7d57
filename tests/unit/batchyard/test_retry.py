"""A retry sends what has no good answer in its parent, and its results are whole again, in input order."""

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.api.batches import cancel_batch, retrieve_batch, retry_batch
from batchyard.domain.errors import ApiError
from batchyard.domain.step import TIME_TO_END
from batchyard.planning import skipped, taken_over
from batchyard.planning.plan import plan
from tests.fakes.bucket import MemoryBucket
from tests.fakes.endings import Ending, answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.stores import MemoryBatchStore
from tests.fakes.world import World, memory_world

if TYPE_CHECKING:
    from batch_client import Batch as ProviderBatch

IDS = [f"r{at}" for at in range(12)]
FAILED = {"r1": 400, "r4": 422, "r9": 400}
UNRUN = {"r3", "r11"}


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1, max_requests_per_shard=5)


def mixed(custom_id: str) -> bytes:
    """Answer some lines with success, refuse others, and let others expire."""
    if custom_id in FAILED:
        return bad(custom_id, FAILED[custom_id])
    return unrun(custom_id) if custom_id in UNRUN else good(custom_id)


def once(answer: Any) -> list[Ending]:
    return [answering(answer, "expired")] * 30


def parent(world: World, data: bytes | None = None, **metadata: str) -> str:
    world.provider.endings = once(mixed)
    data = jsonl([request(each, model=f"m{at % 2}") for at, each in enumerate(IDS)]) if data is None else data
    batch_id = world.drop(data, **metadata)
    assert world.run(batch_id) == "done"
    world.provider.endings = []
    return batch_id


def retry(world: World, batch_id: str, **body: Any) -> str:
    return str(retry_batch(world.services, "default", batch_id, body)["id"])


def ids(world: World, batch_id: str, name: str = "output.jsonl") -> list[Any]:
    return [line["custom_id"] for line in world.answered(batch_id, name)]


def sent(world: World, since: int) -> list[str]:
    made: list[ProviderBatch] = list(world.provider.batches.values())[since:]
    return sorted(each for batch in made for each in world.provider.custom_ids(batch))


def report(world: World, batch_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(world.result(batch_id, "report.json"))
    return told


def by_number(custom_ids: set[str]) -> list[str]:
    return [each for each in IDS if each in custom_ids]


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
def test_only_what_has_no_success_is_sent_and_the_results_are_whole(world: World, *, packed: bool) -> None:
    data = jsonl([request(each, model=f"m{at % 2}") for at, each in enumerate(IDS)])
    first = parent(world, gzip.compress(data) if packed else data)
    before = {name: world.result(first, name) for name in ("output.jsonl", "errors.jsonl", "report.json")}
    made = len(world.provider.batches)
    child = retry(world, first)
    assert child != first
    assert world.run(child) == "done"
    assert sent(world, made) == sorted(FAILED.keys() | UNRUN)
    assert ids(world, child) == IDS
    taken = {line["custom_id"]: line for line in world.answered(first, "output.jsonl")}
    assert all(taken.get(line["custom_id"], line) == line for line in world.answered(child, "output.jsonl"))
    assert {name: world.result(first, name) for name in before} == before
    shown = retrieve_batch(world.services, "default", child)
    assert shown["request_counts"] == {"total": 12, "completed": 12, "failed": 0}
    assert (shown["retry_of"], shown["taken_over"]) == (first, 7)
    told = report(world, child)
    assert (told["retry_of"], told["taken_over"], told["outcomes_equal_lines"]) == (first, 7, True)
    assert told["usage"]["total_tokens"] == 5 * 5, "it paid for its own lines alone"


def test_a_retry_of_a_retry_sends_what_is_left_and_takes_over_all_answers(world: World) -> None:
    first = parent(world)
    world.provider.endings = once(lambda each: bad(each, 400) if each in {"r4", "r9"} else good(each))
    child = retry(world, first)
    world.run(child)
    assert ids(world, child, "errors.jsonl") == ["r4", "r9"]
    made, world.provider.endings = len(world.provider.batches), []
    grandchild = retry(world, child)
    assert world.run(grandchild) == "done"
    assert sent(world, made) == ["r4", "r9"]
    assert ids(world, grandchild) == IDS
    assert report(world, grandchild)["taken_over"] == 10


def test_lines_that_never_ran_are_sent_alone_if_so_asked(world: World) -> None:
    first = parent(world)
    made = len(world.provider.batches)
    child = retry(world, first, lines="cancelled")
    assert world.run(child) == "done"
    assert sent(world, made) == sorted(UNRUN)
    assert ids(world, child) == by_number(set(IDS) - FAILED.keys())
    kept = [line for line in world.answered(first, "errors.jsonl") if line["custom_id"] in FAILED]
    assert world.answered(child, "errors.jsonl") == kept
    counts = retrieve_batch(world.services, "default", child)["request_counts"]
    assert counts == {"total": 12, "completed": 9, "failed": 3}
    assert report(world, child)["errors"]["by_code"] == {"some_code": 3}


def test_a_cancelled_batch_goes_on_where_it_was_cancelled(world: World) -> None:
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    planned = plan(world.services, batch_id)
    assert planned.next == "run"
    cancel_batch(world.services, "default", batch_id)
    world.run(batch_id)
    assert retrieve_batch(world.services, "default", batch_id)["status"] == "cancelled"
    child = retry(world, batch_id)
    assert world.run(child) == "done"
    assert ids(world, child) == IDS


def test_bad_lines_stay_errors_at_their_place_and_duplicates_are_not_sent(world: World) -> None:
    rows = [jsonl([request(each)]) for each in IDS]
    twin, bare = rows[0], b'{"custom_id":"bare","method":"POST","url":"/v1/chat/completions"}\n'
    data = b"".join([b"?\n", *rows[:4], twin, b"\n", rows[1], *rows[4:8], bare, *rows[8:], rows[1]])
    first = parent(world, data, **{"on-invalid": "skip"})
    for _ in range(2):
        made = len(world.provider.batches)
        world.provider.endings = once(lambda each: bad(each, 400) if each == "r9" else good(each))
        child = retry(world, first)
        assert world.run(child) == "done"
        assert "r0" not in sent(world, made)
        assert ids(world, child) == [each for each in IDS if each != "r9"]
        assert ids(world, child, "errors.jsonl") == [None, "r0", "r1", "bare", "r9", "r1"]
        numbers = [line["error"]["line"] for line in world.answered(child, "errors.jsonl") if line["error"]]
        assert numbers == [1, 6, 8, 13, 18]
        first = child


def refused(world: World, batch_id: str, **body: Any) -> ApiError:
    with pytest.raises(ApiError) as told:
        retry_batch(world.services, "default", batch_id, body)
    return told.value


def test_there_is_nothing_to_retry_where_all_is_well_or_nothing_ran(world: World) -> None:
    good_one = world.drop(jsonl([request("a")]))
    assert "validating" in str(refused(world, good_one))
    world.run(good_one)
    assert (refused(world, good_one).status, str(refused(world, good_one))) == (
        409, "There is nothing to retry: every line succeeded.",
    )  # fmt: skip
    bad_one = world.drop(b"?\n", "inbox/default/bad.jsonl")
    world.run(bad_one)
    assert "Correct the input" in str(refused(world, bad_one))
    estimate = world.drop(jsonl([request("a")]), "inbox/default/dry.jsonl", **{"dry-run": "true"})
    world.run(estimate)
    assert "dry run" in str(refused(world, estimate))
    with pytest.raises(ApiError, match="No batch found"):
        retry_batch(world.services, "another", good_one, {})


@pytest.mark.parametrize(
    ("body", "param"),
    [({"lines": "most"}, "lines"), ({"lines": ["errors"]}, "lines"), ({"line": "errors"}, "line"), ({"body": {}}, "body"),
     ({"body": "m"}, "body"), ({"body": {"model": None}}, "body.model"), ({"body": {"stream": True}}, "body.stream"),
     ({"body": {"pad": "x" * 20_000}}, "body"), ({"metadata": 1}, "metadata"), ({"max_cost_usd": -1}, "max_cost_usd"),
     ({"dry_run": 1}, "dry_run"), ({"accept": 1}, "accept"), ({"on_invalid": "skip"}, "on_invalid")],
)  # fmt: skip
def test_a_body_that_cannot_be_followed_is_refused(world: World, body: dict[str, Any], param: str) -> None:
    assert refused(world, parent(world), **body).param == param


@pytest.mark.parametrize("name", ["output.jsonl", "errors.jsonl"])
def test_a_parent_whose_results_are_gone_is_not_sent_again(world: World, name: str) -> None:
    first = parent(world)
    del world.services.bucket.stored[f"results/default/{first}/{name}"]  # type: ignore[attr-defined]
    assert "gone" in str(refused(world, first))


def test_a_parent_whose_input_is_replaced_is_not_sent_again(world: World) -> None:
    first = parent(world)
    world.backing.put("inbox/default/in.jsonl", b"{}", {})
    assert "input" in str(refused(world, first))


@pytest.mark.parametrize("change", [b"", b"{}\n"], ids=["emptied", "another line"])
def test_results_that_are_not_those_of_the_input_are_never_followed(world: World, change: bytes) -> None:
    first = parent(world)
    child = retry(world, first)
    made = len(world.provider.batches)
    kept = world.result(first, "output.jsonl")
    world.backing.put(f"results/default/{first}/output.jsonl", change and kept + change, {})
    assert world.run(child) == "refused"
    shown = retrieve_batch(world.services, "default", child)
    assert (shown["status"], shown["errors"]["data"][0]["param"]) == ("failed", "retry_of")
    assert len(world.provider.batches) == made


def test_nothing_is_sent_where_all_errors_are_of_the_input(world: World) -> None:
    first = parent(world, b"?\n" + jsonl([request("r0")]), **{"on-invalid": "skip"})
    child = retry(world, first)
    assert world.run(child) == "refused"
    shown = retrieve_batch(world.services, "default", child)
    assert [each["code"] for each in shown["errors"]["data"]] == ["nothing_to_retry"]
    assert shown["errors_total"] == 1  # the errors that the line had before are not those of this batch


def test_a_retry_that_is_refused_counts_the_lines_that_it_spoils_and_no_other(world: World) -> None:
    lines = b"?\n" + b"!\n" + jsonl([request(f"r{at}") for at in range(4)])
    first = parent(world, lines, **{"on-invalid": "skip"})
    failed = len(world.answered(first, "errors.jsonl")) - 2
    assert failed > 0
    spoilt = retry(world, first, body={"model": "x" * 3_000})
    assert world.run(spoilt) == "refused"
    shown = retrieve_batch(world.services, "default", spoilt)
    codes = [each["code"] for each in shown["errors"]["data"]]
    assert (len(codes), codes[-1], shown["errors_total"]) == (failed + 1, "nothing_to_retry", failed + 1)


def test_while_a_retry_runs_another_call_gets_the_same_and_a_later_one_a_new_one(world: World) -> None:
    first = parent(world)
    child = retry(world, first)
    assert retry(world, first) == child
    assert "otherwise" in str(refused(world, first, lines="cancelled"))
    world.run(child)
    assert retry(world, first) != child


def test_an_idempotency_key_names_one_retry_for_good(world: World) -> None:
    first = parent(world)
    made = retry_batch(world.services, "default", first, {}, "key")["id"]
    world.run(made)
    assert retry_batch(world.services, "default", first, {}, "key")["id"] == made
    with pytest.raises(ApiError, match="Idempotency-Key"):
        retry_batch(world.services, "default", first, {"lines": "cancelled"}, "key")


def test_a_retry_keeps_to_its_own_budget(world: World) -> None:
    child = retry(world, parent(world), max_cost_usd=1)
    assert world.run(child) == "refused"
    assert retrieve_batch(world.services, "default", child)["errors"]["data"][0]["code"] == "unknown_price"


def test_the_estimate_is_that_of_the_lines_that_are_sent(world: World) -> None:
    data = jsonl([request(each, model="gpt-4o-mini", max_tokens=10) for each in IDS])
    child = retry(world, parent(world, data), max_cost_usd=1)
    assert world.run(child) == "done"
    shown = retrieve_batch(world.services, "default", child)
    assert [each["lines"] for each in shown["preflight"]["models"]] == [5]
    assert (shown["preflight"]["lines"], shown["preflight"]["bad_lines"]) == (12, 0)
    assert ids(world, child) == IDS


def test_a_parent_may_be_deleted_while_its_retry_runs(world: World) -> None:
    first = parent(world)
    child = retry(world, first)
    assert plan(world.services, child).next == "run"
    for name in ("output.jsonl", "errors.jsonl"):
        del world.services.bucket.stored[f"results/default/{first}/{name}"]  # type: ignore[attr-defined]
    assert world.run(child) == "done"
    assert ids(world, child) == IDS


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


def test_a_plan_that_stops_after_every_block_takes_over_the_same_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = parent(world)
    monkeypatch.setattr(taken_over, "MOST_IN_RUN", 2)
    monkeypatch.setattr(skipped, "MOST_IN_RUN", 100)
    monkeypatch.setattr(MemoryBucket.chunks, "__defaults__", (0, None, 200))
    child = retry(world, first, lines="cancelled")
    for stop in range(6):
        assert plan(world.services, child, resume=stop > 0, seconds_left=lambda: TIME_TO_END - 1).next == "plan"
    assert plan(world.services, child, resume=True).next == "run"
    assert world.run(child) == "done"
    assert ids(world, child) == by_number(set(IDS) - FAILED.keys())
    assert ids(world, child, "errors.jsonl") == list(FAILED)


@pytest.mark.parametrize("lines", ["errors", "cancelled"])
def test_a_plan_and_results_that_die_at_any_write_are_made_again(lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_over, "MOST_IN_RUN", 3)
    at, died = 0, True
    while died:
        world = memory_world(max_attempts=1, max_requests_per_shard=5)
        first = parent(world)
        child = retry(world, first, lines=lines)
        made = len(world.provider.batches)
        at, died = at + 1, struck(world, child, at + 1)
        assert not died or world.run(child) == "done"
        failed = set(FAILED) if lines == "cancelled" else set[str]()
        assert ids(world, child) == by_number(set(IDS) - failed)
        assert set(sent(world, made)).isdisjoint(ids(world, first))
    assert at > 10


def struck(world: World, child: str, at: int) -> bool:
    """Run the batch until the write `at` of its objects and its record; tell whether it died there."""
    left = [at]

    def dying(call: Any) -> Any:
        def called(*args: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return call(*args, **named)

        return called

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemoryBucket, "put", dying(MemoryBucket.put))
        patched.setattr(MemoryBatchStore, "move_batch", dying(MemoryBatchStore.move_batch))
        try:
            world.run(child)
        except Killed:
            return True
    return False
