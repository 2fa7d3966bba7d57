"""What AWS has a say in of all that a provider does: what the table holds, and what a function may seldom need to do."""

from __future__ import annotations

import json
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Any

from batch_client import NotFoundError, QuotaError
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.shards.fail import fail_shard
from batchyard.shards.submit import submit
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request, unrun

if TYPE_CHECKING:
    from tests.fakes.world import World

TEN = [f"r{at}" for at in range(10)]
LONG = "1" * 60  # digits; a number of DynamoDB has 38


def drop(world: World) -> str:
    return world.drop(jsonl([request(each) for each in TEN]))


def all_ok(world: World, batch_id: str) -> bool:
    answered = world.answered(batch_id, "output.jsonl")
    return sorted(each["custom_id"] for each in answered) == TEN and not world.answered(batch_id, "errors.jsonl")


def report(world: World, batch_id: str) -> Any:
    return json.loads(world.result(batch_id, "report.json"))


def test_error_codes_no_store_could_hold_are_held(world: World) -> None:
    codes = iter(range(1_000))
    world.provider.endings = [answering(lambda each: bad(each, 400, "\ud800" * 300 + str(next(codes))))]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert sum(report(world, batch_id)["errors"]["by_code"].values()) == 10


def test_a_count_of_tokens_no_store_could_hold_spoils_no_answer(world: World) -> None:
    world.provider.endings = [
        answering(lambda each: good(each).replace(b'"total_tokens": 5', b'"total_tokens": ' + LONG.encode()))
    ]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert world.services.batch_store.batch(batch_id).counts.completed == 10
    assert LONG.encode() in world.result(batch_id, "output.jsonl")


def test_a_batch_is_paused_in_the_table_until_none_of_its_shards_waits(world: World) -> None:
    batch_id = world.drop(jsonl([request(each, model="a" if each < "r5" else "b") for each in TEN]))
    plan(world.services, batch_id)
    for number in (0, 1):
        world.provider.before = [QuotaError("You exceeded your quota", status=429, code="insufficient_quota")]
        submit(world.services, Step(batch_id, number))
    seen = []
    for number in (0, 1):
        submit(world.services, Step(batch_id, number))
        batch = world.services.batch_store.batch(batch_id)
        seen.append((bool(batch.paused), batch.told_paused, batch.status))
    assert seen == [(True, True, "in_progress"), (False, False, "in_progress")]
    assert world.run(batch_id) == "done"
    assert all_ok(world, batch_id)


def stop_half_done(world: World) -> None:
    """Have the provider run for ever, and finish half of the lines when it is told to cancel."""
    stop = world.provider.cancel_batch

    def cancel(batch_id: str) -> Any:
        stop(batch_id)
        half = answering(lambda each: good(each) if each < "r5" else unrun(each, "batch_cancelled"), "cancelled")
        world.provider.polls_before_end = 1
        return world.provider.end(batch_id, half)

    world.provider.cancel_batch = cancel  # type: ignore[method-assign]
    world.provider.polls_before_end = 10_000


def test_at_the_deadline_what_is_finished_is_kept_and_the_rest_is_sent_anew_and_paid_once(world: World) -> None:
    world.services.settings = replaced(world.services.settings, deadline_action="resubmit")
    stop_half_done(world)
    batch_id, began = drop(world), world.clock.now
    assert world.run(batch_id) == "done"
    assert all_ok(world, batch_id)
    first, second = report(world, batch_id)["shards"][0]["attempts"]
    assert (first["provider_status"], first["succeeded"], second["lines"]) == ("cancelled", 5, 5)
    assert 0.9 * 86_400 <= first["ended_at"] - began < 0.91 * 86_400
    assert len(list(world.provider.ledger())) == 10


def test_at_the_deadline_the_tail_is_finished_line_by_line_and_paid_once(world: World) -> None:
    world.services.settings = replaced(world.services.settings, deadline_action="finish", deadline_budget_requests=5)
    stop_half_done(world)
    batch_id, began = drop(world), world.clock.now
    assert world.run(batch_id) == "done"
    assert all_ok(world, batch_id)
    first, second = report(world, batch_id)["shards"][0]["attempts"]
    assert (first["provider_status"], first["succeeded"]) == ("cancelled", 5)
    assert (second["provider_status"], second["succeeded"], second["usage"]["total_tokens"]) == ("direct", 5, 25)
    assert 0.9 * 86_400 <= second["ended_at"] - began < 0.91 * 86_400
    assert sorted(world.provider.direct) == ["r5", "r6", "r7", "r8", "r9"]
    assert len(list(world.provider.ledger())) == 10
    (name,) = world.services.token_ledger_store.names()
    assert world.services.token_ledger_store.read(name).enqueued == 0
    assert not list(world.services.token_ledger_store.reservations(name))


def test_a_shard_that_fails_for_good_leaves_its_siblings_alone(world: World) -> None:
    batch_id = world.drop(jsonl([request(each, model="a" if each < "r5" else "b") for each in TEN]))
    plan(world.services, batch_id)
    submit(world.services, Step(batch_id, 0))
    fail_shard(world.services, batch_id, 0, {"Error": "States.Timeout", "Cause": ""})
    assert world.run(batch_id) == "done"
    answered, errors = (world.answered(batch_id, name) for name in ("output.jsonl", "errors.jsonl"))
    assert sorted(each["custom_id"] for each in answered) == TEN[5:]
    assert {each["error"]["code"] for each in errors} == {"server_error"}
    assert world.services.batch_store.batch(batch_id).status == "completed"


def test_the_batch_says_why_it_waits_for_an_operator(world: World) -> None:
    batch_id = drop(world)
    plan(world.services, batch_id)
    world.provider.before = [QuotaError("You exceeded your quota", status=429, code="insufficient_quota")]
    step = submit(world.services, Step(batch_id, 0))
    assert step.next == "submit"
    assert "exceeded your quota" in (world.services.batch_store.batch(batch_id).paused or "")


def test_a_provider_batch_that_is_lost_is_made_again(world: World) -> None:
    retrieve, lost = world.provider.retrieve_batch, []

    def show(batch_id: str) -> Any:
        if batch_id == "pb-0":
            lost.append(batch_id)
            raise NotFoundError("no batch found", status=404)
        return retrieve(batch_id)

    world.provider.retrieve_batch = show  # type: ignore[method-assign]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert (all_ok(world, batch_id), len(world.provider.batches)) == (True, 2)


def test_answers_that_are_gone_are_looked_for_and_then_asked_for_again(world: World) -> None:
    download, gone = world.provider.download_file, list[str]()

    def lose(file_id: str) -> Any:
        if len(world.provider.batches) == 1:
            gone.append(file_id)
            raise NotFoundError("no such file", status=404)
        yield from download(file_id)  # the real client, too, speaks only once it is read from

    world.provider.download_file = lose  # type: ignore[method-assign]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert (all_ok(world, batch_id), len(world.provider.batches), len(gone) > 3) == (True, 2, True)
