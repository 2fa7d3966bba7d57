"""A batch from its drop to its result, door after door."""

import json

import msgspec

from batch_client import RequestCounts, Usage
from batchyard.domain.batch import shape
from batchyard.domain.step import MOST_TURNS, Next, Step
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request, unrun
from tests.fakes.provider import replace
from tests.fakes.world import World

MANY = [request(f"r{number}") for number in range(50)]


def ids(lines: list[dict[str, object]]) -> list[object]:
    return [line["custom_id"] for line in lines]


def test_every_line_is_answered_in_input_order(world: World) -> None:
    batch_id = world.drop(jsonl(MANY))
    assert world.run(batch_id) == "done"
    assert ids(world.answered(batch_id, "output.jsonl")) == [f"r{number}" for number in range(50)]
    assert world.result(batch_id, "errors.jsonl") == b""
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["outcomes_equal_lines"]
    assert report["usage"]["total_tokens"] == 250


def test_lines_of_several_models_and_endpoints_come_back_in_one_order(world: World) -> None:
    urls = ["/v1/chat/completions", "/v1/embeddings"]
    lines = [request(f"r{at}", model=f"m{at % 3}", url=urls[at % 2], input="x") for at in range(60)]
    batch_id = world.drop(jsonl(lines))
    assert world.run(batch_id) == "done"
    assert len(world.provider.batches) == 6
    assert ids(world.answered(batch_id, "output.jsonl")) == [f"r{at}" for at in range(60)]


def test_a_shard_goes_on_in_a_fresh_execution_where_the_history_of_one_would_be_full(world: World) -> None:
    batch_id = world.drop(jsonl(MANY))
    plan(world.services, batch_id)
    submitted = world.step(Step(batch_id, 0))
    assert world.step(msgspec.structs.replace(submitted, turns=MOST_TURNS)).next == "continue"
    assert not world.provider.batches["pb-0"].ended
    assert world.run(batch_id) == "done"
    assert ids(world.answered(batch_id, "output.jsonl")) == [f"r{number}" for number in range(50)]
    assert len(world.provider.batches) == 1


def test_unfinished_lines_alone_are_sent_again_and_refused_ones_kept(world: World) -> None:
    def first(custom_id: str) -> bytes | None:
        at = int(custom_id[1:])
        return [good(custom_id), bad(custom_id, 400), bad(custom_id, 500), unrun(custom_id), None][at % 5]

    world.provider.endings = [answering(first)]
    batch_id = world.drop(jsonl(MANY))
    assert world.run(batch_id) == "done"
    first_batch, second_batch = world.provider.batches.values()
    assert len(world.provider.custom_ids(first_batch)) == 50
    assert world.provider.custom_ids(second_batch) == [f"r{at}" for at in range(50) if at % 5 >= 2]
    assert ids(world.answered(batch_id, "errors.jsonl")) == [f"r{at}" for at in range(50) if at % 5 == 1]
    assert ids(world.answered(batch_id, "output.jsonl")) == [f"r{at}" for at in range(50) if at % 5 != 1]


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
