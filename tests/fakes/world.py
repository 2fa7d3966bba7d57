"""What the tests of whole flows hold in their hands: services, a provider, a clock, and the state machine played by hand.

A world stands on memory or on moto (`tests.fakes.moto`). Memory takes a hundredth of the time.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from batchyard.domain.errors import NotFound
from batchyard.domain.step import Step
from batchyard.planning.intake import intake
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BUCKET, NOW
from tests.fakes.endings import EndingsProvider
from tests.fakes.services import DEFAULTS, MemoryAdapters, made_up_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batch_client import Dialect
    from batchyard.services import Services

MOST_STEPS: Final = 400
Asked = TypeVar("Asked", bound="Dialect")


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


class Backing(Protocol):
    """What a world stands on."""

    #: the payloads of functions that were invoked and are not waited for
    invoked: list[Any]

    def services(self, provider: Dialect, clock: Callable[[], float], chance: Callable[[], float]) -> Services:
        """Make services on it, as a new process would."""
        ...

    def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Put an object into the data bucket."""
        ...

    def read(self, key: str) -> bytes:
        """Read an object of the data bucket; raises NotFound."""
        ...


class MemoryBacking:
    """Adapters of memory."""

    def __init__(self, **settings: str | int) -> None:
        self.invoked: list[Any] = []
        self.settings = made_up_settings(**{"max_enqueued_tokens": DEFAULTS["max_enqueued_tokens"], **settings})

    def services(
        self, provider: Dialect | Mapping[str, Dialect], clock: Callable[[], float], chance: Callable[[], float]
    ) -> MemoryAdapters:
        self.adapters = MemoryAdapters(self.settings, provider, clock, chance)
        self.adapters.cancel_function.invoked = self.adapters.advance_function.invoked = self.invoked
        return self.adapters

    def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        self.adapters.bucket.put(key, data)
        self.adapters.bucket.metadata[key] = dict(metadata)

    def read(self, key: str) -> bytes:
        return self.adapters.bucket.get(key)


class AnyWorld(Generic[Asked]):
    """A world of any provider."""

    def __init__(
        self, backing: Backing, provider: Asked, clock: Clock, chance: Callable[[], float] = lambda: 0.5
    ) -> None:
        self.backing, self.provider, self.clock = backing, provider, clock
        self.services = backing.services(provider, clock, chance)

    @property
    def invoked(self) -> list[Any]:
        return self.backing.invoked

    def drop(self, data: bytes, key: str = "inbox/default/in.jsonl", **metadata: str) -> str:
        """Upload an input; its notice comes at once."""
        self.backing.put(key, data, metadata)
        batch_id = intake(self.services, BUCKET, key)
        assert batch_id is not None
        return batch_id

    def run(self, batch_id: str) -> str:
        """Play the state machine to its end and answer the last `next`."""
        planned = plan(self.services, batch_id)
        if planned.next == "run":
            for number in range(planned.last_shard + 1):
                self.run_shard(Step(batch_id, number))
        elif planned.next != "assemble":
            return planned.next
        return assemble(self.services, batch_id)

    def run_until_submitted(self, batch_id: str) -> None:
        """Play the state machine up to where every shard has its provider batch."""
        for each in json.loads(self.read(plan(self.services, batch_id).shards["key"])):
            assert submit(self.services, Step(batch_id, each["shard"])).next == "poll"

    def run_shard(self, step: Step) -> None:
        """Play a shard to its end, in as many executions as it takes."""
        for _ in range(MOST_STEPS):
            if step.next == "done":
                return
            step = Step(step.batch_id, step.shard) if step.next == "continue" else step
            self.clock.now += step.wait_seconds
            step = self.step(step)
        raise AssertionError(f"{step} after {MOST_STEPS} steps")

    def step(self, step: Step) -> Step:
        doors = {"submit": submit, "poll": poll, "collect": collect}
        return doors[step.next](self.services, step)

    def read(self, key: str) -> bytes:
        return self.backing.read(key)

    def found(self, key: str) -> bytes | None:
        """Read an object that may not be there."""
        try:
            return self.read(key)
        except NotFound:
            return None

    def result(self, batch_id: str, name: str) -> bytes:
        return self.read(f"results/default/{batch_id}/{name}")

    def answered(self, batch_id: str, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.result(batch_id, name).splitlines()]


class World(AnyWorld[EndingsProvider]):
    """A world whose provider ends each batch as a test says beforehand."""


def memory_world(**settings: str | int) -> World:
    """Make a world of memory."""
    clock = Clock()
    return World(MemoryBacking(**settings), EndingsProvider(clock), clock)
