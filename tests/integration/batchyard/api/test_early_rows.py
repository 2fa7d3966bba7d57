"""Rows of a running batch on S3 itself: the runs of shards that have ended, and where those of a retry lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from batchyard.api.batches import batch_rows, cancel_batch, retry_batch
from batchyard.domain.step import Step
from batchyard.planning.plan import plan
from batchyard.recovery.sweep import sweep
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request

if TYPE_CHECKING:
    from tests.fakes.world import World

IDS = [f"r{at}" for at in range(6)]


def polled(world: World, batch_id: str) -> list[str]:
    found = batch_rows(world.services, "default", batch_id, None, None)
    return [json.loads(line)["custom_id"] for line in found.data.splitlines()]


def test_rows_are_read_from_the_runs_of_a_batch_and_of_its_retry(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400) if each == "r4" else good(each))]
    parent = world.drop(jsonl([request(each) for each in IDS]))
    plan(world.services, parent)
    assert polled(world, parent) == []
    world.run_shard(Step(parent, 0))
    assert polled(world, parent) == IDS
    world.run(parent)
    child = retry_batch(world.services, "default", parent, {})["id"]
    plan(world.services, child)
    assert polled(world, child) == IDS[:4]
    world.run(child)
    assert polled(world, child) == IDS


def test_lines_that_were_never_begun_have_rows_at_the_end(world: World) -> None:
    batch_id = world.drop(jsonl([request(each) for each in IDS]))
    plan(world.services, batch_id)
    cancel_batch(world.services, "default", batch_id)
    world.run(batch_id)
    sweep(world.services)
    assert polled(world, batch_id) == IDS
