"""A service that speaks OpenAI's dialect is one row: a made-up one with odd facts, and a batch that runs by them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batch_client import PROFILES, Batch, CannotTell, CreateOutcomeUnknown, Facts, Profile, RequestCounts
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import OVERTIME, WAIT, deadline
from batchyard.planning.plan import plan
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.endings import EndingsProvider, answering
from tests.fakes.lines import good, jsonl, request
from tests.fakes.provider import replace
from tests.fakes.world import Clock, MemoryBacking, World

Row = Callable[..., World]
MANY = 23


@pytest.fixture
def world_of(monkeypatch: pytest.MonkeyPatch) -> Row:
    """Add a row, and make a world whose provider it is; its host chooses it."""

    def make(
        provider: type[EndingsProvider] = EndingsProvider, settings: dict[str, str | int] | None = None, **facts: object
    ) -> World:
        row = Profile(name="odd", hosts=("odd.test",), facts=Facts(source="made up, 2026", **facts))  # type: ignore[arg-type]  # each fact has its own type
        monkeypatch.setitem(PROFILES, "odd", row)
        clock, named = Clock(), {"provider_base_url": "https://odd.test/v1", **(settings or {})}
        return World(MemoryBacking(**named), provider(clock), clock)

    return make


def drop(world: World, count: int = MANY, models: int = 1) -> str:
    lines = [request(f"r{at}", model=f"m{at % models}") for at in range(count)]
    return world.drop(jsonl(lines))


def side_by_side(world: World, batch_id: str) -> Iterator[int]:
    """Play all shards at once, each step when it is due, and yield after each how many batches the provider runs."""
    steps = [
        (world.clock.now, Step(batch_id, number)) for number in range(plan(world.services, batch_id).last_shard + 1)
    ]
    while steps:
        due, step = min(steps, key=lambda each: each[0])
        steps.remove((due, step))
        world.clock.now = max(world.clock.now, due)
        after = world.step(step)
        if after.next != Next.DONE:
            steps.append((world.clock.now + after.wait_seconds, after))
        yield sum(not each.ended for each in world.provider.batches.values())


def sizes(world: World) -> list[int]:
    return [len(world.provider.custom_ids(each)) for each in world.provider.batches.values()]


def answered_in_order(world: World, batch_id: str, count: int = MANY) -> bool:
    ids = [line["custom_id"] for line in world.answered(batch_id, "output.jsonl")]
    return ids == [f"r{at}" for at in range(count)]


def test_a_batch_runs_within_odd_limits_and_comes_back_whole_and_in_order(world_of: Row) -> None:
    world = world_of(most_lines=4, room="jobs", room_size=2, progress="none", lookup="none", paging="none")
    batch_id = drop(world)
    assert max(side_by_side(world, batch_id)) == 2
    assert sizes(world) == [4, 4, 4, 4, 4, 3]
    assert world.run(batch_id) == "done"
    assert answered_in_order(world, batch_id)
    assert sorted(world.provider.ledger()) == sorted((f"r{at}", "2xx") for at in range(MANY)), "no line is paid twice"


def test_a_shard_has_no_more_bytes_than_the_service_takes(world_of: Row) -> None:
    line = len(jsonl([request("r0", model="m0")]))
    world = world_of(most_bytes=3 * line + 5)
    assert world.run(drop(world, 7)) == "done"
    assert sizes(world) == [3, 3, 1]


def test_a_setting_that_is_smaller_than_the_fact_holds(world_of: Row) -> None:
    world = world_of(settings={"max_requests_per_shard": 5}, most_lines=9)
    assert world.run(drop(world, 7)) == "done"
    assert sizes(world) == [5, 2]


def test_a_limit_that_nobody_knows_leaves_the_setting(world_of: Row) -> None:
    world = world_of(settings={"max_requests_per_shard": 5}, most_lines=0, most_bytes=0, most_inputs=0)
    assert world.run(drop(world, 7)) == "done"
    assert sizes(world) == [5, 2]


def test_a_service_may_take_fewer_embeddings_than_other_requests(world_of: Row) -> None:
    world = world_of(most_embedding_lines=2)
    lines = [request(f"r{at}", model="e", url="/v1/embeddings", input="text") for at in range(5)]
    assert world.run(world.drop(jsonl(lines))) == "done"
    assert sizes(world) == [2, 2, 1]


@pytest.mark.parametrize(
    ("room_of", "ledgers", "most"),
    [("model", ["odd.test#m0", "odd.test#m1", "odd.test#m2"], 3), ("account", ["odd.test#"], 1)],
)  # fmt: skip
def test_jobs_of_all_models_share_the_room_only_where_the_service_says_so(
    world_of: Row, room_of: str, ledgers: list[str], most: int
) -> None:
    world = world_of(room="jobs", room_of=room_of, room_size=1)
    batch_id = drop(world, 6, models=3)
    assert max(side_by_side(world, batch_id)) == most
    assert sizes(world) == [2, 2, 2]
    assert list(world.services.account().token_ledgers.names()) == ledgers


@pytest.mark.parametrize(
    ("name", "shares"),
    [("bedrock", False), ("bedrock-openai", False), ("deepinfra", True), ("dashscope", True), ("ovh", True)],
)
def test_the_quota_of_jobs_is_that_of_a_model_at_bedrock_alone(name: str, *, shares: bool) -> None:
    facts = PROFILES[name].facts
    assert (facts.room, facts.shares_room) == ("jobs", shares)


@pytest.mark.parametrize(
    ("room_of", "ledgers", "most"),
    [("model", ["odd.test#m0", "odd.test#m1", "odd.test#m2"], 24), ("account", ["odd.test#"], 12)],
)  # fmt: skip
def test_requests_of_all_models_may_share_the_room(world_of: Row, room_of: str, ledgers: list[str], most: int) -> None:
    world = world_of(settings={"max_requests_per_shard": 4}, room="requests", room_of=room_of, room_size=8)
    batch_id, running = drop(world, 24, models=3), list[int]()
    store = world.services.account().token_ledgers
    for name in ledgers:
        store.change(name, limit=8)  # as a refusal would teach; half as many more are tried later
    for _ in side_by_side(world, batch_id):
        at_once = [each for each in world.provider.batches.values() if not each.ended]
        running.append(sum(len(world.provider.custom_ids(each)) for each in at_once))
    assert max(running) == most
    assert list(store.names()) == ledgers
    assert [store.read(name).enqueued for name in ledgers] == [0] * len(ledgers)
    assert world.run(batch_id) == "done"


def test_requests_fill_the_room_of_their_model_and_what_is_over_goes_in_waves(world_of: Row) -> None:
    world = world_of(settings={"max_requests_per_shard": 10}, room="requests", room_size=10)
    batch_id = drop(world)
    store = world.services.account().token_ledgers
    store.change(store.name_of("m0"), limit=6)  # as a refusal would teach
    list(side_by_side(world, batch_id))
    assert max(sizes(world)) <= 6
    assert world.run(batch_id) == "done"
    assert answered_in_order(world, batch_id)
    assert store.read(store.name_of("m0")).enqueued == 0


def test_where_nothing_fills_up_nothing_is_reserved(world_of: Row) -> None:
    world = world_of(settings={"max_enqueued_tokens": "1", "max_requests_per_shard": 5}, room="nothing")
    assert world.run(drop(world)) == "done"
    assert sizes(world) == [5, 5, 5, 5, 3]
    assert list(world.services.account().token_ledgers.names()) == []


def test_a_line_that_the_service_does_not_take_is_a_bad_line_and_the_others_run(world_of: Row) -> None:
    world = world_of(most_line_bytes=400)
    lines = [request(f"r{at}", pad="x" * (500 if at == 7 else 1)) for at in range(20)]
    batch_id = world.drop(jsonl(lines), **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    assert [line["custom_id"] for line in world.answered(batch_id, "errors.jsonl")] == ["r7"]
    assert "longer than 400 bytes" in world.answered(batch_id, "errors.jsonl")[0]["error"]["message"]
    assert sizes(world) == [19]


def test_a_url_of_its_own_is_taken_and_no_other_service_gets_such_lines(world_of: Row) -> None:
    lines = jsonl([request(f"r{at}", url="/v2/chat/completions") for at in range(3)])
    world = world_of(endpoints=("/v2/chat/completions",))
    batch_id = world.drop(lines)
    assert world.run(batch_id) == "done"
    assert answered_in_order(world, batch_id, 3)
    assert {each.endpoint for each in world.provider.batches.values()} == {"/v2/chat/completions"}
    other = world_of()
    assert other.run(other.drop(lines)) == "refused"


def runs_on(_: EndingsProvider, batch: Batch) -> Batch:
    """Answer three lines of a batch, and never end it."""
    return replace(batch, status="in_progress", request_counts=RequestCounts(5, 3, 0))


class NeverEnds(EndingsProvider):
    """The first batch never ends by itself; when it is cancelled, three of its lines are answered."""

    def _show(self, batch_id: str) -> Batch:
        return (
            super()._show(batch_id) if batch_id != "pb-0" or self.batches[batch_id].ended else self._running(batch_id)
        )

    def _running(self, batch_id: str) -> Batch:
        return runs_on(self, self.batches[batch_id])

    def _cancel(self, batch_id: str) -> Batch:
        self.looked["cancelled at"] = int(self.clock())
        return self.end(batch_id, answering(lambda each: good(each) if each < "r3" else None, "cancelled"))


def test_a_batch_that_never_expires_is_taken_back_and_its_rest_is_sent_again_and_paid_once(world_of: Row) -> None:
    world = world_of(NeverEnds, expires=False)
    batch_id, begun = drop(world, 5), world.clock.now
    assert world.run(batch_id) == "done"
    assert sizes(world) == [5, 2]
    assert DAY + OVERTIME <= world.provider.looked["cancelled at"] - begun <= DAY + OVERTIME + HOUR
    assert answered_in_order(world, batch_id, 5)
    assert sorted(world.provider.ledger()) == [(f"r{at}", "2xx") for at in range(5)]


def test_a_batch_that_expires_is_waited_for() -> None:
    assert deadline(WAIT, 0, DAY, Facts(expires=True)) == math.inf


@pytest.mark.parametrize(("progress", "hours"), [("live", 0.6), ("end", 0.1), ("none", 0.1)])
def test_only_counts_that_are_live_say_how_long_it_takes(world_of: Row, progress: str, hours: float) -> None:
    """A tenth is done after an hour, and a fifth after two: eight more hours, if the counts can be believed."""
    world = world_of(progress=progress)
    begun = world.clock.now

    def steady(_: EndingsProvider, batch: Batch) -> Batch:
        done = round((world.clock.now - begun) / HOUR)
        return replace(batch, status="in_progress", request_counts=RequestCounts(10, done, 0))

    world.provider.endings, world.provider.polls_before_end = [steady], 0
    step = Step(drop(world, 10), 0)
    world.run_until_submitted(step.batch_id)
    for _ in range(2):
        world.clock.now += HOUR
        step = poll(world.services, step)
    assert step.wait_seconds == pytest.approx(hours * HOUR, rel=0.1)


def test_results_that_live_short_are_looked_for_often(world_of: Row) -> None:
    world = world_of(results_kept=DAY)
    world.provider.endings, world.provider.polls_before_end = [runs_on], 0
    step = Step(drop(world, 5), 0)
    world.run_until_submitted(step.batch_id)
    world.clock.now += 20 * HOUR
    assert poll(world.services, step).wait_seconds <= DAY / 48


class ListsNothing(EndingsProvider):
    """The first create loses its answer, and no list tells what came of it."""

    def create_batch(self, **members: Any) -> Batch:
        made = super().create_batch(**members)
        if len(self.batches) == 1:
            raise CreateOutcomeUnknown("lost")
        return made

    def find_batch(self, *_: Any, **__: Any) -> None:
        raise CannotTell("What odd lists of its batches does not show whether it made this one")


def test_a_lost_create_that_nobody_can_look_up_waits_for_a_person_and_is_never_made_again(world_of: Row) -> None:
    world = world_of(ListsNothing, lookup="none")
    step = Step(drop(world, 5), 0)
    assert plan(world.services, step.batch_id).next == "run"
    for _ in range(30):
        step = submit(world.services, step)
        world.clock.now += step.wait_seconds
    assert step.next == Next.SUBMIT
    assert len(world.provider.batches) == 1
    assert "cannot tell" in (world.services.batch_store.batch(step.batch_id).paused or "")
