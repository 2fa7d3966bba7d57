"""A retry may send its lines with changed bodies, by class, or only estimate them."""

import gzip
import json
from typing import Any

import msgspec
import pytest

from batchyard.adapters.object_writer import Begun, Writer
from batchyard.api.batches import retrieve_batch, retry_batch
from batchyard.domain.errors import UploadGone
from batchyard.domain.step import TIME_TO_END
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from tests.fakes.bucket import MemoryBucket
from tests.fakes.endings import Ending, answering
from tests.fakes.lines import bad, jsonl, request, unrun
from tests.fakes.world import World, memory_world

IDS = [f"r{at}" for at in range(12)]
FAILED, CUT, UNRUN = {"r1", "r9"}, {"r4", "r5"}, {"r3", "r11"}
BODY = {"model": "gpt-4o-mini", "max_tokens": 50, "messages": None, "input": "é"}


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1, max_requests_per_shard=5)


def cut_off(custom_id: str) -> bytes:
    body = {"choices": [{"message": {"content": ""}, "finish_reason": "length"}], "usage": {"total_tokens": 5}}
    answer = {"id": "x", "custom_id": custom_id, "error": None, "response": {"status_code": 200, "body": body}}
    return json.dumps(answer).encode() + b"\n"


def finished(custom_id: str) -> bytes:
    body = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": {"total_tokens": 5}}
    answer = {"id": "x", "custom_id": custom_id, "error": None, "response": {"status_code": 200, "body": body}}
    return json.dumps(answer).encode() + b"\n"


def mixed(custom_id: str) -> bytes:
    if custom_id in FAILED:
        return bad(custom_id, 400)
    if custom_id in CUT:
        return cut_off(custom_id)
    return unrun(custom_id) if custom_id in UNRUN else finished(custom_id)


def always(answer: Any) -> list[Ending]:
    return [answering(answer, "expired")] * 30


def parent(world: World, data: bytes | None = None, **metadata: str) -> str:
    world.provider.endings = always(mixed)
    data = jsonl([request(each, model=f"m{at % 2}", seed=at) for at, each in enumerate(IDS)]) if data is None else data
    batch_id = world.drop(data, **{"accept": '{"finish_reason": ["stop"]}', **metadata})
    assert world.run(batch_id) == "done"
    world.provider.endings = always(finished)
    return batch_id


def retry(world: World, batch_id: str, **body: Any) -> str:
    return str(retry_batch(world.services, "default", batch_id, body)["id"])


def sent(world: World, since: int) -> dict[str, Any]:
    """Return the bodies that the provider was sent, by custom_id."""
    made = list(world.provider.batches.values())[since:]
    lines = [
        json.loads(line) for batch in made for line in world.provider.files[batch.input_file_id or ""].splitlines()
    ]
    return {line["custom_id"]: line for line in lines}


def ids(world: World, batch_id: str, name: str = "output.jsonl") -> list[Any]:
    return [line["custom_id"] for line in world.answered(batch_id, name)]


def shown(world: World, batch_id: str) -> dict[str, Any]:
    return retrieve_batch(world.services, "default", batch_id)


def report(world: World, batch_id: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(world.result(batch_id, "report.json"))
    return told


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "gzip"])
def test_the_lines_that_are_sent_again_have_the_changed_bodies(world: World, *, packed: bool) -> None:
    data = jsonl([request(each, model=f"m{at % 2}", seed=at) for at, each in enumerate(IDS)])
    first = parent(world, gzip.compress(data) if packed else data)
    made = len(world.provider.batches)
    child = retry(world, first, body=BODY)
    assert world.run(child) == "done"
    lines = sent(world, made)
    assert lines.keys() == FAILED | CUT | UNRUN
    assert lines["r9"] == {
        "custom_id": "r9", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "gpt-4o-mini", "seed": 9, "max_tokens": 50, "input": "é"},
    }  # fmt: skip
    assert ids(world, child) == IDS
    assert (shown(world, child)["model"], shown(world, child)["retry_body"]) == ("gpt-4o-mini", BODY)
    told = report(world, child)
    assert (told["retry_lines"], told["retry_body"]) == ("errors", BODY)
    assert {shard["model"] for shard in told["shards"]} == {"gpt-4o-mini"}


