"""Several providers in one stack: one that is down, or refuses its key, holds up no other's requests."""

from __future__ import annotations

import json
import random
from typing import Any, Final

import pytest

from batch_client import AuthenticationError
from tests.faults.provider import Fate
from tests.faults.struck import KEY, StruckWorld
from tests.faults.test_bills import OWN, check

LINES: Final = [f"r{at}" for at in range(60)]
HOUR: Final = 3_600
TWO: Final = {"a": ["m0", "m2"], "b": ["m1"]}
THREE: Final = {"a": ["m0"], "b": ["m1"], "c": ["*"]}


def world_of(providers: dict[str, list[str]], **settings: Any) -> StruckWorld:
    return StruckWorld(providers=providers, price_list=OWN, max_requests_per_shard=8, **settings)


def finished_at(world: StruckWorld, batch_id: str) -> dict[str, int]:
    """Tell when the last attempt of each provider's shards ended, by its name."""
    ended: dict[str, int] = {}
    for shard in world.memory.batch_store.shards(batch_id):
        ended[shard.provider] = max(ended.get(shard.provider, 0), shard.attempts[-1].ended_at or 0)
    return ended


def play_until_done(world: StruckWorld, batch_id: str, name: str) -> None:
    """Play until every shard of a provider is done."""
    for _ in range(200):
        for execution in world.machine.running:
            world.machine.turn(execution)
        states = [each.done for each in world.memory.batch_store.shards(batch_id) if each.provider == name]
        if states and all(states):
            return
    raise AssertionError(f"the shards of {name} are not done")


def order(world: StruckWorld, batch_id: str, name: str = "output.jsonl") -> list[str]:
    found = world.found(f"results/default/{batch_id}/{name}") or b""
    return [json.loads(line)["custom_id"] for line in found.splitlines()]


@pytest.mark.parametrize("providers", [TWO, THREE], ids=["two", "three"])
def test_while_one_provider_is_down_for_an_hour_the_others_go_on_and_everything_ends_in_order(
    providers: dict[str, list[str]],
) -> None:
    for down in providers:
        world = world_of(providers)
        began = world.clock.now
        world.doors[down].down_until = began + HOUR
        batch_id = world.upload(LINES, models=3)
        world.finish(calm=False)
        assert world.wrongs() == []
        assert order(world, batch_id) == LINES
        check(world, batch_id)
        ended = finished_at(world, batch_id)
        assert set(ended) == set(providers)
        assert ended[down] >= began + HOUR
        assert all(at < began + HOUR / 2 for name, at in ended.items() if name != down), "nobody else was held up"


@pytest.mark.parametrize("seed", range(20))
def test_whatever_becomes_of_the_batches_of_each_provider_the_bill_is_that_of_all(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a seed that is known
    world = world_of(chance.choice([TWO, THREE]))
    world.provider.fates = [
        Fate(chance.choice(["completed", "completed", "expired", "failed"]), share=chance.random()) for _ in range(12)
    ]
    for door in world.doors.values():
        door.down_until = world.clock.now + chance.choice([0, 0, 90, HOUR])
    batch_id = world.upload(LINES, models=3)
    world.finish(calm=False)
    assert world.wrongs() == []
    check(world, batch_id)


def test_a_refused_key_pauses_only_the_shards_of_its_provider_and_names_it() -> None:
    world = world_of(TWO)
    world.doors["b"].refusal = AuthenticationError("Incorrect API key provided", status=401)
    batch_id = world.upload(LINES, models=3)
    play_until_done(world, batch_id, "a")
    shards = [*world.memory.batch_store.shards(batch_id)]
    assert {shard.provider for shard in shards if shard.done} == {"a"}
    waiting = [shard.paused or "" for shard in shards if not shard.done]
    assert waiting
    assert all(text.startswith("b: The provider refused our key") for text in waiting)
    assert "make providers PROVIDERS=providers.json SECRET=secret" in waiting[0]
    world.doors["b"].refusal = None
    world.finish()
    assert world.wrongs() == []
    assert order(world, batch_id) == LINES


def test_a_provider_without_a_key_waits_alone_and_a_key_that_is_stored_is_used() -> None:
    world = world_of(TWO)
    world.memory.secret.text = json.dumps({"a": KEY})
    assert world.memory.account("a").key() == KEY
    with pytest.raises(
        Exception,
        match=r"No API key of the provider b is stored yet.*make providers PROVIDERS=providers.json SECRET=secret",
    ):
        world.memory.account("b").key()
    world.memory.secret.text = json.dumps({"a": KEY, "b": "sk-other"})
    assert world.memory.account("b").key() == "sk-other"


def test_a_batch_for_one_provider_sends_nothing_to_another() -> None:
    world = world_of({"a": ["*"], "b": ["*"]})
    batch_id = world.upload(LINES, models=3, options={"provider": "b"})
    world.finish()
    assert world.wrongs() == []
    assert world.doors["a"].calls.count("submit") == 0
    assert {shard.provider for shard in world.memory.batch_store.shards(batch_id)} == {"b"}
    assert order(world, batch_id) == LINES


def test_a_provider_that_is_taken_out_of_the_settings_has_its_shards_wait_until_it_is_back() -> None:
    world = world_of(TWO)
    batch_id = world.upload(LINES, models=3)
    world.play_until("create_file", before=True)
    known = world.services.accounts.pop("b")
    play_until_done(world, batch_id, "a")
    paused = {
        shard.provider: shard.paused or "" for shard in world.memory.batch_store.shards(batch_id) if not shard.done
    }
    assert set(paused) == {"b"}
    assert "Providers names no provider b any more" in paused["b"]
    world.services.accounts["b"] = known
    world.finish()
    assert world.wrongs() == []
    assert order(world, batch_id) == LINES
