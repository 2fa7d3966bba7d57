"""What a service leaves on a cancel and on an expiry, and how long it keeps inputs and results, decides what is done."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from batch_client import PROFILES, Facts, Profile, QuotaError, ServerError
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.pacing import SHARE_AT_RISK, most_rest
from batchyard.domain.shard import with_members
from batchyard.domain.statuses import CANCELLING
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import FINISH, OVERTIME, RESUBMIT, WAIT, deadline
from batchyard.planning.plan import plan
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.endings import EndingsProvider, answering
from tests.fakes.lines import jsonl, request
from tests.fakes.world import Clock, MemoryBacking, World

Row = Callable[..., World]
TENTHS = 0.9 * DAY


@pytest.fixture
def world_of(monkeypatch: pytest.MonkeyPatch) -> Row:
    """Make a world whose provider has these facts."""

    def make(settings: dict[str, str | int] | None = None, **facts: object) -> World:
        row = Profile(name="odd", hosts=("odd.test",), facts=Facts(source="made up, 2026", **facts))  # type: ignore[arg-type]  # each fact has its own type
        monkeypatch.setitem(PROFILES, "odd", row)
        clock, named = Clock(), {"provider_base_url": "https://odd.test/v1", **(settings or {})}
        return World(MemoryBacking(**named), EndingsProvider(clock), clock)

    return make


def drop(world: World, count: int = 4) -> str:
    return world.drop(jsonl([request(f"r{at}") for at in range(count)]))


@pytest.mark.parametrize(
    ("action", "cancel", "expiry", "at"),
    [
        (WAIT, "answers", "answers", math.inf), (RESUBMIT, "answers", "answers", TENTHS),
        (WAIT, "answers", "nothing", TENTHS), (FINISH, "answers", "nothing", TENTHS),
        (RESUBMIT, "nothing", "answers", math.inf), (FINISH, "nothing", "nothing", math.inf),
    ],
)  # fmt: skip
def test_a_batch_is_cancelled_before_its_end_only_where_that_keeps_more(
    action: str, cancel: Any, expiry: Any, at: float
) -> None:
    assert deadline(action, 0, DAY, Facts(after_cancel=cancel, after_expiry=expiry)) == at


def test_a_batch_that_never_ends_is_taken_back_though_a_cancel_leaves_nothing() -> None:
    assert deadline(RESUBMIT, 0, DAY, Facts(expires=False, after_cancel="nothing")) == DAY + OVERTIME


def expire(world: World, batch_id: str) -> Step:
    """Have the provider batch of the one shard expire at the end of its window, with nothing, and collect that."""
    world.provider.endings, world.provider.polls_before_end = [answering(lambda _: None, "expired")] * 9, 0
    step = submit(world.services, Step(batch_id, 0))
    world.clock.now += DAY
    step = poll(world.services, step)
    while step.next == Next.COLLECT:
        world.clock.now += step.wait_seconds
        step = collect(world.services, step)
    return step


@pytest.mark.parametrize(("left", "stalls"), [("answers", 0), ("nothing", 1)])
def test_an_expiry_that_can_leave_nothing_brings_no_line_nearer_to_its_end(
    world_of: Row, left: str, stalls: int
) -> None:
    world = world_of(after_expiry=left, progress="none")
    batch_id = drop(world)
    world.run_until_submitted(batch_id)
    assert expire(world, batch_id).next == Next.SUBMIT
    shard = world.services.batch_store.shard(batch_id, 0)
    assert shard is not None
    assert shard.stalls == stalls


@pytest.mark.parametrize("room", ["tokens", "requests", "jobs", "nothing"])
def test_what_expired_with_nothing_goes_again_by_halves_and_is_not_paid_for_for_ever(world_of: Row, room: str) -> None:
    world = world_of(after_expiry="nothing", after_cancel="nothing", progress="none", room=room)
    batch_id = drop(world, 40)
    world.provider.endings = [answering(lambda _: None, "expired")] * 2
    world.provider.polls_before_end = 0
    world.run_until_submitted(batch_id)
    step = Step(batch_id, 0, next=Next.POLL)
    for _ in range(2):
        world.clock.now += DAY
        while step.next != Next.SUBMIT:
            step = world.step(step)
        step = submit(world.services, step)
    sent = [len(world.provider.custom_ids(each)) for each in world.provider.batches.values()]
    assert sent[0] == 40
    assert 18 <= sent[1] <= 22
    assert 8 <= sent[2] <= 12
    world.run_shard(step)
    assert world.run(batch_id) == "done"
    assert len(world.answered(batch_id, "output.jsonl")) == 40


def runs_of_each(world: World) -> Counter[str]:
    """Count in how many provider batches each line stood, and how often it was sent on its own."""
    return Counter(world.provider.direct) + Counter(
        custom_id for batch in world.provider.batches.values() for custom_id in world.provider.custom_ids(batch)
    )


def play_by_the_day(world: World, batch_id: str) -> None:
    """Have each provider batch end a day after it was made, until the shard is done."""
    world.run_until_submitted(batch_id)
    step, plays = Step(batch_id, 0, next=Next.POLL), 0
    while step.next != Next.DONE:
        world.clock.now += DAY if step.next == Next.POLL else step.wait_seconds
        step, plays = world.step(step), plays + 1
        assert plays < 1_000, "nothing bounds it"


@pytest.mark.parametrize("least", [1, 8], ids=["all in batches", "few one by one"])
def test_no_line_is_in_more_lost_batches_than_it_has_tries(world_of: Row, least: int) -> None:
    world = world_of(after_expiry="nothing", after_cancel="nothing", progress="none", least_lines=least)
    batch_id = drop(world, 40)
    world.provider.endings = [answering(lambda _: None, "expired")] * 500
    world.provider.polls_before_end = 0
    play_by_the_day(world, batch_id)
    assert max(runs_of_each(world).values()) <= 3
    assert world.run(batch_id) == "done"
    errors = world.answered(batch_id, "errors.jsonl")
    assert len(errors) + len(world.provider.direct) == 40
    assert {each["error"]["code"] for each in errors} == {"no_answer"}


def test_lines_behind_jobs_that_are_gone_are_run_no_more_often_than_they_have_tries(world_of: Row) -> None:
    world = world_of(room="requests", least_lines=8, room_size=100)
    batch_id, ran, waves = drop(world, 20), Counter[str](), iter([14, 10, 10, 9])
    world.run_until_submitted(batch_id)
    step, plays = Step(batch_id, 0, next=Next.POLL), 0
    while step.next != Next.DONE:
        for name in list(world.provider.batches):  # the provider forgets each, with its answers
            ran.update(world.provider.custom_ids(world.provider.batches.pop(name)))
        world.clock.now += DAY if step.next == Next.POLL else step.wait_seconds
        step, plays = world.step(step), plays + 1
        shard = world.services.batch_store.shard(batch_id, 0)
        if step.next == Next.SUBMIT and shard is not None and shard.attempt is None:
            world.services.batch_store.save_shard(shard, with_members(shard, wave=next(waves, 0)))
        assert plays < 1_000, "nothing bounds it"
    assert max((ran + Counter(world.provider.direct)).values()) == 3
    assert world.run(batch_id) == "done"
    told = {each["custom_id"]: each["error"]["code"] for each in world.answered(batch_id, "errors.jsonl")}
    assert set(told.values()) == {"no_answer"}
    assert len(told) + len(world.answered(batch_id, "output.jsonl")) == 20


@pytest.mark.parametrize(("left", "told"), [("answers", "before this request was finished"), ("nothing", "and billed")])
def test_a_line_that_a_cancel_may_have_lost_says_that_it_may_have_been_paid(
    world_of: Row, left: str, told: str
) -> None:
    world = world_of(after_cancel=left, progress="none")
    batch_id = drop(world)
    world.run_until_submitted(batch_id)
    world.services.batch_store.move_batch(batch_id, CANCELLING, world.services.now())
    world.provider.endings, world.provider.polls_before_end = [answering(lambda _: None, "cancelled")], 0
    world.run_shard(Step(batch_id, 0, next=Next.POLL))
    shard = world.services.batch_store.shard(batch_id, 0)
    assert shard is not None
    assert shard.reason is not None
    assert shard.reason.code == "batch_cancelled"
    assert told in shard.reason.message


@pytest.mark.parametrize(("waits", "uploads"), [(12 * HOUR, 1), (15 * DAY - 12 * HOUR, 2)])
def test_an_input_that_would_be_gone_before_its_batch_has_run_is_uploaded_again(
    world_of: Row, waits: int, uploads: int
) -> None:
    world = world_of(inputs_kept=15 * DAY)
    batch_id = drop(world)
    world.provider.before = [None, QuotaError("pay first", status=429, code="insufficient_quota")]
    assert plan(world.services, batch_id).next == "run"
    assert submit(world.services, Step(batch_id, 0)).next == Next.SUBMIT  # uploaded, and not created for want of money
    world.clock.now += waits
    assert submit(world.services, Step(batch_id, 0)).next == Next.POLL
    assert world.provider.calls.count("create_file") == uploads
    (made,) = world.provider.batches.values()
    assert made.input_file_id in world.provider.files


def test_answers_that_wait_for_a_large_part_of_their_life_are_told_and_counted(
    world_of: Row, capsys: pytest.CaptureFixture[str]
) -> None:
    world = world_of(results_kept=DAY)
    batch_id = drop(world)
    world.provider.polls_before_end = 0
    world.run_until_submitted(batch_id)
    step = poll(world.services, Step(batch_id, 0, next=Next.POLL))
    assert step.next == Next.COLLECT
    ended_at = world.clock.now
    while world.clock.now < ended_at + DAY * SHARE_AT_RISK:
        world.provider.before = [ServerError("down", status=503)]
        step = collect(world.services, step)
        assert step.next == Next.COLLECT
        assert "ResultsAtRisk" not in capsys.readouterr().out
        world.clock.now += step.wait_seconds
    world.provider.before = [ServerError("down", status=503)]
    step = collect(world.services, step)
    assert '"ResultsAtRisk":[1.0]' in capsys.readouterr().out
    assert "deletes them" in (world.services.batch_store.batch(batch_id).paused or "")
    world.run_shard(step)
    assert "ResultsAtRisk" not in capsys.readouterr().out, "they are brought in"
    assert world.run(batch_id) == "done"


@pytest.mark.parametrize(("facts", "told"), [({"results_kept": DAY}, True), ({}, False)])
def test_a_batch_that_cannot_be_looked_at_may_have_ended_at_its_window(
    world_of: Row, capsys: pytest.CaptureFixture[str], facts: dict[str, int], told: bool
) -> None:
    world = world_of(**facts)
    batch_id = drop(world)
    world.run_until_submitted(batch_id)
    for waited, expected in ((DAY, False), (DAY * SHARE_AT_RISK, told)):
        world.clock.now += waited
        world.provider.before = [ServerError("down", status=503)]
        assert poll(world.services, Step(batch_id, 0, next=Next.POLL)).next == Next.POLL
        assert ("ResultsAtRisk" in capsys.readouterr().out) is expected


def test_a_shard_whose_step_died_rests_no_longer_than_its_answers_bear() -> None:
    assert most_rest(6 * HOUR, 0) == most_rest(6 * HOUR, 30 * DAY) == 6 * HOUR
    assert most_rest(6 * HOUR, HOUR) == HOUR * SHARE_AT_RISK
