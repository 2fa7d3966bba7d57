"""Lines of Anthropic's Messages API by a gateway that takes them in batches: what only real answers, faults and a bill show."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.costs.price_list import FILE
from batchyard.planning.plan import plan
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world
from tests.integration.batchyard.test_with_emulator import connect, run
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

URL, MODEL = "/v1/messages", "claude-haiku-4-5"
IDS = [f"r{at}" for at in range(20)]
CACHED = [{"type": "text", "text": "Be brief. " * 80, "cache_control": {"type": "ephemeral"}}]


def message(custom_id: str, **members: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": custom_id}]
    body = {"model": MODEL, "max_tokens": 64, "messages": said, **members}
    return {"custom_id": custom_id, "method": "POST", "url": URL, "body": body}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05", "--prices", str(FILE)) as emulator:
        yield emulator


@pytest.fixture
def world() -> World:
    return memory_world(provider_profile="compatible", max_attempts=3)


def report(world: World, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.read(f"results/default/{batch_id}/report.json"))
    return found


def test_native_answers_and_the_dollars_of_their_cache_are_those_of_the_emulator(
    world: World, emulator: Emulator
) -> None:
    emulator.play()
    before = emulator.admin("/ledger")
    connect(world, emulator)
    batch_id = world.drop(jsonl([message(each, system=CACHED) for each in IDS]))
    assert run(world, batch_id) == "done"
    answers = world.answered(batch_id, "output.jsonl")
    assert [each["custom_id"] for each in answers] == IDS
    bodies = [each["response"]["body"] for each in answers]
    assert {body["type"] for body in bodies} == {"message"}
    assert [body["content"][0]["text"] for body in bodies] == [f"You asked: {each}" for each in IDS]
    found, used = report(world, batch_id), [body["usage"] for body in bodies]
    read = sum(each["cache_read_input_tokens"] for each in used)
    assert read
    assert found["usage"]["input_tokens_details"] == {"cached_tokens": read}
    written = sum(each["cache_creation_input_tokens"] + each["input_tokens"] for each in used)
    assert found["usage"]["input_tokens"] == read + written
    assert found["cost"]["usd"] == pytest.approx(emulator.admin("/ledger")["usd"] - before["usd"], abs=5.1e-7)
    assert found["cost"]["usd"] > 0


def test_a_file_of_several_urls_goes_in_one_shard_each_and_comes_back_in_order(
    world: World, emulator: Emulator
) -> None:
    emulator.play()
    before = connect(world, emulator)
    lines = [message(each) if at % 2 else request(each, MODEL) for at, each in enumerate(IDS)]
    batch_id = world.drop(jsonl(lines))
    assert run(world, batch_id) == "done"
    answers = world.answered(batch_id, "output.jsonl")
    assert [each["custom_id"] for each in answers] == IDS
    shapes = ["content" if at % 2 else "choices" for at in range(len(IDS))]
    assert [shape in each["response"]["body"] for shape, each in zip(shapes, answers, strict=True)] == [True] * len(IDS)
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert sorted((each["endpoint"], each["request_counts"]["total"]) for each in made) == [
        ("/v1/chat/completions", 10), (URL, 10),
    ]  # fmt: skip
    assert max(Counter(custom_id for each in made for custom_id in each["billed"]).values()) == 1


# What the emulator is told to answer once or always, and what becomes of the line.
FAULTS: dict[str, tuple[dict[str, Any], str | None]] = {
    "r0": ({"status": 529}, "overloaded_error"),
    "r1": ({"status": 500}, "api_error"),
    "r2": ({"status": 504}, "timeout_error"),
    "r3": ({"status": 429}, "rate_limit_error"),
    "r4": ({"status": 400, "message": "messages.0: roles must alternate"}, "invalid_request_error"),
    "r5": ({"status": 404}, "not_found_error"),
    "r6": ({"status": 413}, "request_too_large"),
}
PASSING = {"r0", "r1", "r2", "r3"}


@pytest.mark.parametrize("once", [True, False])
def test_an_errored_line_is_sent_again_by_its_kind(world: World, emulator: Emulator, *, once: bool) -> None:
    times = {"times": 1} if once else {}
    emulator.play(lines=[{"custom_id": name, **times, "do": do} for name, (do, _) in FAULTS.items()])
    connect(world, emulator)
    batch_id = world.drop(jsonl([message(each) for each in IDS]))
    assert run(world, batch_id) == "done"
    failed = [each for each in FAULTS if not once or each not in PASSING]
    assert [each["custom_id"] for each in world.answered(batch_id, "errors.jsonl")] == failed
    assert report(world, batch_id)["errors"]["by_code"] == dict(
        sorted(Counter(str(FAULTS[each][1]) for each in failed).items())
    )
    kept = {each["custom_id"]: each["response"]["body"] for each in world.answered(batch_id, "errors.jsonl")}
    assert {body["type"] for body in kept.values()} == {"error"}
    assert kept["r4"]["error"] == {"type": "invalid_request_error", "message": "messages.0: roles must alternate"}
    answered = [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")]
    assert answered == [each for each in IDS if each not in failed]


def test_answers_that_are_cut_off_refused_or_empty_are_sent_again_where_that_is_asked(
    world: World, emulator: Emulator
) -> None:
    says = {"r1": "cut_off", "r2": "refused", "r3": "nothing", "r4": "broken_json"}
    emulator.play(lines=[{"custom_id": name, "times": 1, "do": {"says": word}} for name, word in says.items()])
    connect(world, emulator)
    form = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    accept = '{"finish_reason": ["stop"], "not_empty": true, "json": true, "schema": true}'
    batch_id = world.drop(jsonl([message(each, output_config=form) for each in IDS]), accept=accept)
    assert run(world, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    found = report(world, batch_id)
    assert sum(each["not_accepted"] for each in found["shards"][0]["attempts"]) == len(says)


def test_a_bad_line_is_told_before_anything_is_sent(world: World, emulator: Emulator) -> None:
    emulator.play()
    before = connect(world, emulator)
    lines = [message("a"), message("b", max_tokens=0), message("c", messages=[]), message("d", stream=True)]
    batch_id = world.drop(jsonl(lines))
    assert plan(world.services, batch_id).next == "refused"
    errors = world.services.batch_store.batch(batch_id).errors
    assert [(each.line, each.param) for each in errors] == [
        (2, "body.max_tokens"), (3, "body.messages"), (4, "body.stream"),
    ]  # fmt: skip
    assert {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]} == before


def test_the_last_lines_go_one_by_one_at_the_deadline_and_are_paid_once(emulator: Emulator) -> None:
    world = memory_world(
        provider_profile="compatible", deadline_action="finish", poll_floor_seconds=21_600, poll_ceiling_seconds=86_400
    )
    emulator.play(batches=[{"batch": "1", "do": {"stuck": "in_progress"}}], seconds_per_batch=60)
    before, direct = connect(world, emulator), len(emulator.admin("/ledger")["direct"])
    batch_id = world.drop(jsonl([message(each) for each in IDS]))
    assert run(world, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    books = emulator.admin("/ledger")
    billed = Counter(custom_id for each in books["data"] if each["id"] not in before for custom_id in each["billed"])
    at_once = Counter(each["body"]["messages"][0]["content"] for each in books["direct"][direct:])
    assert at_once
    assert {each["endpoint"] for each in books["direct"][direct:]} == {URL}
    assert max((billed + at_once).values()) == 1
