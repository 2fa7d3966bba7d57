"""A retry on S3 itself: the versions that it pins, the copies that it makes, and what it may read for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchyard.api.batches import retry_batch
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request

if TYPE_CHECKING:
    from tests.fakes.world import World

IDS = [f"r{at}" for at in range(6)]


def test_a_retry_of_an_upload_reads_its_version_and_takes_over_answers_from_a_copy(world: World) -> None:
    world.provider.endings = [answering(lambda each: bad(each, 400) if each in {"r1", "r4"} else good(each))]
    parent = world.drop(jsonl([request(each) for each in IDS]))
    assert world.run(parent) == "done"
    child = retry_batch(world.services, "default", parent, {})["id"]
    assert world.run(child) == "done"
    _, second = world.provider.batches.values()
    assert world.provider.custom_ids(second) == ["r1", "r4"]
    assert [line["custom_id"] for line in world.answered(child, "output.jsonl")] == IDS
