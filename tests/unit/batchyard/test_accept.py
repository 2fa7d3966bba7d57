"""With `accept`, an answer that cannot be used is sent again, and is an error with the answer inside after its last try."""

import gzip
import json
from typing import Any

import pytest
from msgspec.structs import replace

from batchyard.api.batches import create_batch
from batchyard.domain.errors import ApiError, SettingsError
from tests.fakes.bucket import MemoryBucket
from tests.fakes.endings import answering
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world

ACCEPT = {"finish_reason": ["stop", "tool_calls"], "json": True, "not_empty": True}
ROWS = jsonl([request("a"), request("b"), request("c")])


@pytest.fixture
def world() -> World:
    return memory_world()


def body(text: str, reason: str = "stop") -> dict[str, Any]:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"choices": [{"finish_reason": reason, "message": {"content": text}}], "usage": usage}


def said(custom_id: str, text: str, reason: str = "stop") -> bytes:
    response = {"status_code": 200, "request_id": "req-1", "body": body(text, reason)}
    return json.dumps({"id": "b-1", "custom_id": custom_id, "response": response, "error": None}).encode() + b"\n"


def asked(world: World) -> list[list[str]]:
    return [world.provider.custom_ids(batch) for batch in world.provider.batches.values()]


def cut_off(custom_id: str) -> bytes:
    return said(custom_id, '{"a": ', "length") if custom_id == "b" else said(custom_id, "{}")


def test_an_answer_that_is_not_accepted_is_sent_again_and_the_others_are_not(world: World) -> None:
    world.provider.endings = [answering(cut_off), answering(lambda custom_id: said(custom_id, "[1]"))]
    batch_id = world.drop(ROWS, accept=json.dumps(ACCEPT))
    assert world.run(batch_id) == "done"
    assert asked(world) == [["a", "b", "c"], ["b"]]
    found = world.answered(batch_id, "output.jsonl")
    assert [(line["custom_id"], line["response"]["body"]) for line in found] == [
        ("a", body("{}")), ("b", body("[1]")), ("c", body("{}")),
    ]  # fmt: skip
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.counts.completed, batch.counts.failed, batch.error_file_id) == (3, 0, None)
    assert batch.usage is not None
    assert batch.usage.total_tokens == 20  # the try that was not accepted was paid, too


def test_an_answer_that_is_never_accepted_is_an_error_with_the_answer_inside(world: World) -> None:
    world.provider.endings = [answering(cut_off)] * 3
    batch_id = world.drop(ROWS, accept=json.dumps(ACCEPT))
    assert world.run(batch_id) == "done"
    assert asked(world) == [["a", "b", "c"], ["b"], ["b"]]
    assert [line["custom_id"] for line in world.answered(batch_id, "output.jsonl")] == ["a", "c"]
    (line,) = world.answered(batch_id, "errors.jsonl")
    assert line["response"]["body"] == body('{"a": ', "length")
    assert line["error"] == {
        "code": "answer_not_accepted", "message": "The answer is not accepted: finish_reason is length.",
    }  # fmt: skip
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["errors"]["by_code"] == {"answer_not_accepted": 1}


def test_with_no_line_accepted_every_line_has_the_reason_of_its_own(world: World) -> None:
    world.provider.endings = [answering(lambda custom_id: said(custom_id, "" if custom_id == "a" else "no"))] * 3
    batch_id = world.drop(ROWS, accept='{"json": true, "not_empty": true}')
    assert world.run(batch_id) == "done"
    assert asked(world) == [["a", "b", "c"]] * 3
    told = [line["error"]["message"].partition(":")[2][:24] for line in world.answered(batch_id, "errors.jsonl")]
    assert told == [" the answer is empty.", " the text is not valid J", " the text is not valid J"]


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
BROKEN = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "strin"}}}
WITH_SCHEMAS = jsonl(
    [request("a"), *(request(each, response_format=FORMAT) for each in "bcd"), request("e", response_format=BROKEN)]
)


def fitting(custom_id: str) -> bytes:
    return said(custom_id, {"b": '{"n": "1"}', "c": '{"n": 1}', "d": "no"}.get(custom_id, "[]"))


