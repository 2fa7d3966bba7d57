"""The errors of a batch by their code, with lines to look at."""

from typing import Any

import pytest

from batchyard.api.batches import batch_errors
from batchyard.inspection.error_list import message_of
from tests.fakes.endings import answering
from tests.fakes.lines import bad, good, jsonl, request
from tests.fakes.world import World, memory_world

STATUSES = {f"r{at}": 400 for at in range(5)} | {"r7": 422}


@pytest.fixture
def world() -> World:
    return memory_world(max_attempts=1, max_requests_per_shard=6)


def mixed(custom_id: str) -> bytes:
    return (
        bad(custom_id, STATUSES[custom_id], f"code_{STATUSES[custom_id]}") if custom_id in STATUSES else good(custom_id)
    )


def asked(world: World, batch_id: str) -> dict[str, Any]:
    return batch_errors(world.services, "default", batch_id)


def shown(answer: dict[str, Any]) -> list[tuple[str, int, list[tuple[int | None, str | None]]]]:
    return [
        (row["code"], row["count"], [(each["line"], each["custom_id"]) for each in row["samples"]])
        for row in answer["data"]
    ]


def test_each_code_has_its_count_and_the_first_lines_that_met_it(world: World) -> None:
    world.provider.endings = [answering(mixed, "completed")] * 4
    batch_id = world.drop(b"\n" + jsonl([request(f"r{at}") for at in range(10)]))
    for expected in (world.run_until_submitted, world.run):
        expected(batch_id)
    rows = asked(world, batch_id)
    codes = {row["code"] for row in rows["data"]}
    assert rows["total"] == 6
    assert [count for _, count, _ in shown(rows)] == [5, 1]
    assert shown(rows)[0][2] == [(2, "r0"), (3, "r1"), (4, "r2")]  # the blank line counts
    assert shown(rows)[1][2] == [(9, "r7")]
    assert all(each["message"] for row in rows["data"] for each in row["samples"]), codes


def test_a_batch_without_errors_has_none(world: World) -> None:
    batch_id = world.drop(jsonl([request("r9")]))
    assert asked(world, batch_id) == {"object": "list", "data": [], "total": 0}
    assert world.run(batch_id) == "done"
    assert asked(world, batch_id)["data"] == []


def test_the_faults_of_a_refused_input_are_counted_with_their_lines(world: World) -> None:
    batch_id = world.drop(jsonl([request("r9")]) + b"?\n{\n" + jsonl([request("r9")]))
    assert world.run(batch_id) == "refused"
    rows = shown(asked(world, batch_id))
    assert rows[0] == ("invalid_json_line", 2, [(2, None), (3, None)])
    assert [row[0] for row in rows[1:]] in ([], ["duplicate_custom_id"])


def test_skipped_lines_are_among_the_samples(world: World) -> None:
    world.provider.endings = [answering(mixed, "completed")] * 4
    batch_id = world.drop(
        jsonl([request("r9")]) + b"?\n" + jsonl([request("r8"), request("r9")]), **{"on-invalid": "skip"}
    )
    assert world.run(batch_id) == "done"
    assert shown(asked(world, batch_id)) == [
        ("duplicate_custom_id", 1, [(4, "r9")]), ("invalid_json_line", 1, [(2, None)]),
    ]  # fmt: skip


def test_runs_that_were_removed_leave_the_counts(world: World) -> None:
    world.provider.endings = [answering(mixed, "completed")] * 4
    batch_id = world.drop(jsonl([request(f"r{at}") for at in range(10)]))
    assert world.run(batch_id) == "done"
    stored = world.services.bucket.stored  # type: ignore[attr-defined]  # a bucket of memory
    for key in [key for key in stored if "/attempt-" in key]:
        del stored[key]
    assert shown(asked(world, batch_id)) == [(row["code"], row["count"], []) for row in asked(world, batch_id)["data"]]
    assert asked(world, batch_id)["total"] == 6


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"response": {"body": {"error": {"message": "too long"}}}}', "too long"),
        (b'{"response": {"body": {"error": "too long"}}}', "too long"),
        (b'{"response": null, "error": {"message": "expired"}}', "expired"),
        (b'{"response": {"body": [1]}, "error": null}', ""),
        (b"[]", ""),
        (b"?", ""),
    ],
)
def test_the_words_of_an_error_stand_in_its_body_or_beside_it(line: bytes, message: str) -> None:
    assert message_of(line) == message
