"""What a worker that died left at a provider, over the wire with the real client: nothing that nobody owns stays there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from batch_client import BatchClient, OpenAIDialect, RetryPolicy
from batchyard.domain.batch import BatchError
from batchyard.domain.job import ATTEMPT_LABEL
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from batchyard.shards.fail import end_batch
from batchyard.shards.submit import submit
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fakes.world import World

TWENTY = jsonl([request(f"r{at}") for at in range(20)])
SLOWLY = "60"  # seconds a batch takes: it runs until it is cancelled
LATER = 3_600
GIVEN_UP = BatchError("server_error", "Batchyard could not go on.")


class Killed(BaseException):
    """The end of a worker that could write nothing more."""


class Deadly(BatchClient):
    """The real client, whose process dies when the answer to this call is on its way back."""

    def __init__(self, at: str, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._at = at

    def create_file(self, *arguments: Any, **named: Any) -> Any:
        return self._die("create_file", super().create_file(*arguments, **named))

    def create_batch(self, **named: Any) -> Any:
        return self._die("create_batch", super().create_batch(**named))

    def _die(self, call: str, answer: Any) -> Any:
        if call == self._at:
            raise Killed
        return answer


@pytest.fixture
def world() -> World:
    return memory_world()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", SLOWLY) as emulator:
        yield emulator


def at_emulator(world: World, emulator: Emulator, dies_at: str = "") -> str:
    """Submit a batch with a worker that dies; answer the batch, for which another worker then stands ready."""
    world.clock.now = time.time()
    retry = RetryPolicy(floor=0.001, ceiling=0.002, max_retries=2)
    stack = f"stack-{time.time_ns()}"  # what another test left is another stack's
    world.services.settings = replace(world.services.settings, stack=stack)
    dying = Deadly(dies_at, emulator.api_key, emulator.url, retry=retry)
    world.services.account().client = OpenAIDialect(dying, ATTEMPT_LABEL)
    batch_id = world.drop(TWENTY, f"inbox/default/{dies_at}{time.time_ns()}.jsonl")
    plan(world.services, batch_id)
    if dies_at:
        with pytest.raises(Killed):
            submit(world.services, Step(batch_id, 0))
    world.services.account().client = OpenAIDialect(
        BatchClient(emulator.api_key, emulator.url, retry=retry), ATTEMPT_LABEL
    )
    return batch_id


def there(emulator: Emulator, batch_id: str) -> tuple[list[str], list[str]]:
    """Name the files and list the statuses of the provider batches that are there for a batch."""
    files = [each["filename"] for each in emulator.get("/files?purpose=batch")["data"]]
    batches = [each for each in emulator.get("/batches")["data"] if each["metadata"]["batchyard_batch"] == batch_id]
    return [each for each in files if batch_id in each], [each["status"] for each in batches]


def cancelled(emulator: Emulator, batch_id: str) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if set(there(emulator, batch_id)[1]) <= {"cancelled"}:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("call", ["create_file", "create_batch"])
def test_what_a_worker_made_as_it_died_is_gone_after_its_batch_has_ended(
    world: World, emulator: Emulator, call: str
) -> None:
    batch_id = at_emulator(world, emulator, call)
    assert any(there(emulator, batch_id))
    end_batch(world.services, batch_id, GIVEN_UP)
    sweep(world.services)
    assert cancelled(emulator, batch_id)
    sweep(world.services)
    assert there(emulator, batch_id)[0] == []
    world.clock.now += LATER
    assert sweep(world.services) == {"BatchesSettled": 1}


def test_an_upload_that_was_made_twice_leaves_one_and_the_batch_runs_on(world: World, emulator: Emulator) -> None:
    batch_id = at_emulator(world, emulator, "create_file")
    assert submit(world.services, Step(batch_id, 0)).next == "poll"
    assert len(there(emulator, batch_id)[0]) == 2
    assert sweep(world.services) == {}
    world.clock.now += LATER
    assert sweep(world.services) == {"ProviderFilesDeleted": 1}
    files, statuses = there(emulator, batch_id)
    assert (len(files), len(statuses), "cancelling" in statuses) == (1, 1, False)
    shard = world.services.batch_store.shard(batch_id, 0)
    assert shard is not None
    assert emulator.get(f"/files/{shard.file_id}")["filename"] == files[0]


def test_a_provider_batch_whose_worker_died_is_adopted_and_not_made_again(world: World, emulator: Emulator) -> None:
    batch_id = at_emulator(world, emulator, "create_batch")
    world.clock.now += LATER
    assert sweep(world.services) == {"ProviderBatchesAdopted": 1}
    assert submit(world.services, Step(batch_id, 0)).next == "poll"
    assert len(there(emulator, batch_id)[1]) == 1


def test_two_stacks_at_one_provider_leave_each_other_alone(world: World, emulator: Emulator) -> None:
    theirs = emulator.upload(TWENTY, "batch_00-00000-0001-1.stack-2.jsonl")
    metadata = {"batchyard_batch": "batch_00", "batchyard_attempt": "batch_00/0/1", "batchyard_stack": "stack-2"}
    running = emulator.create(theirs["id"], metadata=metadata)
    batch_id = at_emulator(world, emulator, "create_batch")
    end_batch(world.services, batch_id, GIVEN_UP)
    world.clock.now += LATER
    sweep(world.services)
    assert emulator.get(f"/batches/{running['id']}")["status"] in {"validating", "in_progress"}
    assert emulator.get(f"/files/{theirs['id']}")["filename"] == theirs["filename"]
    assert cancelled(emulator, batch_id)