@pytest.mark.parametrize("data", [WITH_SCHEMAS, WITH_SCHEMAS.rstrip(b"\n"), gzip.compress(WITH_SCHEMAS)])
def test_each_answer_is_held_against_the_schema_of_its_own_request(world: World, data: bytes) -> None:
    world.provider.endings = [answering(fitting)] * 3
    batch_id = world.drop(data, accept='{"schema": true}')
    assert world.run(batch_id) == "done"
    assert asked(world) == [[*"abcde"], ["b", "d"], ["b", "d"]]
    assert [line["custom_id"] for line in world.answered(batch_id, "output.jsonl")] == ["a", "c", "e"]
    told = [line["error"]["message"] for line in world.answered(batch_id, "errors.jsonl")]
    assert told[0].startswith("The answer is not accepted: the text does not fit the schema at /n: ")
    assert told[1].startswith("The answer is not accepted: the text is not valid JSON: ")


def test_schemas_that_cannot_be_followed_are_told_once_for_all_lines(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    rows = jsonl([request(f"r{at}", response_format=BROKEN) for at in range(50)])
    world.provider.endings = [answering(lambda custom_id: said(custom_id, "{}"))]
    assert world.run(world.drop(rows, accept='{"schema": true}')) == "done"
    (told,) = [vars(each) for each in caplog.records if "cannot be followed" in each.getMessage()]
    assert list(told["answers"].values()) == [50]


def test_answers_stand_where_the_input_with_their_schemas_is_gone(world: World) -> None:
    bucket = world.services.bucket
    assert isinstance(bucket, MemoryBucket)

    def after_the_input(custom_id: str) -> bytes:
        bucket.stored.pop("inbox/default/in.jsonl", None)
        return said(custom_id, '{"n": "1"}')

    world.provider.endings = [answering(after_the_input)]
    batch_id = world.drop(WITH_SCHEMAS, accept='{"schema": true}')
    assert world.run(batch_id) == "done"
    assert [line["custom_id"] for line in world.answered(batch_id, "output.jsonl")] == [*"abcde"]


@pytest.mark.parametrize("metadata", [{}, {"accept": "{}"}, {"accept": '{"json": false}'}])
def test_without_accept_every_answer_with_success_counts(world: World, metadata: dict[str, str]) -> None:
    world.provider.endings = [answering(cut_off)]
    batch_id = world.drop(ROWS, **metadata)
    assert world.run(batch_id) == "done"
    assert asked(world) == [["a", "b", "c"]]
    assert world.result(batch_id, "output.jsonl") == b"".join(map(cut_off, "abc"))


def test_the_parameter_counts_where_the_batch_names_nothing(world: World) -> None:
    world.services.settings = replace(world.services.settings, accept='{"finish_reason": ["stop"]}')
    world.provider.endings = [answering(cut_off)] * 4
    batch_id = world.drop(ROWS)
    assert world.run(batch_id) == "done"
    assert len(world.answered(batch_id, "errors.jsonl")) == 1
    assert world.run(off := world.drop(ROWS, "inbox/default/2.jsonl", accept="{}")) == "done"
    assert len(world.answered(off, "output.jsonl")) == 3


@pytest.mark.parametrize("text", ["{", '{"jsn": true}', "[]"])
def test_a_parameter_that_cannot_be_followed_is_named(world: World, text: str) -> None:
    world.services.settings = replace(world.services.settings, accept=text)
    with pytest.raises(SettingsError, match="Accept cannot be followed"):
        world.drop(ROWS)


def test_a_call_names_it_and_gets_it_back_and_a_misspelt_member_is_refused(world: World) -> None:
    batch_id = world.drop(ROWS)
    uri = world.services.batch_store.batch(batch_id).input.uri
    wanted = {"input_file_id": uri, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    with pytest.raises(ApiError) as refused:
        create_batch(world.services, "default", {**wanted, "accept": {"finish_reasons": ["stop"]}})
    assert (refused.value.code, refused.value.param) == ("unknown_parameter", "accept.finish_reasons")
    assert create_batch(world.services, "default", {**wanted, "accept": ACCEPT})["accept"] == ACCEPT


@pytest.mark.parametrize("text", ["{", '{"finish_reasons": ["stop"]}', "json"])
def test_an_upload_that_asks_for_what_is_unknown_fails_and_names_it(world: World, text: str) -> None:
    batch = world.services.batch_store.batch(world.drop(ROWS, accept=text))
    assert batch.status == "failed"
    assert (batch.errors[0].param or "").startswith("accept")
