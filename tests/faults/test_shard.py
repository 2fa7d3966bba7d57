"""What a provider can do to a shard, and what becomes of its lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from batch_client import (
    BadRequestError,
    NotFoundError,
)  # fmt: skip
from batch_client import (
    BatchError as ProviderBatchError,
)
from batchyard.shards.failed_calls import TRIES_OF_A_FILE
from tests.fakes.endings import answering, ended, failed
from tests.fakes.lines import bad, good, jsonl, request
from tests.fakes.world import memory_world
from tests.faults.checker import is_strict_json

if TYPE_CHECKING:
    from tests.fakes.world import World

TEN = [f"r{at}" for at in range(10)]


@pytest.fixture
def world() -> World:
    return memory_world()


def drop(world: World) -> str:
    return world.drop(jsonl([request(each) for each in TEN]))


def report(world: World, batch_id: str) -> Any:
    return json.loads(world.result(batch_id, "report.json"))


def outcomes(world: World, batch_id: str) -> dict[str, str]:
    """Map each custom_id to `ok` or to its error's code; every line must have exactly one outcome."""
    output, errors = world.answered(batch_id, "output.jsonl"), world.answered(batch_id, "errors.jsonl")
    assert sorted(each["custom_id"] for each in output + errors) == sorted(TEN)
    codes = {each["custom_id"]: (each["error"] or each["response"]["body"]["error"])["code"] for each in errors}
    return {**{each["custom_id"]: "ok" for each in output}, **codes}


def all_ok(world: World, batch_id: str) -> bool:
    return set(outcomes(world, batch_id).values()) == {"ok"}


def test_a_request_the_provider_will_not_take_is_an_error_line_and_the_batch_failed(world: World) -> None:
    batch_id = drop(world)
    world.provider.before = [BadRequestError("unknown", status=400, code="unknown_parameter")]
    assert world.run(batch_id) == "failed"
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.status, batch.errors[0].code) == ("failed", "unknown_parameter")
    assert set(outcomes(world, batch_id).values()) == {"unknown_parameter"}


def test_a_file_the_provider_forgot_is_uploaded_again(world: World) -> None:
    batch_id = drop(world)
    world.provider.before = [None, *[NotFoundError("no such file", status=404)] * TRIES_OF_A_FILE]
    assert world.run(batch_id) == "done"
    assert world.provider.calls.count("create_file") == 2


def test_a_batch_the_provider_always_fails_ends_failed_with_its_reason(world: World) -> None:
    batch_id = drop(world)
    world.provider.endings = [failed(ProviderBatchError(code="mystery", message="?"))] * 3
    assert world.run(batch_id) == "failed"
    assert set(outcomes(world, batch_id).values()) == {"mystery"}


def test_a_line_out_of_tries_keeps_its_last_true_error(world: World) -> None:
    world.provider.endings = [
        answering(lambda each: bad(each, 500, "server_error") if each == "r3" else good(each))
    ] * 3
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert outcomes(world, batch_id)["r3"] == "server_error"
    assert len(world.provider.batches) == 3


def test_a_line_that_fails_and_is_then_lost_keeps_its_last_true_error(world: World) -> None:
    world.provider.endings = [
        answering(lambda each: bad(each, 500, "server_error") if each == "r3" else good(each)),
        *[answering(lambda _: None)] * 3,
    ]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert outcomes(world, batch_id)["r3"] == "server_error"


def test_a_line_no_attempt_answers_is_an_error_in_the_end(world: World) -> None:
    world.provider.endings = [answering(lambda each: None if each == "r3" else good(each))] * 9
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert outcomes(world, batch_id)["r3"] == "no_answer"


@pytest.mark.parametrize("line", [
    b'{"custom_id": "r3", "response": {"status_code": 0, "body": {}}, "error": null}\n',
    b'{"custom_id": "r3", "response": null, "error": null}\n',
    b'{"custom_id": "r3"}\n',
    b'{"custom_id": "r3", "response": null, "error": {"code": "request_timeout", "message": "?"}}\n',
])  # fmt: skip
def test_a_line_without_a_true_answer_is_sent_again(world: World, line: bytes) -> None:
    world.provider.endings = [answering(lambda each: line if each == "r3" else good(each))]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert all_ok(world, batch_id)
    assert world.provider.custom_ids(list(world.provider.batches.values())[1]) == ["r3"]


