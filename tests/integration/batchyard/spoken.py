"""Play whole batches between the real client of a dialect and its emulator; AWS is in memory, and may strike at any effect."""

from __future__ import annotations

import functools
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.integration.local.emulator.running import Emulator

T = TypeVar("T")
UPLOADS = itertools.count()
Rule = dict[str, Any]


def call(operation: str, nth: str = "1", **do: Any) -> Rule:
    return {"operation": operation, "nth": nth, "do": do}


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
