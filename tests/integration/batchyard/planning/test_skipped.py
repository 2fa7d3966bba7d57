"""Lines that are skipped, of a file of the API: what only Submit needs, the permission to read such a file."""

from batchyard.api.batches import create_batch, retrieve_batch
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World


def told(world: World, batch_id: str) -> list[tuple[str | None, str, int]]:
    lines = world.answered(batch_id, "errors.jsonl")
    assert all(set(line) == {"id", "custom_id", "response", "error"} and line["response"] is None for line in lines)
    assert len({line["id"] for line in lines}) == len(lines)
    return [(line["custom_id"], line["error"]["code"], line["error"]["line"]) for line in lines]


def test_lines_for_another_endpoint_than_the_batch_s_are_skipped(world: World) -> None:
    data = jsonl([request("a"), request("b", url="/v1/embeddings", input="x"), request("c")])
    world.services.bucket.put("files/default/in.jsonl", data)
    wanted = {
        "input_file_id": f"s3://{BUCKET}/files/default/in.jsonl", "endpoint": "/v1/chat/completions",
        "completion_window": "24h", "on_invalid": "skip",
    }  # fmt: skip
    made = create_batch(world.services, "default", wanted)
    assert made["on_invalid"] == "skip"
    assert world.run(made["id"]) == "done"
    assert told(world, made["id"]) == [("b", "invalid_url", 2)]
    assert retrieve_batch(world.services, "default", made["id"])["request_counts"] == {
        "total": 3, "completed": 2, "failed": 1,
    }  # fmt: skip
