"""Play whole batches between the real client of a dialect and its emulator; AWS is in memory, and may strike at any effect."""

from __future__ import annotations

import functools
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from batch_client import BatchClient, RetryPolicy, speak
from batchyard.domain.errors import StaleRecord, StoreError
from batchyard.domain.job import ATTEMPT_LABEL
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.lines import jsonl
from tests.fakes.world import World, memory_world
from tests.faults.strikes import Killed, Strike, Strikes, exposed
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")
UPLOADS = itertools.count()
Rule = dict[str, Any]


def call(operation: str, nth: str = "1", **do: Any) -> Rule:
    return {"operation": operation, "nth": nth, "do": do}


def batch(number: str, **do: Any) -> Rule:
    return {"batch": number, "do": do}


def at_any_service(create: str, download: str) -> dict[str, dict[str, Any]]:
    """Return what may go wrong at any service, whose calls are named so: a create, and the reading of results."""
    gateway = [call(create, "1,3", status=502), call(create, "2,4", status=504, after_effect=True)]
    return {
        "a create lost after its effect": {"calls": [call(create, connection="reset", after_effect=True)]},
        "a create lost before its effect": {"calls": [call(create, connection="reset")]},
        "creates lost four times, two of them made": {"calls": gateway},
        "results cut short": {"calls": [call(download, "1-2", cut={"at": 0.5})]},
        "results in gzip": {"calls": [{"operation": download, "do": {"gzip": True}}]},
        "rate limits everywhere": {"calls": [{"share": 0.3, "do": {"status": 429, "headers": {"retry-after": "0"}}}]},
        "errors of a gateway everywhere": {"calls": [{"share": 0.3, "do": {"status": 503, "html": True}}]},
    }


def emulator_of(*arguments: str) -> Any:
    """Make the fixture `emulator` of a module: one that is started with these arguments, for all its tests."""

    @pytest.fixture(scope="module", name="emulator")
    def running() -> Iterator[Emulator]:
        with started("--seconds-per-batch", "0.05", *arguments) as emulator:
            yield emulator

    return running


@dataclass(frozen=True)
class Spoken:
    """One dialect, as a stack speaks it."""

    profile: str
    #: Makes the line of a custom_id.
    line: Callable[[str], dict[str, Any]]
    #: Settings of the stack.
    settings: Mapping[str, Any] = field(default_factory=dict)

    def world(self) -> World:
        return memory_world(**self.settings)

    def upload(self, world: World, ids: list[str]) -> str:
        """Upload lines under a key of their own: the batches of all worlds are at one emulator, and no two may have one id."""
        return world.drop(jsonl([self.line(each) for each in ids]), f"inbox/default/{next(UPLOADS)}.jsonl")

    def connect(self, world: World, emulator: Emulator) -> set[str]:
        """Have the services talk to the emulator; answer the batches it has already."""
        retry = RetryPolicy(floor=0.001, ceiling=0.002, max_retries=2)
        client = BatchClient(emulator.api_key, emulator.url, profile=self.profile, retry=retry)
        world.services.account().client = speak(client, ATTEMPT_LABEL)
        world.clock.now = emulator.admin("/clock", {"seconds": 0})["now"]
        return made(emulator)

    def expose(self, world: World, emulator: Emulator) -> None:
        """Have what the client itself does on AWS be struck, too."""

    def struck_run(self, emulator: Emulator, strike: Strike | None, ids: list[str]) -> tuple[World, Strikes, str]:
        """Run a batch whose worker is struck once at an effect on AWS; a step whose process died is played again."""
        world, strikes = self.world(), Strikes()
        self.connect(world, emulator)
        whole = world.services
        batch_id = self.upload(world, ids)
        world.services, strikes.due = exposed(whole, strikes), strike
        self.expose(world, emulator)
        again_and_again(strikes, lambda: plan(world.services, batch_id))
        step = Step(batch_id, 0)
        for _ in range(200):
            if step.next == "done":
                break
            time.sleep(0.005)
            world.clock.now = emulator.admin("/clock", {"seconds": step.wait_seconds})["now"]
            now = Step(batch_id, 0) if step.next == "continue" else step
            doors = {"submit": submit, "poll": poll, "collect": collect}
            strikes.step = functools.partial(doors[now.next], whole, now)
            step = again_and_again(strikes, functools.partial(world.step, now))
        assert step.next == "done", strikes.struck
        assert again_and_again(strikes, lambda: assemble(world.services, batch_id)) == "done"
        return world, strikes, batch_id


def made(emulator: Emulator) -> set[str]:
    """Name the batches that the emulator has made so far."""
    return {each["id"] for each in emulator.admin("/ledger?lines=false")["data"]}


def turn(world: World, emulator: Emulator, step: Step) -> Step:
    """Play one step when it is due, by the clock of the emulator, too."""
    time.sleep(0.01)
    world.clock.now = emulator.admin("/clock", {"seconds": step.wait_seconds})["now"]
    return world.step(Step(step.batch_id, step.shard) if step.next == "continue" else step)


def run(world: World, emulator: Emulator, batch_id: str) -> str:
    """Play the state machine."""
    for each in json.loads(world.read(plan(world.services, batch_id).shards["key"])):
        step = Step(batch_id, each["shard"])
        for _ in range(400):
            if step.next == "done":
                break
            step = turn(world, emulator, step)
        assert step.next == "done"
    return assemble(world.services, batch_id)


def again_and_again(strikes: Strikes, work: Callable[[], T]) -> T:
    for _ in range(3):
        try:
            return work()
        except (Killed, StoreError, StaleRecord):
            assert strikes.struck
    return work()