@pytest.mark.parametrize(
    ("lines", "again"),
    [("errors", FAILED | CUT | UNRUN), ("not_accepted", CUT), ("cancelled", UNRUN), ("all", set(IDS))],
)
@pytest.mark.parametrize("body", [None, {"temperature": 0}], ids=["as they are", "changed"])
def test_the_lines_of_a_class_are_sent_and_all_others_keep_what_they_have(
    world: World, lines: str, again: set[str], body: Any
) -> None:
    first = parent(world)
    made, before = len(world.provider.batches), world.answered(first, "errors.jsonl")
    child = retry(world, first, lines=lines, body=body)
    assert world.run(child) == "done"
    assert sent(world, made).keys() == again
    assert all(line["body"].get("temperature", None) == (0 if body else None) for line in sent(world, made).values())
    kept = [line for line in before if line["custom_id"] not in again]
    assert world.answered(child, "errors.jsonl") == kept
    assert ids(world, child) == [each for each in IDS if each not in {line["custom_id"] for line in kept}]
    assert shown(world, child)["retry_lines"] == lines


def test_a_class_without_lines_sends_nothing(world: World) -> None:
    first = parent(world)
    world.run(retry(world, first, lines="not_accepted"))
    second = shown(world, first)["retried_by"]
    world.run(third := retry(world, second, lines="not_accepted"))
    assert [each["code"] for each in shown(world, third)["errors"]["data"]] == ["nothing_to_retry"]
    assert shown(world, third)["errors_total"] == 1
    assert "'not_accepted'" in shown(world, third)["errors"]["data"][0]["message"]


def test_retries_follow_each_other_with_classes_mixed_and_tell_who_answered_what(world: World) -> None:
    chain = [parent(world)]
    for lines, body in (("cancelled", {"seed": 1}), ("not_accepted", None), ("errors", {"model": "n"})):
        made = len(world.provider.batches)
        chain.append(retry(world, chain[-1], lines=lines, body=body))
        assert world.run(chain[-1]) == "done"
        assert len(sent(world, made)) == 2
    assert ids(world, chain[-1]) == IDS
    told = report(world, chain[-1])
    assert [(each["batch_id"], each["answered"]) for each in told["history"]] == list(
        zip(chain, [6, 2, 2, 2], strict=True)
    )
    assert told["sent"] == {"lines": 2, "ranges": 2, "first": [[1, 1], [9, 9]]}
    assert [shown(world, each)["retried_by"] for each in chain[:-1]] == chain[1:]
    made = len(world.provider.batches)
    whole = retry(world, chain[-1], lines="all")
    assert world.run(whole) == "done"
    assert len(sent(world, made)) == 12
    assert report(world, whole)["history"] == [{"batch_id": whole, "answered": 12}]


def test_changed_lines_are_checked_as_any_line(world: World) -> None:
    first = parent(world)
    made = len(world.provider.batches)
    child = retry(world, first, body={"model": "x" * 2_000})
    assert world.run(child) == "refused"
    assert (shown(world, child)["errors_total"], shown(world, child)["errors"]["data"][0]["line"]) == (6, 2)
    assert len(world.provider.batches) == made


def test_a_bad_line_may_be_mended_where_all_lines_are_sent(world: World) -> None:
    data = jsonl([request(each, stream=each == "r2") for each in IDS]) + b"?\n"
    first = parent(world, data, **{"on-invalid": "skip"})
    child = retry(world, first, lines="all", body={"stream": None})
    assert world.run(child) == "done"
    assert ids(world, child) == IDS
    assert ids(world, child, "errors.jsonl") == [None]


def test_a_retry_of_a_refused_input_may_mend_it(world: World) -> None:
    first = world.drop(jsonl([request(each, stream=True) for each in IDS]))
    world.run(first)
    world.provider.endings = always(finished)
    child = retry(world, first, lines="all", body={"stream": False})
    assert world.run(child) == "done"
    assert ids(world, child) == IDS


@pytest.mark.parametrize("body", [None, {"model": "gpt-4o-mini", "max_tokens": 7}])
def test_a_dry_run_estimates_what_would_be_sent_and_sends_nothing(world: World, body: Any) -> None:
    data = jsonl([request(each, model="gpt-4o", max_tokens=10) for each in IDS])
    first = parent(world, data)
    made = len(world.provider.batches)
    child = retry(world, first, dry_run=True, body=body)
    assert world.run(child) == "done"
    told = shown(world, child)
    assert (told["status"], told["dry_run"], told["output_file_id"]) == ("completed", True, None)
    model = told["preflight"]["models"][0]
    assert (model["lines"], model["model"]) == (6, "gpt-4o-mini" if body else "gpt-4o")
    assert model["estimated_output_tokens"] == 6 * (7 if body else 10)
    assert len(world.provider.batches) == made
    assert shown(world, first).get("retried_by") is None
    assert world.run(retry(world, first)) == "done"
    assert not [key for key in world.services.bucket.stored if "changed" in key]  # type: ignore[attr-defined]


def test_a_dry_run_and_a_retry_may_run_side_by_side(world: World) -> None:
    first = parent(world)
    retry(world, first, dry_run=True)
    child = retry(world, first)
    assert retry(world, first, dry_run=True, lines="cancelled") != child


