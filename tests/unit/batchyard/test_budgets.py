"""A tenant with a monthly budget spends no more than that, is told why, and is warned on the way."""

import json
from typing import Any

import msgspec
import pytest

from batchyard.api.batches import create_batch, retry_batch
from batchyard.api.usage import usage
from batchyard.budgets.spending import CODE, Month
from batchyard.costs.cost import PER_DOLLAR
from batchyard.domain.batch import shape
from batchyard.domain.errors import ApiError
from batchyard.domain.step import Next, Step
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from batchyard.results.assemble import assemble
from batchyard.shards.fail import fail_batch
from batchyard.shards.submit import submit
from tests.fakes.batches import BUCKET
from tests.fakes.budgets import MONTH, bus, give, lines, month, spend, world_of
from tests.fakes.endings import answering
from tests.fakes.lines import good
from tests.fakes.world import World

KEY = "inbox/default/in.jsonl"


def report(world: World, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.result(batch_id, "report.json"))
    return found


def test_a_batch_that_fits_the_budget_runs_and_counts() -> None:
    world = world_of(20)
    batch_id = world.drop(lines(10))
    assert world.run(batch_id) == "done"
    assert report(world, batch_id)["output"]["lines"] == 10
    assert month(world.services) == Month(MONTH, 20 * PER_DOLLAR, 20 * PER_DOLLAR, 0)
    shown = usage(world.services, "default", None, None, None)["budget"]
    assert shown == {"month": MONTH, "budget_usd": 20.0, "spent_usd": 20.0, "estimated_usd": 0.0}


def report_of(world: World, batch_id: str) -> dict[str, Any]:
    assert world.run(batch_id) == "done"
    return report(world, batch_id)


def test_lines_that_are_left_when_the_budget_is_spent_say_why() -> None:
    world = world_of(24)
    world.provider.endings = [answering(lambda name: good(name) if name < "r5" else None, "expired")]
    batch_id = world.drop(lines(10))  # 20 dollars by the estimate, 10 for five answers, and 10 more for the rest
    spend(world.services, 4)
    planned = plan(world.services, batch_id)
    assert planned.next == "run"
    step = submit(world.services, Step(batch_id, 0))
    spend(world.services, 15, name="another")
    world.run_shard(step)
    found = report_of(world, batch_id)
    assert (len(world.provider.batches), found["status"], found["output"]["lines"]) == (1, "completed", 5)
    assert found["errors"]["by_code"] == {CODE: 5}
    assert "make budget" in world.result(batch_id, "errors.jsonl").decode()
    assert bus(world).warned == [50, 80, 100]


def test_a_batch_that_is_too_dear_for_what_is_left_fails_and_says_why() -> None:
    world = world_of(19)
    batch_id = world.drop(lines(10))
    assert world.run(batch_id) == "failed"
    assert world.provider.batches == {}
    shown = shape(world.services.batch_store.batch(batch_id))
    assert [each["code"] for each in shown["errors"]["data"]] == [CODE]
    assert bus(world).warned == []  # nothing is spent


def test_an_upload_becomes_a_failed_batch_once_the_budget_is_spent() -> None:
    world = world_of(20)
    spend(world.services, 20)
    batch_id = world.drop(lines(1))
    shown = shape(world.services.batch_store.batch(batch_id))
    (error,) = shown["errors"]["data"]
    assert (shown["status"], error["code"]) == ("failed", CODE)
    assert "$20.00 of the budget of $20.00 for 2026-09" in error["message"]
    assert "make budget" in error["message"]
    assert bus(world).warned == [50, 80, 100]
    assert world.services.executions.status(batch_id) is None


def test_a_notice_that_comes_again_leaves_a_batch_alone_that_was_made_before() -> None:
    world = world_of(20)
    batch_id = world.drop(lines(1))
    spend(world.services, 20)
    assert world.drop(lines(1)) == batch_id
    assert world.services.batch_store.batch(batch_id).status == "validating"


