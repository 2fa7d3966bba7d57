"""What is wrong with an input is found before anything is sent, and said with line, member and remedy."""

import gzip
import json
from functools import partial

import boto3
import pytest

from batchyard.domain import statuses
from batchyard.planning import decompress, regroup
from batchyard.planning.plan import plan
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World

GOOD = jsonl([request("a")])


def line(**changes: object) -> bytes:
    members = {**request("b"), **changes}
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode() + b"\n"


CASES = [
    ("an empty file", b"", "empty_file", None),
    ("only blank lines", b"\n \r\n\n", "empty_file", None),
    ("not JSONL", b"PK\x03\x04 not json\n", "invalid_json_line", 1),
    ("a byte order mark", b"\xef\xbb\xbf" + GOOD, "invalid_json_line", 1),
    ("a truncated last line", GOOD + GOOD[:40], "invalid_json_line", 2),
    ("no custom_id", GOOD + line(custom_id=None), "missing_required_parameter", 2),
    ("no method", GOOD + line(method=None), "missing_required_parameter", 2),
    ("no url", GOOD + line(url=None), "missing_required_parameter", 2),
    ("no body", GOOD + line(body=None), "missing_required_parameter", 2),
    ("no model", GOOD + line(body={"messages": []}), "invalid_request", 2),
    ("a wrong method", GOOD + line(method="GET"), "invalid_value", 2),
    ("a custom_id used twice", GOOD + GOOD, "duplicate_custom_id", 2),
    ("an unknown endpoint", GOOD + line(url="/v1/files"), "invalid_url", 2),
    ("a stream", GOOD + line(body={"model": "m", "stream": True}), "streaming_unsupported", 2),
    ("a custom_id that is no string", GOOD + line(custom_id=7), "invalid_type", 2),
    ("bytes that are not UTF-8", GOOD + line(custom_id="é").replace(b"\\u00e9", b"\xe9"), "invalid_json_line", 2),
]


@pytest.mark.parametrize(("data", "code", "number"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_bad_input_is_refused_and_nothing_is_sent(world: World, data: bytes, code: str, number: int | None) -> None:
    batch_id = world.drop(data)
    assert world.run(batch_id) == "refused"
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.status, batch.errors_total) == (statuses.FAILED, 1)
    assert (batch.errors[0].code, batch.errors[0].line) == (code, number)
    assert world.provider.calls == []


def test_windows_line_ends_and_blank_lines_are_accepted(world: World) -> None:
    data = b"\r\n".join([b"", *jsonl([request("a"), request("b")]).splitlines(), b"", b""])
    batch_id = world.drop(data)
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == ["a", "b"]


def test_a_last_line_without_its_end_is_accepted(world: World) -> None:
    assert world.run(world.drop(GOOD.rstrip(b"\n"))) == "done"


def test_all_errors_are_counted_and_the_first_thousand_kept(world: World) -> None:
    batch_id = world.drop(b"nonsense\n" * 1_500)
    world.run(batch_id)
    batch = world.services.batch_store.batch(batch_id)
    assert (len(batch.errors), batch.errors_total) == (1_000, 1_500)
    assert batch.errors[-1].line == 1_000


def test_planning_twice_changes_nothing(world: World) -> None:
    batch_id = world.drop(GOOD)
    assert plan(world.services, batch_id) == plan(world.services, batch_id)


def test_a_batch_reads_the_version_it_was_made_from(world: World) -> None:
    batch_id = world.drop(GOOD)
    boto3.client("s3").put_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", Body=jsonl([request("replaced")]))
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == ["a"]


@pytest.mark.parametrize("members", [1, 3])
def test_a_gzip_input_is_unpacked_and_run(world: World, members: int) -> None:
    requests = [request(f"r{at}") for at in range(30)]
    size = len(requests) // members
    parts = [requests[at : at + size] for at in range(0, len(requests), size)]
    data = b"".join(gzip.compress(jsonl(part)) for part in parts)
    batch_id = world.drop(data, "inbox/default/in.jsonl.gz")
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [f"r{at}" for at in range(30)]


@pytest.mark.parametrize(
    "damaged",
    [gzip.compress(GOOD)[:-9], gzip.compress(GOOD)[:10] + b"nonsense", b"\x1f\x8b"],
    ids=["cut off", "not packed", "its first bytes alone"],
)
def test_a_damaged_gzip_input_is_refused(world: World, damaged: bytes) -> None:
    batch_id = world.drop(damaged)
    assert world.run(batch_id) == "refused"
    assert "damaged gzip" in world.services.batch_store.batch(batch_id).errors[0].message


def test_the_lines_of_a_gzip_input_are_numbered_as_in_the_text(world: World) -> None:
    batch_id = world.drop(gzip.compress(GOOD + b"\n" + GOOD))
    assert world.run(batch_id) == "refused"
    assert world.services.batch_store.batch(batch_id).errors[0].line == 3


def test_an_input_that_is_gone_refuses_the_batch(world: World) -> None:
    batch_id = world.drop(GOOD)
    version = world.services.batch_store.batch(batch_id).input.version_id or ""
    boto3.client("s3").delete_object(Bucket=BUCKET, Key="inbox/default/in.jsonl", VersionId=version)
    assert world.run(batch_id) == "refused"
    assert world.services.batch_store.batch(batch_id).errors[0].param == "file_id"


def test_a_line_of_megabytes_is_sent_and_one_of_fifty_is_refused_with_its_number(world: World) -> None:
    fits, over = (jsonl([request(name, pad="x" * size)]) for name, size in (("fits", 5_000_000), ("over", 50_000_000)))
    assert world.run(world.drop(GOOD + fits)) == "done"
    batch_id = world.drop(GOOD + fits + over + line(custom_id="c"))
    assert world.run(batch_id) == "refused"
    (error,) = world.services.batch_store.batch(batch_id).errors
    assert (error.code, error.line) == ("invalid_request", 3)
    assert "16,777,216 bytes" in error.message


def test_many_models_mixed_line_by_line_are_copied_once_and_answered_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regroup, "FEW_BYTES", 0)
    batch_id = world.drop(jsonl([request(f"r{at}", model=f"m{at % 12}") for at in range(240)]))
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [f"r{at}" for at in range(240)]
    assert len(world.provider.batches) == 12
    copies = boto3.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"work/{batch_id}/plan/regrouped-")
    assert copies["KeyCount"] == 1


def test_a_gzip_input_that_takes_several_invocations_is_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "UNPACKED_PIECE", 1_000)
    lines = jsonl([request(f"r{at}") for at in range(40)])
    batch_id = world.drop(gzip.compress(lines), "inbox/default/in.jsonl.gz")
    following, invocations = "plan", 0
    while following == "plan":
        left = partial(next, iter([900.0] * (2 + 2 * invocations)), 0.0)
        following = plan(world.services, batch_id, resume=invocations > 0, seconds_left=left).next
        invocations += 1
    assert invocations > 2
    assert world.run(batch_id) == "done"
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [f"r{at}" for at in range(40)]
