"""What goes wrong on the wire between the real client and a provider, judged by the provider's own books; AWS is in memory."""

from __future__ import annotations

import heapq
import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batch_client import BatchClient, OpenAIDialect, RetryPolicy
from batchyard.costs.price_list import FILE
from batchyard.domain.job import ATTEMPT_LABEL
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world
from tests.integration.batchyard.spoken import Rule, at_any_service, batch, call, emulator_of
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World

IDS = [f"r{at}" for at in range(60)]
UNSEEN = {
    "message": "Cannot find file file-1, or project p does not have access to it.",
    "type": "invalid_request_error", "param": "file_id", "code": None,
}  # fmt: skip
SCENARIOS: dict[str, dict[str, Any]] = {
    **at_any_service("createBatch", "downloadFile"),
    "creates lost four times": {"calls": [call("createBatch", "1-4", status=502)]},
    "creates refused twice": {"calls": [call("createBatch", "1-2", status=400, error=UNSEEN)]},
    "creates refused six times, without a param": {
        "calls": [call("createBatch", "1-6", status=400, error={**UNSEEN, "param": None})]
    },
    "creates not found": {"calls": [call("createBatch", "1-3", status=404, body={"detail": "no such file"})]},
    "a status that is spelled otherwise": {
        "statuses": {"validating": "QUEUED", "in_progress": "JOB_STATE_RUNNING", "completed": "Succeeded"}
    },
    "statuses that nobody knows": {"statuses": {"in_progress": "odd", "finalizing": "odd", "completed": "odd"}},
    "files that are not ready at once": {"seconds_per_file": 0.4},
    "files smaller than documented": {"max_file_bytes": 4000},
    "files smaller than documented, says a gateway": {"max_file_bytes": 1500, "too_large_by_gateway": True},
    "an upload refused": {"calls": [call("createFile", status=400, html=True)]},
    "an upload lost after its effect": {"calls": [call("createFile", connection="close", after_effect=True)]},
    "empty file ids": {"batches": [batch("1-", empty_file_ids=True)]},
    "a wrapped job": {"calls": [{"operation": "retrieveBatch", "do": {"wrap": "job"}}]},
}


@pytest.fixture
def world() -> World:
    return memory_world()