def call(world: World, **members: object) -> dict[str, Any]:
    wanted = {"input_file_id": f"s3://{BUCKET}/{KEY}", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    return create_batch(world.services, "default", {**wanted, **members})


def test_the_api_answers_402_in_openai_s_shape() -> None:
    world = world_of(20)
    spend(world.services, 20)
    world.backing.put(KEY, lines(1), {})
    with pytest.raises(ApiError) as refused:
        call(world)
    assert refused.value.status == 402
    (error,) = refused.value.envelope().values()
    assert (error["type"], error["code"], error["param"]) == ("insufficient_quota", "insufficient_quota", None)
    assert call(world, dry_run=True)["status"] == "validating"  # it costs nothing
    give(world.services, 21)
    assert call(world)["status"] == "validating"


def test_a_repeated_call_gets_its_batch_though_the_budget_is_spent_meanwhile() -> None:
    world = world_of(20)
    world.backing.put(KEY, lines(1), {})
    wanted = {"input_file_id": f"s3://{BUCKET}/{KEY}", "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = create_batch(world.services, "default", wanted, "key-1")
    spend(world.services, 20)
    assert create_batch(world.services, "default", wanted, "key-1")["id"] == made["id"]


def test_a_retry_is_a_new_batch_and_refused_as_one() -> None:
    world = world_of(100)
    world.provider.endings = [answering(lambda name: good(name) if name == "r0" else None)] * 9
    batch_id = world.drop(lines(2))
    assert world.run(batch_id) == "done"
    spend(world.services, 100)
    with pytest.raises(ApiError) as refused:
        retry_batch(world.services, "default", batch_id, {})
    assert refused.value.status == 402


def test_a_model_without_a_price_is_not_sent_for_a_tenant_with_a_budget() -> None:
    for dollars, status in ((20, "failed"), (None, "completed")):
        world = world_of(dollars)
        batch_id = world.drop(lines(1, model="nobody-knows"))
        world.run(batch_id)
        batch = world.services.batch_store.batch(batch_id)
        assert batch.status == status
        assert [error.code for error in batch.errors] == (["unknown_price"] if dollars else [])


def test_a_tenant_without_a_budget_costs_no_write_and_no_estimate() -> None:
    world = world_of(None)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    batch, (shard,) = world.services.batch_store.batch(batch_id), world.services.batch_store.shards(batch_id)
    assert (batch.expected, batch.preflight, shard.attempts[-1].estimate) == (0, None, 0)
    assert usage(world.services, "default", None, None, None)["budget"] is None


def test_two_shards_at_the_same_moment_cannot_both_spend_what_is_left() -> None:
    world = world_of(30, max_requests_per_shard=10, max_creates_per_hour=100)
    batch_id = world.drop(lines(20))
    assert plan(world.services, batch_id).next == "run"
    store = world.services.batch_store
    saved, real = list[Any](), store.save_shard

    def save(before: Any, after: Any) -> Any:
        """Let the second shard be submitted when the first is about to be created and not yet recorded as such."""
        if after.attempts and after.attempts[-1].creating_at and not saved:
            saved.append(after)
            assert submit(world.services, Step(batch_id, 1)).next == "poll"
        return real(before, after)

    object.__setattr__(store, "save_shard", save)
    step = submit(world.services, Step(batch_id, 0))
    assert (step.next, len(world.provider.batches)) == ("submit", 1)
    assert month(world.services).spent == 20 * PER_DOLLAR
    assert counted(world) == 1  # what is withdrawn takes no room from other tenants
    step = submit(world.services, step)  # it asks again, and is told that the other one was faster
    assert (step.next, len(world.provider.batches)) == ("done", 1)
    (first, _) = world.services.batch_store.shards(batch_id)
    assert first.reason is not None
    assert first.reason.code == CODE


def counted(world: World) -> int:
    """Sum up what is counted of the provider's hour."""
    return sum(sum(each.values()) for each in world.services.account().creations.creations().counts.values())


def test_a_shard_that_waits_for_the_provider_s_hour_spends_nothing_meanwhile() -> None:
    world = world_of(100, max_requests_per_shard=10, max_creates_per_hour=1)
    batch_id = world.drop(lines(20))
    assert plan(world.services, batch_id).next == "run"
    steps = [submit(world.services, Step(batch_id, number)) for number in range(2)]
    assert [step.next for step in steps] == ["poll", "submit"]
    assert (len(world.provider.batches), counted(world)) == (1, 1)
    assert month(world.services).spent == 20 * PER_DOLLAR
    world.clock.now += 2 * 3_600
    assert submit(world.services, steps[1]).next == "poll"
    assert month(world.services).spent == 40 * PER_DOLLAR


def test_the_budget_is_not_summed_up_while_the_provider_processes_a_file() -> None:
    world = world_of(20)
    pending = [True] * 5
    object.__setattr__(
        world.provider,
        "_file",
        lambda file: msgspec.structs.replace(file, status="pending" if pending and pending.pop() else "processed"),
    )
    batch_id = world.drop(lines(10))
    assert plan(world.services, batch_id).next == "run"
    store, asked = world.services.quota_store, list[float]()
    read = store.budget

    def budget(tenant: str) -> Any:
        asked.append(world.clock.now)
        return read(tenant)

    object.__setattr__(store, "budget", budget)
    step = submit(world.services, Step(batch_id, 0))
    seen = len(asked)
    assert (step.next, seen) == ("submit", 1)
    while pending:
        world.clock.now += step.wait_seconds
        step = submit(world.services, step)
        assert (step.next, len(asked)) == ("submit", seen)
    spend(world.services, 20)  # meanwhile another batch did
    world.clock.now += step.wait_seconds
    assert submit(world.services, step).next == "done"
    assert world.provider.batches == {}


def test_what_was_paid_counts_though_the_batch_came_to_nothing() -> None:
    world = world_of(100)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    world.run_shard(Step(batch_id, 0, Next.POLL))
    fail_batch(world.services, batch_id, {"Error": "Died"})
    world.clock.now += 5 * 86_400
    sweep(world.services)
    assert world.services.batch_store.batch(batch_id).status == "failed"
    assert month(world.services).spent == 20 * PER_DOLLAR
    total = usage(world.services, "default", None, None, None)["total"]
    assert (total["cost"]["usd"], total["lines"]) == (20.0, 10)


def test_a_batch_that_two_workers_end_has_one_bill_and_is_published_once(capsys: pytest.CaptureFixture[str]) -> None:
    world = world_of(100)
    batch_id = world.drop(lines(10))
    world.run_until_submitted(batch_id)
    world.run_shard(Step(batch_id, 0, Next.POLL))
    fail_batch(world.services, batch_id, {"Error": "Died"})
    world.clock.now += 3 * 86_400
    store = world.services.quota_store
    assembled, keep = list[str](), store.keep_bill

    def keep_bill(*bill: Any) -> None:
        """Let Assemble end the batch when the sweep is about to."""
        if not assembled:
            assembled.append(batch_id)
            assert assemble(world.services, batch_id) == "done"
        keep(*bill)

    object.__setattr__(store, "keep_bill", keep_bill)
    assert "BatchesFailed" not in sweep(world.services)
    assert world.services.batch_store.batch(batch_id).status == "completed"
    (kept,) = store.bills("default", "2026-01-01", "2027-01-01")
    assert (kept.batch_id, kept.amount) == (batch_id, 20 * PER_DOLLAR)
    assert month(world.services).spent == 20 * PER_DOLLAR
    assert capsys.readouterr().out.count('"DollarsSpent":') == 1


@pytest.mark.parametrize("dollars", [None, 100])
def test_a_sum_reads_the_running_batches_once_and_those_of_past_days_not_at_all(dollars: int | None) -> None:
    world = world_of(dollars)
    world.run_until_submitted(world.drop(lines(10)))
    store, asked = world.services.batch_store, list[str]()
    read = store.open_of

    def open_of(tenant: str) -> Any:
        asked.append(tenant)
        return read(tenant)

    object.__setattr__(store, "open_of", open_of)
    shown = usage(world.services, "default", None, None, None)
    assert (len(asked), (shown["budget"] or {}).get("estimated_usd")) == (1, dollars and 20.0)
    shown = usage(world.services, "default", "2026-08-01", "2026-08-31", None)
    assert (len(asked) - 1, shown["total"]["batches"]) == (0 if dollars is None else 1, 0)


def at_the_tail(dollars: int) -> tuple[World, Step]:
    """Make a world whose three lines are about to be sent one by one, at the end of their window."""
    world = world_of(dollars, deadline_action="finish", provider_base_url="https://api.openai.com/v1")
    world.provider.polls_before_end = 1_000
    batch_id = world.drop(lines(3, model="gpt-4.1-mini"))
    world.run_until_submitted(batch_id)
    world.clock.now += 0.95 * 86_400
    step = Step(batch_id, 0, Next.POLL)
    while step.next is not Next.SUBMIT:
        step = world.step(step)
    return world, step


def test_the_last_lines_are_not_sent_one_by_one_where_the_budget_is_spent() -> None:
    world, step = at_the_tail(100)
    spend(world.services, 100)
    assert world.step(step).next == "done"
    assert world.provider.direct == []
    (shard,) = world.services.batch_store.shards(step.batch_id)
    assert shard.reason is not None
    assert shard.reason.code == CODE


def test_the_last_lines_count_at_their_estimate_before_they_go() -> None:
    world, step = at_the_tail(100)
    seen, send = list[int](), world.provider.send

    def sent(url: str, body: bytes, patience: float) -> Any:
        seen.append(month(world.services).expected)
        return send(url, body, patience)

    object.__setattr__(world.provider, "send", sent)
    (shard,) = world.services.batch_store.shards(step.batch_id)
    assert world.step(step).next == "done"
    assert seen == [2 * shard.attempts[0].estimate] * 3  # the full price, which is twice that of a batch
    assert month(world.services).expected == 0
