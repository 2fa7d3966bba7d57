"""What a record can hold of all that a provider does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace as replaced

from batch_client import BatchError as ProviderBatchError
from batch_client import QuotaError
from batchyard.domain.batch import shape
from batchyard.domain.shard import with_members
from batchyard.domain.step import Next, Step
from batchyard.planning.plan import plan
from batchyard.shards.submit import submit
from tests.fakes.endings import answering, failed
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


def test_lines_that_the_provider_names_without_a_code_are_counted_under_a_name_that_a_record_can_hold(
    world: World,
) -> None:
    """A member of a record has a name of one character at least; moto takes the empty name too."""
    unnamed = [ProviderBatchError("", "Not this one.", line=at) for at in (1, 2)]
    world.provider.endings = [failed(*unnamed)]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert report(world, batch_id)["errors"]["by_code"] == {"unknown": 2}
    assert len(world.answered(batch_id, "output.jsonl")) == 8


def test_answers_without_a_code_are_counted_under_a_name_that_a_record_can_hold(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400, ""))]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert report(world, batch_id)["errors"]["by_code"] == {"http_400": 10}


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


def test_in_the_table_a_pause_and_a_wait_for_ones_turn_end_each_for_itself(world: World) -> None:
    batch_id = world.drop(jsonl([request(each, model="a" if each < "r5" else "b") for each in TEN]))
    plan(world.services, batch_id)
    store, seen = world.services.batch_store, []
    for number in (0, 1):
        submit(world.services, Step(batch_id, number))
    for number, waits in ((1, {"waits": "turn"}), (0, {"paused": "pay"}), (0, {"paused": None}), (1, {"waits": None})):
        shard = store.shard(batch_id, number)
        assert shard is not None
        store.save_shard(shard, with_members(shard, **waits))
        batch = store.batch(batch_id)
        seen.append((batch.paused, batch.waits, batch.why_waiting))
    assert seen == [
        (None, "turn", "turn"), ("pay", "turn", "pay"), (None, "turn", "turn"), (None, None, None),
    ]  # fmt: skip


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


def test_the_tail_of_a_batch_that_is_finished_line_by_line_is_recorded(world: World) -> None:
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
    (name,) = world.services.account().token_ledgers.names()
    assert world.services.account().token_ledgers.read(name).enqueued == 0
    assert not list(world.services.account().token_ledgers.reservations(name))


def test_a_batch_that_runs_shows_what_its_tokens_have_cost_so_far(world: World) -> None:
    world.services.settings = replaced(world.services.settings, price_list='{"m-1": {"input": 1000000, "output": 0}}')
    batch_id = world.drop(jsonl([request("a")]))
    world.run_until_submitted(batch_id)
    world.run_shard(Step(batch_id, 0, Next.POLL))
    shown = shape(world.services.batch_store.batch(batch_id))
    assert (shown["status"], shown["usage"]["input_tokens"], shown["cost"]["usd"]) == ("in_progress", 3, 3.0)