emulator = emulator_of()


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_line_has_its_answer_and_is_paid_once(world: World, emulator: Emulator, name: str) -> None:
    emulator.play(**SCENARIOS[name])
    before = connect(world, emulator)
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    assert run(world, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    paid = Counter(custom_id for each in made for custom_id in each["billed"])
    assert set(paid) == set(IDS)
    assert max(paid.values()) == 1
    assert {each["status"] for each in made} <= {"completed", "expired", "failed", "cancelled"}


ODD_LINES: list[tuple[Rule, str | None]] = [
    ({"garbled": True}, None),
    ({"status": 200, "body": {}}, None),
    ({"status": 200, "error": "odd"}, None),
    ({"status": 400, "error": "request_timeout"}, "request_timeout"),
    ({"status": 0}, "http_0"),
    ({"error": "invalid_value"}, "invalid_value"),
    ({"error": "batch_client_error"}, "batch_client_error"),
]


def test_each_odd_line_has_its_outcome_and_the_results_are_strict(world: World, emulator: Emulator) -> None:
    emulator.play(lines=[{"custom_id": f"r{at}", "do": do} for at, (do, _) in enumerate(ODD_LINES)])
    before = connect(world, emulator)
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    assert run(world, batch_id) == "done"
    for name in ("output.jsonl", "errors.jsonl"):
        for line in world.read(f"results/default/{batch_id}/{name}").splitlines():
            json.loads(line.decode())
    codes = {f"r{at}": code for at, (_, code) in enumerate(ODD_LINES) if code}
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [
        each for each in IDS if each not in codes
    ]
    assert [each["custom_id"] for each in world.answered(batch_id, "errors.jsonl")] == list(codes)
    report = json.loads(world.read(f"results/default/{batch_id}/report.json"))
    assert report["errors"]["by_code"] == dict(sorted((code, 1) for code in codes.values()))
    assert report["answers"] == {"strays": 0, "mended": 1, "empty": 2, "unmetered": 0, "never_came": 0}
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert [each["request_counts"]["total"] for each in made] == [
        60,
        2,
        2,
    ]  # status 0 and a fault of the service, three times


def connect(world: World, emulator: Emulator, profile: str | None = None) -> set[str]:
    """Have the services talk to the emulator; answer the provider batches it has already."""
    retry = RetryPolicy(floor=0.001, ceiling=0.002, max_retries=2)
    client = BatchClient(emulator.api_key, emulator.url, profile=profile, retry=retry)
    world.services.account().client = OpenAIDialect(client, ATTEMPT_LABEL)
    return {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}


def run(world: World, batch_id: str) -> str:
    """Play the state machine, letting the emulator's time pass where ours is only told to."""
    for each in json.loads(world.read(plan(world.services, batch_id).shards["key"])):
        step = Step(batch_id, each["shard"])
        for _ in range(200):
            if step.next == "done":
                break
            world.clock.now += step.wait_seconds
            time.sleep(0.01)
            step = world.step(step)
        assert step.next == "done"
    return assemble(world.services, batch_id)


def side_by_side(world: World, batch_id: str) -> str:
    """Play all shards at once: whichever is due next goes on."""
    listed = json.loads(world.read(plan(world.services, batch_id).shards["key"]))
    due = [(0.0, at, Step(batch_id, each["shard"])) for at, each in enumerate(listed)]
    for turn in range(len(due), 1_500):
        if not due:
            break
        moment, _, step = heapq.heappop(due)
        world.clock.now = max(world.clock.now, moment)
        time.sleep(0.01)
        step = world.step(step)
        if step.next != "done":
            heapq.heappush(due, (world.clock.now + step.wait_seconds, turn, step))
    assert not due
    return assemble(world.services, batch_id)


def test_a_token_limit_is_learned_of_the_words_of_a_refusal_and_then_kept_to(world: World, emulator: Emulator) -> None:
    text, lines = "four of them each ", 6
    limit = int(lines * len(text) * 20 / 4 * 1.1)  # fits one shard of ten
    emulator.play(enqueued_token_limits={"*": limit})
    before = {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}
    world.services.settings = msgspec.structs.replace(
        world.services.settings,
        max_requests_per_shard=lines,
        first_enqueued_tokens=1,  # all is a thousandth of what is real
    )
    world.services.account().client = OpenAIDialect(BatchClient(emulator.api_key, emulator.url), ATTEMPT_LABEL)
    said = [{"role": "user", "content": text * 20}]
    batch_id = world.drop(jsonl([request(each, messages=said) for each in IDS]))
    assert side_by_side(world, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert max(Counter(custom_id for each in made for custom_id in each["billed"]).values()) == 1
    assert Counter(each["status"] for each in made)["failed"] <= 2
    (name,) = world.services.account().token_ledgers.names()
    assert world.services.account().token_ledgers.read(name).enqueued == 0


@pytest.mark.parametrize(
    ("calls", "unknown"),
    [
        ([call("createChatCompletion", "1-6", status=429, headers={"retry-after": "0"})], 0),
        ([call("createChatCompletion", "2", connection="reset", after_effect=True)], 1),
        ([call("createChatCompletion", "2", status=502, html=True)], 1),
    ],
    ids=["too fast", "an answer lost", "a gateway fails"],
)
def test_the_tail_of_a_batch_that_stalls_is_finished_line_by_line(
    world: World, emulator: Emulator, calls: list[Rule], unknown: int
) -> None:
    emulator.play(calls=calls, seconds_per_batch=60)
    before, direct = connect(world, emulator), len(emulator.admin("/ledger")["direct"])
    world.services.settings = msgspec.structs.replace(
        world.services.settings, deadline_action="finish", poll_floor_seconds=21_600, poll_ceiling_seconds=86_400
    )
    ids = IDS[:20]
    batch_id = world.drop(jsonl([request(each) for each in ids]))
    assert run(world, batch_id) == "done"
    errors = world.answered(batch_id, "errors.jsonl") if unknown else []
    assert [each["error"]["code"] for each in errors] == ["outcome_unknown"] * unknown
    answered = {each["custom_id"] for each in world.answered(batch_id, "output.jsonl")}
    assert answered | {each["custom_id"] for each in errors} == set(ids)
    books = emulator.admin("/ledger")
    billed = Counter(custom_id for each in books["data"] if each["id"] not in before for custom_id in each["billed"])
    at_once = Counter(each["body"]["messages"][0]["content"] for each in books["direct"][direct:])
    assert at_once
    assert max((billed + at_once).values()) == 1
    assert answered <= set(billed + at_once)


SPOILT = ("cut_off", "filtered", "refused", "nothing")
FLEX: dict[str, dict[str, Any]] = {
    "there is room": {},
    "there is room for some": {"share": 0.8},
    "there is no room": {"no_room": "1-"},
    "another tier answers": {"served_as": "default"},
    "it is not sold": {"sold": False},
    "it is slow": {"seconds": 0.4},
}

FALLS_BACK = {"there is room for some", "there is no room", "it is not sold"}


@pytest.fixture(scope="module")
def billing() -> Iterator[Emulator]:
    """Start an emulator that sees no model without a price, which has no bill."""
    with started("--seconds-per-batch", "0.05", "--prices", str(FILE)) as emulator:
        yield emulator


@pytest.mark.parametrize("name", FLEX)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_the_report_s_dollars_are_the_emulator_s_bill(billing: Emulator, name: str, path: str) -> None:
    world = memory_world(
        provider_profile="openai", max_attempts=6, deadline_action="finish", poll_floor_seconds=21_600,
        poll_ceiling_seconds=86_400,
    )  # fmt: skip
    lines = [{"share": 0.3, "times": 1, "do": {"says": says}} for says in SPOILT]
    unfit = [
        {"operation": operation, "nth": "2,5", "do": {"says": "cut_off"}}
        for operation in ("createChatCompletion", "createResponse")
    ]
    slow, whole = batch("1", stuck="in_progress"), batch("2-", seconds=0.05)
    billing.play(flex=FLEX[name], lines=lines, calls=unfit, batches=[slow, whole])
    before = billing.admin("/ledger")
    connect(world, billing)
    said = [{**request(each, "o4-mini", path), "body": {"model": "o4-mini", **asked(path, each)}} for each in IDS[:20]]
    batch_id = world.drop(jsonl(said), accept='{"finish_reason": ["stop"], "not_empty": true}')
    assert run(world, batch_id) == "done"
    report = json.loads(world.read(f"results/default/{batch_id}/report.json"))
    after = billing.admin("/ledger")
    assert report["cost"]["usd"] == pytest.approx(after["usd"] - before["usd"], abs=5.1e-7)  # a sixth digit is rounded
    sent = after["direct"][len(before["direct"]) :]
    alone = [each for each in report["shards"][0]["attempts"] if each["direct"]]
    assert {each["tier"] for each in alone} == {"flex"}
    by_flex = sum(each["by_flex"] for each in alone)
    assert by_flex == sum(each["service_tier"] == "flex" for each in sent)
    if name not in FALLS_BACK:  # a call that is refused is counted by the rule, too
        assert sum(each["not_accepted"] for each in alone) == 2
    if name != "there is room for some":
        assert by_flex == (len(sent) if name in {"there is room", "it is slow"} else 0)
    assert report["outcomes_equal_lines"]
    assert report["errors"]["lines"] == 0


def asked(path: str, text: str) -> dict[str, Any]:
    """Return what a request says to its endpoint."""
    return {"input": text} if path.endswith("responses") else {"messages": [{"role": "user", "content": text}]}
