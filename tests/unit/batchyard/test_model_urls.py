"""Lines whose url names the model, from an upload or a request to the results in input order."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from batchyard.api.batches import create_batch
from batchyard.domain.errors import ApiError
from batchyard.planning.plan import plan
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world

NOVA, CLAUDE = "amazon.nova-lite-v1:0", "anthropic.claude-3-5-haiku-20241022-v1:0"
BODY = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
PROVIDERS: dict[str, Any] = {
    "openai": {"base_url": "https://api.openai.com/v1"},
    "gateway": {"base_url": "http://127.0.0.1:9/v1", "urls": ["/model/*/invoke", "/model/*/converse"]},
}


def line(custom_id: str, model: str = NOVA, operation: str = "converse", body: object = BODY) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": f"/model/{model}/{operation}", "body": body}


def world_of(providers: dict[str, Any] | None = None, **settings: Any) -> World:
    return memory_world(providers=json.dumps(providers or PROVIDERS), **settings)


def test_one_file_has_lines_of_all_kinds_each_shard_those_of_one_model_and_operation() -> None:
    world = world_of()
    lines = [
        line("a"), request("b"), line("c", quote(NOVA, safe="")), line("d", CLAUDE), line("e", operation="invoke"), line("f"),
    ]  # fmt: skip
    batch_id = world.drop(jsonl(lines))
    assert world.run(batch_id) == "done"
    shards = world.services.batch_store.shards(batch_id)
    assert sorted((each.provider, each.endpoint, each.model, each.lines) for each in shards) == [
        ("gateway", f"/model/{NOVA}/converse", NOVA, 3),
        ("gateway", f"/model/{NOVA}/invoke", NOVA, 1),
        ("gateway", f"/model/{CLAUDE}/converse", CLAUDE, 1),
        ("openai", "/v1/chat/completions", "m-1", 1),
    ]
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == list("abcdef")


def test_bad_lines_are_told_with_their_number_among_good_ones() -> None:
    world = world_of()
    lines = [
        line("a"),
        line("b", ""),
        line("c", operation="invoke-with-response-stream"),
        line("d", body={"stream": True}),
    ]
    batch_id = world.drop(jsonl([*lines, request("e", url="/model/*/invoke"), line("a")]), **{"on-invalid": "skip"})
    assert world.run(batch_id) == "done"
    told = {
        (each["custom_id"], each["error"]["code"], each["error"]["line"])
        for each in world.answered(batch_id, "errors.jsonl")
    }
    assert told == {
        ("b", "invalid_url", 2), ("c", "streaming_unsupported", 3), ("d", "streaming_unsupported", 4), ("e", "invalid_url", 5),
        ("a", "duplicate_custom_id", 6),
    }  # fmt: skip


@pytest.mark.parametrize("endpoint", ["/model/*/converse", f"/model/{quote(NOVA)}/converse"])
def test_a_request_names_one_model_or_any_and_keeps_what_it_named(endpoint: str) -> None:
    world = world_of()
    key = "files/default/in.jsonl"
    world.backing.put(key, jsonl([line("a"), line("b")]), {})
    asked = {"input_file_id": f"s3://{BUCKET}/{key}", "endpoint": endpoint, "completion_window": "24h"}
    made = create_batch(world.services, "default", asked)
    assert world.run(made["id"]) == "done"
    assert world.services.batch_store.batch(made["id"]).endpoint == endpoint
    world.backing.put(key, jsonl([line("a"), line("b", operation="invoke"), request("c")]), {})
    second = create_batch(world.services, "default", asked)
    plan(world.services, second["id"])
    errors = world.services.batch_store.batch(second["id"]).errors
    assert [(each.line, each.code, each.param) for each in errors] == [
        (2, "invalid_url", "url"),
        (3, "invalid_url", "url"),
    ]


def test_an_operation_that_there_is_not_is_refused_with_what_there_is() -> None:
    asked = {
        "input_file_id": f"s3://{BUCKET}/files/default/x",
        "endpoint": f"/model/{NOVA}/count",
        "completion_window": "24h",
    }
    with pytest.raises(ApiError, match="'/model/\\*/converse', '/model/\\*/invoke'"):
        create_batch(world_of().services, "default", asked)


def test_without_a_provider_for_them_the_lines_are_told() -> None:
    world = world_of({"openai": PROVIDERS["openai"]})
    batch_id = world.drop(jsonl([line("a")]))
    world.run(batch_id)
    errors = world.services.batch_store.batch(batch_id).errors
    assert [each.code for each in errors] == ["no_provider"]
    assert f"'{NOVA}' at /model/{NOVA}/converse" in errors[0].message
