"""Kill every step before and after each effect it has, deliver it again, and look whether anything was lost or paid twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from batchyard.adapters.events import Events
from batchyard.adapters.executions import Executions
from batchyard.adapters.file_objects import FileObjects
from batchyard.adapters.file_records import FileRecords
from batchyard.adapters.objects import Objects
from batchyard.adapters.records import Records
from batchyard.assemble import assemble
from batchyard.errors import StaleRecord
from batchyard.intake import intake
from batchyard.plan import plan
from batchyard.shard import Step
from batchyard.yard import Yard
from tests.integration.batchyard.world import BUCKET, Provider, World, answering, bad, good, jsonl, request, unrun

if TYPE_CHECKING:
    from collections.abc import Callable

# Every call that changes something outside the process.
EFFECTS: list[tuple[type, str]] = [
    (Objects, "put"), (Records, "create_batch"), (Records, "move_batch"), (Records, "change_batch"), (Records, "save_shard"),
    (Records, "link"), (Executions, "start"), (Events, "announce"), (Provider, "create_file"), (Provider, "create_batch"),
    (Provider, "cancel_batch"), (FileRecords, "keep"), (FileObjects, "tag"),
]  # fmt: skip
MOST_DELIVERIES = 12
# Each kill is a whole run; `make faults` kills at every effect, the usual tests at every seventh.
STRIDE = 1 if os.environ.get("EVERY_EFFECT") else 7


class Killed(BaseException):
    """The process is gone: nothing of ours may catch it."""


class Killer:
    """Counts effects and kills at one of them, once."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            now = self.count == self.at
            if now and not self.after:
                raise Killed
            result = effect(*arguments, **named)
            if now:
                raise Killed
            return result

        return call


class Overtaker(Killer):
    """At one effect, lets another worker do the same step from its start to its end before this one goes on."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__(at, after=after)
        self.step: Callable[[], Any] = lambda: None

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            now = self.count == self.at
            if now and not self.after:
                self.step()
            result = effect(*arguments, **named)
            if now and self.after:
                self.step()
            return result

        return call


def first_answers(custom_id: str) -> bytes | None:
    return [good(custom_id), bad(custom_id, 400), bad(custom_id, 503), unrun(custom_id), None][int(custom_id[1:]) % 5]


def deliver(world: World, killer: Killer, call: Callable[[], Any]) -> Any:
    """Deliver until it goes through, each time to a new process."""
    if isinstance(killer, Overtaker):
        killer.step = call
    for _ in range(MOST_DELIVERIES):
        try:
            return call()
        except (Killed, StaleRecord):
            world.clock.now += 30
            world.yard = same_adapters(world)
    raise AssertionError("still failing")


def same_adapters(world: World) -> Yard:
    """Make a yard of a new process; the adapters hold no state, and their clients are slow to make."""
    fresh = Yard(world.yard.settings, world.provider, world.clock, world.yard.chance)
    adapters = (
        "objects",
        "records",
        "chores",
        "executions",
        "events",
        "cancel_function",
        "file_records",
        "file_objects",
    )
    for name in adapters:
        setattr(fresh, name, getattr(world.yard, name))
    return fresh


def run_whole(world: World, killer: Killer, key: str) -> str:
    batch_id = deliver(world, killer, lambda: intake(world.yard, BUCKET, key))
    planned = deliver(world, killer, lambda: plan(world.yard, batch_id))
    for each in json.loads(world.read(planned.shards["key"])):
        step = Step(batch_id, each["shard"])
        for _ in range(100):
            if step.next == "done":
                break
            world.clock.now += step.wait_seconds
            step = deliver(world, killer, lambda step=step: world.step(step))  # type: ignore[misc]
    assert deliver(world, killer, lambda: assemble(world.yard, batch_id)) == "done"
    return str(batch_id)


def check(world: World, batch_id: str, lines: list[str]) -> None:
    """Judge by the results and the provider's ledger alone."""
    output, errors = world.answered(batch_id, "output.jsonl"), world.answered(batch_id, "errors.jsonl")
    answered = [each["custom_id"] for each in output + errors]
    assert sorted(answered) == sorted(lines)
    for result in (output, errors):
        places = [lines.index(each["custom_id"]) for each in result]
        assert places == sorted(places)
    paid = Counter(custom_id for custom_id, answer in world.provider.ledger() if answer == "2xx")
    assert max(paid.values()) == 1, f"paid twice: {paid.most_common(3)}"
    assert all(batch.ended or batch.status == "cancelling" for batch in world.provider.batches.values())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", [Killer, Overtaker], ids=["killed", "overtaken"])
def test_a_step_that_is_killed_or_overtaken_at_any_effect_loses_nothing_and_pays_once(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[Killer], *, after: bool
) -> None:
    originals = {(owner, name): getattr(owner, name) for owner, name in EFFECTS}
    data = jsonl([request(f"r{at}", model=f"m{at % 2}") for at in range(10)])
    at = 1 - STRIDE
    while True:
        at += STRIDE
        killer = kind(at, after=after)
        for (owner, name), effect in originals.items():
            monkeypatch.setattr(owner, name, killer.around(effect))
        world.provider = Provider(world.clock, endings=[answering(first_answers)] * 2)
        world.yard = same_adapters(world)
        key = f"inbox/default/{kind.__name__}-{after}-{at}.jsonl"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)
        check(world, run_whole(world, killer, key), [f"r{at}" for at in range(10)])
        if killer.count < at:
            break
    assert at > 30, "the run had fewer effects than a batch of two shards has"