def odd(custom_id: str, text: str) -> bytes:
    return text.replace("ID", custom_id).encode() + b"\n"


OK_BODY = '{"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}'
OK = '"response": {"status_code": 200, "request_id": "r", "body": ' + OK_BODY + "}"


@pytest.mark.parametrize("line", [
    '\ufeff{"custom_id": "ID", ' + OK + ', "error": null}',
    '{"custom_id": "ID", ' + OK + ', "error": {}}',
    '{"custom_id": "ID", ' + OK + ', "error": ""}',
    '{"custom_id": "ID", ' + OK + ', "error": false}',
    '{"custom_id": "ID", ' + OK + ', "error": {"code": "", "message": ""}}',
    '{"custom_id": "ID", ' + OK.replace("200", "200.0") + ', "error": null}',
    '{"custom_id": "ID", ' + OK.replace("200", '"200"') + "}",
    '{"custom_id": "ID", ' + OK.replace('"r"', '"a\tb"') + ', "error": null}',
    '{"custom_id": "ID", ' + OK.replace("2}", "1" * 60 + "}") + ', "error": null}',
    '{"custom_id": "ID", ' + OK.replace("2}", '"two"}') + ', "error": null}',
    '{"custom_id": "ID", ' + OK.replace(OK_BODY, '"just text"') + ', "error": null}',
    '{"custom_id": "ID", ' + OK.replace(OK_BODY, "[NaN]") + ', "error": null}',
])  # fmt: skip
def test_an_odd_answer_that_was_paid_is_an_answer(world: World, line: str) -> None:
    def ending(provider: Any, batch: Any) -> Any:
        return ended(provider, batch, "completed", [odd(each, line) for each in provider.custom_ids(batch)], [])

    world.provider.endings = [ending]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.counts.completed, batch.counts.failed, len(world.provider.batches)) == (10, 0, 1)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "[1E+400, 0.1e9999]", "1e-999", "9" * 500])
def test_a_number_beyond_what_readers_hold_stays_in_the_results_byte_for_byte(world: World, number: str) -> None:
    there = OK_BODY.replace("{", '{"x": ' + number + ", ", 1)
    good_line = '{"custom_id": "ID", ' + OK.replace(OK_BODY, there) + ', "error": null}'
    bad_line = good_line.replace("200", "400")

    def ending(provider: Any, batch: Any) -> Any:
        ids = provider.custom_ids(batch)
        return ended(
            provider, batch, "completed", [odd(each, good_line) for each in ids[:7]], [odd(each, bad_line) for each in ids[7:]],
        )  # fmt: skip

    world.provider.endings = [ending]
    batch_id = drop(world)
    assert world.run(batch_id) == "done"
    assert world.result(batch_id, "output.jsonl") == b"".join(odd(each, good_line) for each in TEN[:7])
    assert world.result(batch_id, "errors.jsonl") == b"".join(odd(each, bad_line) for each in TEN[7:])
    told = report(world, batch_id)
    assert (told["answers"]["mended"], told["usage"]["total_tokens"]) == (0, 14)
    assert told["outcomes_equal_lines"]
    assert is_strict_json(world.result(batch_id, "report.json").decode())


def test_a_provider_that_names_a_few_bad_lines_at_a_time_is_not_asked_for_ever(world: World) -> None:
    refused = ProviderBatchError(code="model_not_found", param="body.model", line=1, message="unknown model")
    batch_id = world.drop(jsonl([request(f"r{at}") for at in range(40)]))
    world.provider.endings = [failed(refused)] * 40
    assert world.run(batch_id) == "failed"
    assert len(world.provider.batches) <= 10
    assert report(world, batch_id)["errors"]["by_code"] == {"model_not_found": 40}
