"""Fewer lines than a service takes as a batch: they go one by one, at the full price, which is told before and after."""

import json
from decimal import Decimal
from typing import Any

import pytest

from batch_client import PROFILES, AuthenticationError, FileTooLargeError, ServerError
from batchyard.costs.prices import FULL
from batchyard.domain.numbers import DAY
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.providers.entries import Entry
from batchyard.providers.limits import is_too_few, narrowed
from tests.fakes.budgets import give, month, set_to
from tests.fakes.lines import jsonl
from tests.fakes.world import World, memory_world

NOVA, TITAN = "amazon.nova-lite-v1:0", "amazon.titan-text-express-v1"
LEAST = PROFILES["bedrock"].facts.least_lines
BEDROCK = {"base_url": "https://bedrock.us-east-1.amazonaws.com"}


def line(at: int, model: str = NOVA) -> dict[str, Any]:
    body = {"inferenceConfig": {"maxTokens": 100}, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    return {"custom_id": f"{model}-{at}", "method": "POST", "url": f"/model/{model}/converse", "body": body}


def lines(nova: int, titan: int = 0) -> bytes:
    return jsonl([*(line(at) for at in range(nova)), *(line(at, TITAN) for at in range(titan))])


def world_of(**members: Any) -> World:
    return memory_world(providers=json.dumps({"bedrock": {**BEDROCK, **members}}), deadline_budget_requests=1)


def estimate(world: World, data: bytes) -> dict[str, Any]:
    batch_id = world.drop(data, **{"dry-run": "true"})
    world.run(batch_id)
    found: dict[str, Any] = json.loads(world.result(batch_id, "report.json"))["preflight"]
    return found


def test_a_dry_run_tells_which_lines_go_one_by_one() -> None:
    found = estimate(world_of(), lines(LEAST, LEAST - 1))
    assert found["lines_one_by_one"] == LEAST - 1
    assert {each["model"]: each["lines_one_by_one"] for each in found["models"]} == {NOVA: 0, TITAN: LEAST - 1}
    assert found["models"][0]["price_basis"] == FULL


def test_lines_that_go_one_by_one_are_estimated_at_the_full_price() -> None:
    own = {NOVA: {"input": 0.03, "output": 0.12}}
    few, enough = (estimate(world_of(price_list=own), lines(count)) for count in (LEAST - 1, LEAST))
    for found, factor in ((few, 2), (enough, 1)):  # half of what AWS asks, by the user's own list
        told = Decimal(found["estimated_input_tokens"]) * 3 / 100 + Decimal(found["estimated_output_tokens"]) * 12 / 100
        assert found["estimated_usd"] == pytest.approx(float(told * factor / 1_000_000), abs=1e-6)


def test_without_a_full_price_the_sum_is_unknown_never_half() -> None:
    own = {"mine": {"input": 1, "output": 1}}
    few, enough = ([line(at, "mine") for at in range(count)] for count in (LEAST - 1, LEAST))
    assert estimate(world_of(price_list=own), jsonl(few))["estimated_usd"] is None
    assert estimate(world_of(price_list=own), jsonl(enough))["estimated_usd"] is not None


def test_few_lines_go_one_by_one_whatever_the_deadline_and_its_budget() -> None:
    world = world_of(price_list={NOVA: {"input": 0.03, "output": 0.12}})
    batch_id = world.drop(lines(20))
    assert world.run(batch_id) == "done"
    assert "create_batch" not in world.provider.calls
    assert len(world.provider.direct) == 20
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [
        f"{NOVA}-{at}" for at in range(20)
    ]
    report = json.loads(world.result(batch_id, "report.json"))
    assert (report["lines_one_by_one"], report["shards"][0]["attempts"][0]["direct"]) == (20, True)
    assert report["cost"]["usd"] == pytest.approx(20 * (5 * 0.06 + 2 * 0.24) / 1_000_000, abs=1e-6)
    assert report["cost"]["by_model"][NOVA]["basis"] == FULL


def test_no_shard_of_a_large_group_has_too_few() -> None:
    world = world_of(max_requests_per_shard=2 * LEAST)
    batch_id = world.drop(lines(2 * LEAST + 1, LEAST))
    assert world.run(batch_id) == "done"
    assert "send" not in world.provider.calls
    sizes = sorted((each.model, each.lines) for each in world.services.batch_store.shards(batch_id))
    assert sizes == [(NOVA, LEAST), (NOVA, LEAST + 1), (TITAN, LEAST)]
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")][:3] == [
        f"{NOVA}-{at}" for at in range(3)
    ]


def test_no_setting_makes_shards_smaller_than_the_service_takes() -> None:
    entry = Entry(name="bedrock", base_url="https://bedrock.us-east-1.amazonaws.com", max_requests_per_shard=7)
    assert narrowed(entry, PROFILES["bedrock"].facts).max_requests_per_shard == LEAST
    assert narrowed(entry, PROFILES["openai"].facts).max_requests_per_shard == 7


def test_answers_in_a_shape_nobody_knows_are_told_and_in_no_cost() -> None:
    world = world_of()
    world.provider.native = b'{"outputs": [{"text": "x"}]}'
    batch_id = world.drop(lines(3))
    assert world.run(batch_id) == "done"
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["answers"]["unmetered"] == 3
    assert (report["usage"]["total_tokens"], report["cost"]["usd"]) == (0, 0.0)


