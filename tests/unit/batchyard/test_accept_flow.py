"""`accept` from upload to report: each endpoint by its own shape, what rejected answers cost, and what they teach."""

import base64
import json
from array import array
from typing import Any

import pytest

from tests.fakes.endings import answering
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world

CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS = (
    f"/v1/{name}" for name in ("chat/completions", "completions", "responses", "embeddings")
)
STRICT = {"finish_reason": ["stop"], "json": True, "schema": True, "not_empty": True}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
PACKED = base64.b64encode(array("f", (0.5, float("nan"))).tobytes()).decode()


def chat(content: str | None, reason: str = "stop", refusal: str | None = None) -> dict[str, Any]:
    return {"choices": [{"finish_reason": reason, "message": {"content": content, "refusal": refusal}}]}


def completion(text: str, reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"finish_reason": reason, "text": text}]}


def response(text: str, status: str = "completed", kind: str = "output_text") -> dict[str, Any]:
    part = {"type": kind, "refusal" if kind == "refusal" else "text": text}
    return {"status": status, "output": [{"type": "reasoning"}, {"type": "message", "content": [part]}]}


def vectors(*each: object) -> dict[str, Any]:
    return {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(each)]}


def line(custom_id: str, body: dict[str, Any]) -> bytes:
    usage = {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50}
    told = {"status_code": 200, "request_id": "r", "body": {**body, "usage": usage}}
    return json.dumps({"id": "b-1", "custom_id": custom_id, "response": told, "error": None}).encode() + b"\n"


ASKED: dict[str, dict[str, Any]] = {
    CHAT: {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
    COMPLETIONS: {"prompt": "n"},
    RESPONSES: {"input": "n", "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
    EMBEDDINGS: {"input": "n", "dimensions": 2},
}
GOOD = {
    CHAT: chat('{"n": 1}'), COMPLETIONS: completion("{}"), RESPONSES: response('{"n": 1}'),
    EMBEDDINGS: vectors([0.5, 1.0]),
}  # fmt: skip
UNFIT: dict[str, list[dict[str, Any]]] = {
    CHAT: [chat('{"n": 1}', "length"), chat('{"n": 1}', "content_filter"), chat(None, refusal="no"), chat('{"n": "1"}'),
           chat("{"), chat(""), {}],
    COMPLETIONS: [completion("{}", "length"), completion("no"), completion(""), {}],
    RESPONSES: [response('{"n": 1}', "incomplete"), response("no", kind="refusal"), response('{"n": "1"}'),
                response("{"), response(""), {}],
    EMBEDDINGS: [vectors([0.5]), vectors([0.5, 1.0, 2.0]), vectors([0.5, None]), vectors([0.5, float("nan")]),
                 vectors(PACKED), vectors([]), vectors(), {}],
}  # fmt: skip
CASES = [(endpoint, at) for endpoint, bodies in UNFIT.items() for at in range(len(bodies))]


@pytest.fixture
def world() -> World:
    return memory_world(price_list='{"m-1": {"input": 10, "output": 100}}', max_attempts=2)


@pytest.mark.parametrize(("endpoint", "at"), CASES)
def test_an_answer_that_cannot_be_used_is_found_at_each_endpoint(world: World, endpoint: str, at: int) -> None:
    unfit = UNFIT[endpoint][at]
    rows = jsonl([request(each, url=endpoint, **ASKED[endpoint]) for each in "abc"])
    world.provider.endings = [answering(lambda each: line(each, GOOD[endpoint] if each == "a" else unfit)),
                              answering(lambda each: line(each, GOOD[endpoint] if each == "b" else unfit))]  # fmt: skip
    batch_id = world.drop(rows, accept=json.dumps(STRICT))
    assert world.run(batch_id) == "done"
    sent = [world.provider.custom_ids(batch) for batch in world.provider.batches.values()]
    assert sent == [["a", "b", "c"], ["b", "c"]]
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == ["a", "b"]
    (error,) = world.answered(batch_id, "errors.jsonl")
    assert (error["custom_id"], error["error"]["code"]) == ("c", "answer_not_accepted")
    kept = json.loads(json.dumps(unfit).replace("NaN", "null"))
    assert {name: error["response"]["body"][name] for name in kept} == kept
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["outcomes_equal_lines"]
    attempts = report["shards"][0]["attempts"]
    assert [(each["succeeded"], each["transient"], each["failed"], each["not_accepted"]) for each in attempts] == [
        (1, 2, 0, 2), (1, 0, 1, 1),
    ]  # fmt: skip


def test_answers_that_are_not_accepted_are_in_the_bill(world: World) -> None:
    world.provider.endings = [answering(lambda each: line(each, chat("", "length")))] * 2
    batch_id = world.drop(jsonl([request(each) for each in "abc"]), accept='{"not_empty": true}')
    world.run(batch_id)
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["errors"]["by_code"] == {"answer_not_accepted": 3}
    assert report["usage"]["total_tokens"] == 6 * 50
    assert report["cost"]["usd"] == pytest.approx(6 * (30 * 10 + 20 * 100) / 1_000_000)


def test_the_tokens_of_answers_that_are_not_accepted_tell_what_bytes_are_in_tokens() -> None:
    def learned(**metadata: str) -> int:
        world = memory_world(max_attempts=1)
        world.provider.endings = [answering(lambda each: line(each, chat("" if each == "r3" else "yes")))]
        batch_id = world.drop(jsonl([request(f"r{at}") for at in range(20)]), **metadata)
        world.run(batch_id)
        store = world.services.account().token_ledgers
        name = store.name_of("m-1")
        ratio: int = store.read(name).ratio
        return ratio

    assert learned(accept='{"not_empty": true}') == learned()