def test_a_retry_is_held_to_what_its_parent_accepts_unless_it_says_otherwise(world: World) -> None:
    first = parent(world)
    world.provider.endings = always(cut_off)
    child = retry(world, first, lines="not_accepted")
    world.run(child)
    assert len(ids(world, child, "errors.jsonl")) == 6
    again = retry(world, child, lines="not_accepted", accept={"finish_reason": ["stop", "length"]})
    world.run(again)
    assert set(ids(world, again)) > CUT


def test_changed_lines_count_toward_what_is_stored_until_the_batch_has_ended(world: World) -> None:
    world.services.quota_store.most_bytes = 1_000_000
    first = parent(world)
    before = world.services.quota_store.read("default").bytes
    child = retry(world, first, body={"pad": "x" * 2_000})
    assert plan(world.services, child).next == "run"
    kept = world.services.batch_store.batch(child).changed
    assert kept is not None
    assert kept.size > 6 * 2_000
    assert world.services.quota_store.read("default").bytes == before + kept.size
    world.run(child)
    sweep(world.services)
    assert kept.key not in world.services.bucket.stored  # type: ignore[attr-defined]
    results = sum(len(world.result(child, name)) for name in ("output.jsonl",))
    assert world.services.quota_store.read("default").bytes == before + results


@pytest.mark.parametrize(("name", "most", "code"), [
    ("most_bytes", 20_000, "storage_limit_exceeded"), ("max_unpacked_bytes", 5_000, "file_too_large"),
])  # fmt: skip
def test_changed_lines_that_find_no_room_send_nothing(world: World, name: str, most: int, code: str) -> None:
    first = parent(world)
    if name == "most_bytes":
        world.services.quota_store.most_bytes = most
    else:
        world.services.settings = msgspec.structs.replace(world.services.settings, max_unpacked_bytes=most)
    before, made = world.services.quota_store.read("default").bytes, len(world.provider.batches)
    child = retry(world, first, body={"pad": "x" * 10_000})
    assert world.run(child) == "refused"
    assert [each["code"] for each in shown(world, child)["errors"]["data"]] == [code]
    assert len(world.provider.batches) == made
    assert world.services.quota_store.read("default").bytes == before


@pytest.mark.parametrize("lines", ["errors", "all"])
def test_a_plan_that_stops_after_every_block_writes_the_same_changed_lines(
    world: World, lines: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = parent(world)
    monkeypatch.setattr(MemoryBucket.chunks, "__defaults__", (0, None, 300))
    child = retry(world, first, lines=lines, body={"model": "n"})
    for stop in range(6):
        assert plan(world.services, child, resume=stop > 0, seconds_left=lambda: TIME_TO_END - 1).next == "plan"
    assert plan(world.services, child, resume=True).next == "run"
    made = len(world.provider.batches)
    assert world.run(child) == "done"
    assert {line["body"]["model"] for line in sent(world, made).values()} == {"n"}
    assert ids(world, child) == IDS


def test_a_plan_whose_changed_lines_were_completed_before_its_checkpoint_begins_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = parent(world)
    monkeypatch.setattr(MemoryBucket.chunks, "__defaults__", (0, None, 300))
    child = retry(world, first, body={"model": "n"})
    assert plan(world.services, child, seconds_left=lambda: TIME_TO_END - 1).next == "plan"
    whole = MemoryBucket.writer

    def gone(bucket: MemoryBucket, key: str, *, hashing: bool = True, begun: Begun | None = None) -> Writer:
        if begun is not None:
            raise UploadGone(key)
        return whole(bucket, key, hashing=hashing, begun=begun)

    monkeypatch.setattr(MemoryBucket, "writer", gone)
    assert plan(world.services, child, resume=True).next == "run"
    assert world.run(child) == "done"
    assert ids(world, child) == IDS


def test_a_retry_of_a_retry_keeps_its_changes_and_its_bound_until_they_are_taken_away(world: World) -> None:
    first = parent(world)
    world.provider.endings = always(mixed)
    asked = {"body": {"model": "gpt-4o-mini"}, "max_cost_usd": 5, "lines": "not_accepted"}
    second = retry_batch(world.services, "default", first, asked, None)["id"]
    assert world.run(second) == "done"
    kept = retry_batch(world.services, "default", second, {"dry_run": True}, None)
    assert (kept["retry_body"], kept["max_cost_usd"]) == ({"model": "gpt-4o-mini"}, 5.0)
    none = {"dry_run": True, "body": None, "max_cost_usd": None}
    bare = retry_batch(world.services, "default", second, none, None)
    assert not {"retry_body", "max_cost_usd"} & bare.keys()