def test_answers_whose_tokens_nobody_knows_count_against_a_budget_at_their_estimate() -> None:
    world = world_of()
    world.provider.native = b'{"outputs": [{"text": "x"}]}'
    give(world.services, 1)
    batch_id = world.drop(lines(3))
    assert world.run(batch_id) == "done"
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["cost"]["usd"] == 0.0, "nobody can say what it was"
    (shard,) = world.services.batch_store.shards(batch_id)
    estimate = shard.attempts[-1].estimate
    assert estimate > 0
    found = month(world.services)
    assert (found.paid, found.expected) == (0, estimate)
    world.clock.now += 6 * DAY  # of a day that no bill is added to any more
    assert month(world.services) == found


def test_a_request_of_which_nobody_knows_what_became_counts_against_a_budget_at_its_estimate() -> None:
    world = world_of()
    world.provider.before = [ServerError("down", status=500)] * 3
    give(world.services, 1)
    batch_id = world.drop(lines(3))
    assert world.run(batch_id) == "done"
    (shard,) = world.services.batch_store.shards(batch_id)
    attempt = shard.attempts[-1]
    assert (attempt.failed, attempt.lost, shard.codes) == (3, 3, {"outcome_unknown": 3})
    assert (month(world.services).paid, month(world.services).expected) == (0, attempt.estimate)


def test_a_budget_that_answers_of_unknown_tokens_have_spent_sends_no_more() -> None:
    world = world_of()
    world.provider.native = b'{"outputs": [{"text": "x"}]}'
    give(world.services, 1)
    first = world.drop(lines(3))
    world.run(first)
    estimate = next(world.services.batch_store.shards(first)).attempts[-1].estimate
    set_to(world.services, 2 * estimate - 1)
    held = world.drop(lines(3), "inbox/default/b.jsonl")
    world.run(held)
    assert json.loads(world.result(held, "report.json"))["errors"]["by_code"] == {"budget_exceeded": 3}
    set_to(world.services, estimate)
    refused = world.services.batch_store.batch(world.drop(lines(3), "inbox/default/c.jsonl"))
    assert (refused.status, refused.errors[0].code) == ("failed", "budget_exceeded")


def test_answers_that_tell_some_tokens_count_by_these_and_the_others_at_their_share() -> None:
    world = world_of(price_list={NOVA: {"input": 0.03, "output": 0.12}})
    give(world.services, 1)
    batch_id = world.drop(lines(4))
    world.provider.natives = [b'{"outputs": [{"text": "x"}]}'] * 2
    assert world.run(batch_id) == "done"
    (shard,) = world.services.batch_store.shards(batch_id)
    found = month(world.services)
    assert (found.paid, found.expected) == (shard.cost.amount, shard.attempts[-1].estimate // 2)
    assert found.paid > 0


@pytest.mark.parametrize("learned", [True, False], ids=["a learned limit", "a refusal"])
def test_a_part_of_too_few_lines_goes_one_by_one_and_no_batch_of_so_few_is_made(*, learned: bool) -> None:
    world, count = world_of(), LEAST + LEAST // 2
    data = jsonl([{**line(at), "body": {**line(at)["body"], "x": "y" * 20_000}} for at in range(count)])
    batch_id = world.drop(data)
    assert plan(world.services, batch_id).next == "run"
    if learned:
        now = world.services.now()
        world.services.account("bedrock").creations.learn_most_bytes(len(data) // 3, now, now + DAY)
    else:
        world.provider.before = [None, FileTooLargeError("too large", status=413)]
    world.run_shard(Step(batch_id, 0))
    assert world.run(batch_id) == "done"
    assert [len(world.provider.custom_ids(each)) for each in world.provider.batches.values()] == []
    assert len(world.provider.direct) == count
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [
        f"{NOVA}-{at}" for at in range(count)
    ]
    (shard,) = world.services.batch_store.shards(batch_id)
    attempts = shard.attempts
    assert all(each.direct for each in attempts)
    assert sum(each.succeeded for each in attempts) == count


def test_a_part_that_may_not_be_sent_waits_and_says_why() -> None:
    world, count = world_of(), LEAST + LEAST // 2
    data = jsonl([line(at) for at in range(count)])
    batch_id = world.drop(data)
    assert plan(world.services, batch_id).next == "run"
    now = world.services.now()
    world.services.account("bedrock").creations.learn_most_bytes(len(data) // 3, now, now + DAY)
    world.provider.before = [AuthenticationError("no right", status=403)] * 16
    step = world.step(Step(batch_id, 0))
    assert step.next == "submit"
    assert step.wait_seconds > 0
    assert "no right" in (world.services.batch_store.batch(batch_id).paused or "")


@pytest.mark.parametrize(("endpoint", "few"), [("/v1/chat/completions", True), ("/v1/videos", False)])
def test_what_only_a_batch_answers_is_never_too_few(endpoint: str, *, few: bool) -> None:
    facts = PROFILES["bedrock"].facts
    assert is_too_few(facts, endpoint, LEAST - 1) is few
    assert not is_too_few(facts, endpoint, LEAST)
