"""What may have been billed, and of which nobody knows the tokens, counts at its estimate; what is known counts once."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batch_client import PROFILES, Facts, Profile
from batch_client import Usage as ProviderUsage
from batchyard.costs.cost import PER_DOLLAR, Cost
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.numbers import DAY
from batchyard.domain.shard import Shard
from batchyard.domain.step import Next, Step
from batchyard.domain.stopping import MAX_COST, cost_limit_reached
from tests.fakes.budgets import PRICES, give, lines, month
from tests.fakes.endings import Ending, EndingsProvider, answering, ended
from tests.fakes.lines import good, jsonl, request
from tests.fakes.provider import replace
from tests.fakes.world import Clock, MemoryBacking, World

DOLLARS = 2  # of each line, by its estimate
NEVER = answering(lambda _: None)
EXPIRED = answering(lambda _: None, "expired")


def silent(custom_id: str, **usage: int | None) -> bytes:
    """Answer well, without a word of tokens."""
    line = json.loads(good(custom_id))
    del line["response"]["body"]["usage"]
    line["response"]["body"] |= {"usage": usage} if usage else {}
    return json.dumps(line).encode() + b"\n"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Callable[..., World]:
    def make(**facts: Any) -> World:
        profile = Profile(name="odd", hosts=("odd.test",), facts=Facts(source="a test, 2026", progress="none", **facts))
        monkeypatch.setitem(PROFILES, "odd", profile)
        clock = Clock()
        backing = MemoryBacking(provider_base_url="https://odd.test/v1", price_list=PRICES)
        made = World(backing, EndingsProvider(clock, polls_before_end=0), clock)
        give(made.services, 100)
        return made

    return make


def attempts(world: World, batch_id: str) -> list[Attempt]:
    (shard,) = world.services.batch_store.shards(batch_id)
    return shard.attempts


def play(world: World, *endings: Ending, count: int = 4) -> list[Attempt]:
    """Have each provider batch end a day after it was made."""
    batch_id = world.drop(lines(count))
    world.provider.endings = list(endings)
    world.run_until_submitted(batch_id)
    step = Step(batch_id, 0, next=Next.POLL)
    while step.next != Next.DONE:
        world.clock.now += DAY if step.next == Next.POLL else step.wait_seconds
        step = world.step(step)
    assert world.run(batch_id) == "done"
    return attempts(world, batch_id)


def dollars(amounts: list[int]) -> list[float]:
    return [amount / PER_DOLLAR for amount in amounts]


def test_batches_that_lost_all_at_their_expiry_count_at_their_estimate(world: Callable[..., World]) -> None:
    made = world(after_expiry="nothing", after_cancel="nothing")
    past = play(made, *[EXPIRED] * 50)
    sent = [each.lines for each in past if each.end]
    assert dollars([each.assumed for each in past if each.end]) == [DOLLARS * count for count in sent]
    assert month(made.services).expected == sum(sent) * DOLLARS * PER_DOLLAR


def test_answers_that_never_came_of_a_whole_batch_count_and_what_came_costs(world: Callable[..., World]) -> None:
    made = world()
    past = play(made, answering(lambda name: good(name) if name in {"r0", "r1", "r2"} else None))
    assert [(each.lost, each.cost and each.cost.amount, each.assumed) for each in past] == [
        (1, 6 * PER_DOLLAR, DOLLARS * PER_DOLLAR), (0, 2 * PER_DOLLAR, 0),
    ]  # fmt: skip
    assert month(made.services)[2:] == (8 * PER_DOLLAR, DOLLARS * PER_DOLLAR)


def test_lines_that_never_ran_at_an_expiry_that_keeps_answers_cost_nothing(world: Callable[..., World]) -> None:
    past = play(world(), answering(lambda name: good(name) if name == "r0" else None, "expired"))
    assert [(each.lost, each.assumed) for each in past] == [(0, 0), (0, 0)]


def test_a_batch_that_is_gone_counts_less_what_is_known_of_it(world: Callable[..., World]) -> None:
    made = world()
    batch_id = made.drop(lines(4))
    made.run_until_submitted(batch_id)
    store = made.services.batch_store
    (shard,) = store.shards(batch_id)
    known = msgspec.structs.replace(shard.attempts[-1], usage=Usage(0, 0, 3), cost=Cost(output=3 * PER_DOLLAR))
    store.save_shard(shard, msgspec.structs.replace(shard, attempts=[known]))
    made.provider.batches.clear()
    step = Step(batch_id, 0, next=Next.POLL)
    while step.next == Next.POLL:
        made.clock.now += DAY
        step = made.step(step)
    (lost,) = attempts(made, batch_id)
    assert (lost.lost, lost.assumed) == (4, 5 * PER_DOLLAR)
    batch, (shard,) = store.batch(batch_id), store.shards(batch_id)
    assert limited(shard, msgspec.structs.replace(batch, max_cost_usd="15.99")) is MAX_COST
    assert limited(shard, msgspec.structs.replace(batch, max_cost_usd="16")) is None


def limited(shard: Shard, batch: Any) -> Any:
    return cost_limit_reached(batch, [shard], shard)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": 0, "total_tokens": 0}], ids=["none", "noughts"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["at once", "each alone"])
def test_answers_that_tell_no_tokens_count_whatever_their_url(
    world: Callable[..., World], usage: dict[str, int], mark: bytes
) -> None:
    made = world()

    def ending(provider: EndingsProvider, batch: Any) -> Any:
        output = [silent(name, **usage) if name != "r0" else good(name) for name in provider.custom_ids(batch)]
        return ended(provider, batch, "completed", [mark + output[0], *output[1:]], [])

    (attempt,) = play(made, ending)
    assert (attempt.succeeded, attempt.unmetered, attempt.assumed) == (4, 3, 3 * DOLLARS * PER_DOLLAR)


def test_what_the_provider_told_of_the_whole_batch_counts_once(world: Callable[..., World]) -> None:
    made = world()

    def told_by_the_way(_: EndingsProvider, batch: Any) -> Any:
        return replace(
            batch, status="in_progress", usage=ProviderUsage(input_tokens=0, output_tokens=8, total_tokens=8)
        )

    batch_id = made.drop(lines(4))
    made.provider.endings = [told_by_the_way]
    made.run_until_submitted(batch_id)
    step = made.step(Step(batch_id, 0, next=Next.POLL))
    made.provider.endings = [answering(silent)]
    made.provider.batches = {
        name: replace(each, usage=None) for name, each in made.provider.batches.items()
    }  # the last look tells none
    made.run_shard(step)
    (attempt,) = attempts(made, batch_id)
    assert (attempt.unmetered, attempt.assumed, attempt.cost and attempt.cost.amount) == (0, 0, 8 * PER_DOLLAR)
    batch, (shard,) = made.services.batch_store.batch(batch_id), made.services.batch_store.shards(batch_id)
    assert limited(shard, msgspec.structs.replace(batch, max_cost_usd="8")) is None


def test_moderations_are_free_and_their_silence_is_no_fault() -> None:
    clock = Clock()
    made = World(MemoryBacking(), EndingsProvider(clock), clock)
    asked = [request(f"r{at}", url="/v1/moderations") for at in range(2)]
    batch_id = made.drop(jsonl(asked))
    made.provider.endings = [answering(silent)]
    assert made.run(batch_id) == "done"
    assert json.loads(made.result(batch_id, "report.json"))["answers"]["unmetered"] == 0
