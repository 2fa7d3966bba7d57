"""A batch from its drop to its result, door after door."""

import json

from tests.integration.batchyard.world import World, answering, bad, good, jsonl, request, unrun

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
