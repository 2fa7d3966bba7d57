"""A batch from its upload to its results, over real objects and over counters that a transaction moves."""

import json

from batch_client import RequestCounts, Usage
from batchyard.domain.batch import shape
from batchyard.domain.step import Next, Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from tests.fakes.lines import jsonl, request
from tests.fakes.provider import replace
from tests.fakes.world import World


def test_lines_of_several_models_and_endpoints_are_answered_in_input_order(world: World) -> None:
    urls = ["/v1/chat/completions", "/v1/embeddings"]
    lines = [request(f"r{at}", model=f"m{at % 3}", url=urls[at % 2], input="x") for at in range(60)]
    batch_id = world.drop(jsonl(lines))
    assert world.run(batch_id) == "done"
    assert len(world.provider.batches) == 6
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [f"r{at}" for at in range(60)]
    assert world.result(batch_id, "errors.jsonl") == b""
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["outcomes_equal_lines"]
    assert report["usage"]["total_tokens"] == 300


def test_counts_and_tokens_of_the_batch_rise_while_its_shards_run_and_end_as_the_report_has_them(world: World) -> None:
    batch_id = world.drop(jsonl([request(f"r{at}", model=f"m{at % 2}") for at in range(6)]))
    assert plan(world.services, batch_id).next == "run"
    seen = []

    def look() -> None:
        shown = shape(world.services.batch_store.batch(batch_id))
        used = shown["usage"]["total_tokens"] if shown["usage"] else None
        seen.append((shown["request_counts"]["completed"], used))

    look()
    world.run_shard(Step(batch_id, 0))
    look()
    world.step(Step(batch_id, 1))
    counts, used = RequestCounts(total=3, completed=1, failed=0), Usage(input_tokens=3, output_tokens=2, total_tokens=5)
    world.provider.batches["pb-1"] = replace(world.provider.batches["pb-1"], request_counts=counts, usage=used)
    world.step(Step(batch_id, 1, Next.POLL))
    look()
    world.provider.batches["pb-1"] = replace(world.provider.batches["pb-1"], usage=None)
    world.run_shard(Step(batch_id, 1, Next.POLL))
    look()
    assert assemble(world.services, batch_id) == "done"
    look()
    assert seen == [(0, None), (3, 15), (4, 20), (6, 30), (6, 30)]
    assert (
        json.loads(world.result(batch_id, "report.json"))["usage"]
        == shape(world.services.batch_store.batch(batch_id))["usage"]
    )
