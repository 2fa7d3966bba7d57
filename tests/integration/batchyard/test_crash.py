"""A step that is killed or overtaken on the real adapters: their conditions and pins keep what the fakes promise."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from batchyard.adapters.bucket import Bucket
from batchyard.adapters.event_bus import EventBus
from batchyard.adapters.executions import Executions
from batchyard.adapters.file_bucket import FileBucket
from batchyard.adapters.stores.batch_store import BatchStore
from batchyard.adapters.stores.creation_store import CreationStore
from batchyard.adapters.stores.file_store import FileStore
from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
from tests.fakes.batches import BUCKET
from tests.fakes.endings import EndingsProvider, answering
from tests.fakes.lines import jsonl, request
from tests.integration.batchyard.redelivery import Killed, check, first_answers, run_whole, same_adapters

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.world import World

# Every call that changes something outside the process.
EFFECTS: list[tuple[type, str]] = [
    (Bucket, "put"),
    *((BatchStore, name) for name in ("create_batch", "move_batch", "change_batch", "save_shard", "link")),
    (Executions, "start"),
    (EventBus, "announce"),
    *((EndingsProvider, name) for name in ("create_file", "create_batch", "cancel_batch", "delete_file")),
    (FileStore, "keep"),
    (FileBucket, "tag"),
    *((TokenLedgerStore, name) for name in ("take", "wait", "confirm", "release", "change")),
    *((CreationStore, name) for name in ("save_creations", "learn_most_bytes")),
]
BAD = b'{"custom_id":"bad"}\n'  # is skipped, and the rest runs
# Each kill is a whole run; `make faults` kills at every effect, the usual tests at a few: tests/faults does at each, in memory.
PARTS = 12 if os.environ.get("EVERY_EFFECT") else 1  # each within a test's time on a busy machine
STRIDE = PARTS if PARTS > 1 else 37


class Killer:
    """Counts effects and kills at one of them, once."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.count = at, after, 0
        self.step: Callable[[], Any] = lambda: None

    def about(self, step: Callable[[], Any]) -> None:
        self.step = step

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


@pytest.mark.parametrize("first", range(1, PARTS + 1))
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", [Killer, Overtaker], ids=["killed", "overtaken"])
def test_a_step_that_is_killed_or_overtaken_at_any_effect_loses_nothing_and_pays_once(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: type[Killer], *, after: bool, first: int
) -> None:
    originals = {(owner, name): getattr(owner, name) for owner, name in EFFECTS}
    data = jsonl([request(f"r{at}", model=f"m{at % 2}") for at in range(10)]) + BAD
    at = first - STRIDE
    while True:
        at += STRIDE
        killer = kind(at, after=after)
        for (owner, name), effect in originals.items():
            monkeypatch.setattr(owner, name, killer.around(effect))
        world.provider = EndingsProvider(world.clock, endings=[answering(first_answers)] * 2)
        world.services = same_adapters(world)
        key = f"inbox/default/{kind.__name__}-{after}-{at}.jsonl"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data, Metadata={"on-invalid": "skip"})
        check(world, run_whole(world, key, killer.about), [*(f"r{at}" for at in range(10)), "bad"])
        if killer.count < at:
            break
    assert at > 30, "the run had fewer effects than a batch of two shards has"
