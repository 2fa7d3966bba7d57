"""Together's own upload, words and lines, from an upload in S3 to its results; judged by the emulator's books."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.shards.submit import submit
from tests.fakes.lines import jsonl, request
from tests.fakes.world import memory_world
from tests.integration.batchyard.spoken import call
from tests.integration.batchyard.test_with_emulator import IDS, connect, run
from tests.integration.local.emulator.running import Emulator, started

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIOS: dict[str, dict[str, Any]] = {
    "all is well": {},
    "a create lost after its effect": {"calls": [call("createBatch", connection="reset", after_effect=True)]},
    "an upload lost after its effect": {"calls": [call("createFile", connection="close", after_effect=True)]},
    "a create refused by a gateway": {"calls": [call("createBatch", status=429, html=True)]},
    "a line that fails once": {"lines": [{"custom_id": "r7", "times": 1, "do": {"status": 500}}]},
    "a cut download": {"calls": [call("downloadFile", "1-2", cut={"at": 0.5})]},
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05") as emulator:
        yield emulator


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_line_has_its_answer_in_order_and_is_paid_once(emulator: Emulator, name: str) -> None:
    world = memory_world(provider_profile="together", max_requests_per_shard=25)
    emulator.play(service="together", **SCENARIOS[name])
    before = connect(world, emulator, "together")
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    assert run(world, batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == IDS
    made = [each for each in emulator.admin("/ledger")["data"] if each["id"] not in before]
    paid = Counter(custom_id for each in made for custom_id in each["billed"])
    assert paid == Counter(IDS)


def test_a_create_that_was_lost_before_its_effect_waits_for_a_person(emulator: Emulator) -> None:
    world = memory_world(provider_profile="together")
    emulator.play(service="together", calls=[call("createBatch", connection="reset")])
    before = connect(world, emulator, "together")
    step = Step(world.drop(jsonl([request(each) for each in IDS])), 0)
    assert plan(world.services, step.batch_id).next == "run"
    for _ in range(20):
        step = submit(world.services, step)
        world.clock.now += step.wait_seconds
    made = [each["id"] for each in emulator.admin("/ledger?lines=false")["data"] if each["id"] not in before]
    assert (made, step.next) == ([], "submit")
    assert "Batchyard cannot tell" in (world.services.batch_store.batch(step.batch_id).paused or "")


def test_a_line_at_fault_is_an_error_that_says_why(emulator: Emulator) -> None:
    world = memory_world(provider_profile="together", max_attempts=2)
    emulator.play(service="together", lines=[{"custom_id": "r3", "do": {"status": 400, "message": "no such thing"}}])
    connect(world, emulator, "together")
    batch_id = world.drop(jsonl([request(each) for each in IDS[:9]]))
    assert run(world, batch_id) == "done"
    (failed,) = [json.loads(line) for line in world.result(batch_id, "errors.jsonl").splitlines()]
    assert (failed["custom_id"], failed["error"]["code"]) == ("r3", "batch_client_error")
    assert "no such thing" in failed["error"]["message"]
