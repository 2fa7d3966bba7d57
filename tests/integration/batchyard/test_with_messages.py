"""Anthropic's dialect between the real client and its emulator, judged by the emulator's books; AWS is in memory."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from tests.faults.strikes import Strike
from tests.integration.batchyard.spoken import Spoken, at_any_service, call, emulator_of, run, turn

if TYPE_CHECKING:
    from tests.fakes.world import World
    from tests.integration.local.emulator.running import Emulator

IDS = [f"Kant, § {at}" for at in range(60)]  # Anthropic takes none of these characters
LOW_CREDIT = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."


def message_line(custom_id: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Say {custom_id}"}]
    body = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": messages}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/messages", "body": body}


CLAUDE = Spoken("anthropic", message_line)
SCENARIOS: dict[str, dict[str, Any]] = {
    "all is well": {},
    **at_any_service("createMessageBatch", "retrieveMessageBatchResults"),
    "an overloaded service": {"calls": [call("createMessageBatch", "1-3", status=529)]},
    "a gateway that fails with 529": {"calls": [call("createMessageBatch", "1-2", status=529, html=True)]},
    "no room for a while": {"calls": [call("createMessageBatch", "1-4", status=429)]},
    "low credit at the create": {"calls": [call("createMessageBatch", "1-3", status=400, error={"message": LOW_CREDIT})]},
    "results cut short without a length": {
        "calls": [call("retrieveMessageBatchResults", "1-2", cut={"at": 0.5, "framing": "close"})]
    },
    "results cut, in another order each time": {
        "messages": {"reshuffled": True}, "calls": [call("retrieveMessageBatchResults", "1-2", cut={"at": 0.4})],
    },
    "a batch that expires": {"batches": [{"batch": 1, "do": {"expire_after": 0.4}}]},
    "lines that expire, are canceled or overloaded": {"batches": [{"batch": 1, "do": {"lines": [
        {"lines": "1-5", "do": {"error": "expired"}}, {"lines": "6-9", "do": {"error": "canceled"}},
        {"lines": "10-12", "do": {"status": 529}}, {"lines": "13", "do": {"error": "pondered"}},
    ]}}]},
    "lines that are missing or cut in half": {"batches": [{"batch": 1, "do": {"lines": [
        {"lines": "1-3", "do": {"status": 500, "missing": True}}, {"lines": "5", "do": {"status": 500, "malformed": True}},
    ]}}]},
    "low credit, line by line": {"batches": [{"batch": "1-4", "do": {"lines": [
        {"lines": "11-", "do": {"status": 400, "message": LOW_CREDIT}}
    ]}}]},
    "statuses that nobody knows": {"statuses": {"in_progress": "odd", "ended": "odd"}},
    "a queue of 40 requests": {"messages": {"queued_requests": 40}},
    "bodies smaller than documented": {"messages": {"most_bytes": 6000}},
    "bodies smaller than documented, says a gateway": {"messages": {"most_bytes": 6000}, "too_large_by_gateway": True},
}  # fmt: skip


@pytest.fixture
def world() -> World:
    return CLAUDE.world()


emulator = emulator_of()


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_line_has_its_answer_and_is_paid_once(world: World, emulator: Emulator, name: str) -> None:
    emulator.play(**SCENARIOS[name])
    before = CLAUDE.connect(world, emulator)
    batch_id = CLAUDE.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    answers = world.answered(batch_id, "output.jsonl")
    assert [each["custom_id"] for each in answers] == IDS
    assert [each["response"]["body"]["content"][0]["text"] for each in answers] == [
        f"You asked: Say {each}" for each in IDS
    ]
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert sum(len(each["billed"]) for each in made) == len(IDS)
    assert all(each["status"] == "ended" for each in made)


def test_errored_lines_are_errors_with_their_native_body_and_cost_nothing(world: World, emulator: Emulator) -> None:
    emulator.play(lines=[{"lines": "2", "do": {"status": 400}}, {"lines": "4", "do": {"status": 404}}])
    CLAUDE.connect(world, emulator)
    batch_id = CLAUDE.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    errors = world.answered(batch_id, "errors.jsonl")
    assert [(each["custom_id"], each["response"]["status_code"]) for each in errors] == [(IDS[1], 400), (IDS[3], 404)]
    assert [each["response"]["body"]["error"]["type"] for each in errors] == [
        "invalid_request_error",
        "not_found_error",
    ]
    report = json.loads(world.read(f"results/default/{batch_id}/report.json"))
    assert report["errors"]["by_code"] == {"invalid_request_error": 1, "not_found_error": 1}


def test_a_shard_without_credit_tells_what_it_waits_for(world: World, emulator: Emulator) -> None:
    emulator.play(lines=[{"do": {"status": 400, "message": LOW_CREDIT}}])
    CLAUDE.connect(world, emulator)
    batch_id = CLAUDE.upload(world, IDS)
    assert plan(world.services, batch_id).next == "run"
    step, waits = Step(batch_id, 0), []
    for _ in range(60):
        before = step.next
        step = turn(world, emulator, step)
        if before == "collect":
            waits.append(step.wait_seconds)
            shard = world.services.batch_store.shard(batch_id, 0)
            assert shard is not None
            assert "60 requests were refused (credit_balance_exhausted)" in (shard.paused or "")
            assert (shard.failed, shard.completed, shard.unfinished) == (0, 0, 60)
    assert len(waits) > 4, "more than a line has tries"
    assert waits == sorted(waits), "waits grow"
    emulator.play()
    while step.next != "done":
        step = turn(world, emulator, step)
    assert assemble(world.services, batch_id) == "done"
    assert len(world.answered(batch_id, "output.jsonl")) == len(IDS)


def test_a_finished_batch_leaves_nothing_at_the_service(world: World, emulator: Emulator) -> None:
    emulator.play()
    before = CLAUDE.connect(world, emulator)
    batch_id = CLAUDE.upload(world, IDS)
    assert run(world, emulator, batch_id) == "done"
    made = {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]} - before
    assert made
    listed = {seen.id for seen in world.services.account().client.jobs()}
    assert not made & listed
    assert Counter(each["operation"] for each in emulator.admin("/calls")["data"])["deleteMessageBatch"] >= 1


@pytest.mark.parametrize(
    ("kind", "after", "lost"),
    [("kill", False, False), ("kill", True, True), ("overtake", False, True)],
    ids=["killed before it", "killed after it, and a create lost", "overtaken, and a create lost"],
)
def test_whatever_effect_is_struck_each_line_is_paid_once(
    emulator: Emulator, kind: str, *, after: bool, lost: bool
) -> None:
    calls = [call("createMessageBatch", connection="reset", after_effect=True)] if lost else []
    emulator.play(calls=calls)
    effects = CLAUDE.struck_run(emulator, None, IDS[:5])[1].count
    assert effects > 20
    for at in range(effects):
        emulator.play(calls=calls)
        before = {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}
        world, strikes, batch_id = CLAUDE.struck_run(emulator, Strike(kind, at, after), IDS[:5])
        answers = world.answered(batch_id, "output.jsonl")
        assert [each["custom_id"] for each in answers] == IDS[:5], strikes.struck
        made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
        assert sum(len(each["billed"]) for each in made) == 5, strikes.struck


@pytest.mark.parametrize("was_made", [False, True])
def test_a_lost_create_beside_running_batches_of_equal_size_asks_for_no_person(
    emulator: Emulator, *, was_made: bool
) -> None:
    several = replace(CLAUDE, settings={"max_requests_per_shard": 20})
    world = several.world()
    lost = call("createMessageBatch", "2", connection="reset", after_effect=was_made)
    emulator.play(seconds_per_batch=600, calls=[lost])
    before = several.connect(world, emulator)
    batch_id = several.upload(world, IDS)
    told = run_side_by_side(world, emulator, batch_id)
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    entries = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    assert (len(entries), sum(len(each["billed"]) for each in entries)) == (3, len(IDS))
    assert all("There is nothing to do: a later look tells" in each for each in told)
    assert bool(told) is was_made, "that it was not made is known while its siblings run"


def run_side_by_side(world: World, emulator: Emulator, batch_id: str) -> set[str]:
    """Play the three shards of a batch at once, each step when it is due; answer what the batch said that it waits for."""
    assert plan(world.services, batch_id).last_shard == 2
    due, told = {shard: (world.clock.now, Step(batch_id, shard)) for shard in range(3)}, set[str]()
    for _ in range(300):
        waiting = {shard: at for shard, (at, step) in due.items() if step.next != "done"}
        if not waiting:
            break
        shard = min(waiting, key=lambda each: waiting[each])
        later = max(0, int(waiting[shard] - world.clock.now))
        world.clock.now = emulator.admin("/clock", {"seconds": later})["now"]
        step = due[shard][1]
        step = world.step(Step(batch_id, shard) if step.next == "continue" else step)
        due[shard] = world.clock.now + step.wait_seconds, step
        told |= set(filter(None, [world.services.batch_store.batch(batch_id).paused]))
    assert assemble(world.services, batch_id) == "done"
    return told
