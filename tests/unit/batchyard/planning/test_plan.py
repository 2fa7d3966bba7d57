"""A plan finds every fault before anything is sent, and tells each with its line."""

import json
import tracemalloc
from typing import Any

import msgspec
import pytest

from batchyard.domain.batch import Counts
from batchyard.domain.errors import BatchyardError
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.domain.step import Step
from batchyard.lines.file_kinds import BOM
from batchyard.lines.shard_lines import ShardLines
from batchyard.planning import ascending_ids, duplicates
from batchyard.planning.plan import plan
from batchyard.planning.splitting import MOST_TARGETS
from batchyard.planning.summary import read_summary
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, batch
from tests.fakes.nested import DEPTHS, nested
from tests.fakes.planned import INPUT, KEY, dropped
from tests.fakes.seconds_left import SecondsLeft
from tests.fakes.services import MemoryServices


def request(custom_id: str, **members: object) -> bytes:
    line = {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": {"model": "m"}, **members}
    return json.dumps(line).encode() + b"\n"


def dropped_of(data: bytes, endpoint: str | None = None, **settings: str | int) -> MemoryServices:
    services = MemoryServices(**settings)
    services.bucket.put(KEY, data)
    services.batch_store.create_batch(batch(input=services.bucket.head(KEY)[0], endpoint=endpoint))
    return services


def planned_of(data: bytes, endpoint: str | None = None, **settings: str | int) -> tuple[MemoryServices, str]:
    services = dropped_of(data, endpoint, **settings)
    return services, plan(services, BATCH_ID).next


def faults(data: bytes, endpoint: str | None = None, **settings: str | int) -> list[tuple[int | None, str]]:
    """Plan an input that must be refused; answer line and code of each error."""
    services, following = planned_of(data, endpoint, **settings)
    made = services.batch_store.batch(BATCH_ID)
    assert (following, made.status, services.event_bus.announced) == ("refused", "failed", ["failed"])
    assert not [key for key in services.bucket.stored if key.endswith("/plan/shards.json")]
    assert services.provider.calls == []
    return [(error.line, error.code) for error in made.errors]


A, B = request("a"), request("b")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        pytest.param(b"", [(None, "empty_file")], id="empty"),
        pytest.param(b"\n \r\n\n", [(None, "empty_file")], id="only blank lines"),
        pytest.param(b"hello\nworld\n", [(1, "invalid_json_line"), (2, "invalid_json_line")], id="no JSONL"),
        pytest.param(BOM + A + B, [(1, "invalid_json_line")], id="byte order mark first"),
        pytest.param(A + BOM + B, [(2, "invalid_json_line")], id="byte order mark in the middle"),
        pytest.param(BOM, [(1, "invalid_json_line")], id="only a byte order mark"),
        pytest.param(A + B[:-10], [(2, "invalid_json_line")], id="truncated"),
        pytest.param(A + B + A, [(3, "duplicate_custom_id")], id="duplicate"),
        pytest.param(A + A + A, [(2, "duplicate_custom_id"), (3, "duplicate_custom_id")], id="twice a duplicate"),
        pytest.param(A + b"\n\r\n" + A, [(4, "duplicate_custom_id")], id="numbered as an editor does"),
        pytest.param(request("a", method="GET") + A, [(1, "invalid_value")], id="a refused line keeps no id"),
        pytest.param(request("a", url="/v1/x"), [(1, "invalid_url")], id="unknown endpoint"),
        pytest.param(A + b"\xff\n" + B, [(2, "invalid_json_line")], id="not UTF-8"),
        pytest.param(
            json.dumps([json.loads(A), json.loads(B)]).encode(),
            [(1, "invalid_json_line")],
            id="one array",
        ),
    ],
)
def test_every_fault_is_told_with_its_line_and_nothing_is_sent(
    data: bytes, found: list[tuple[int | None, str]]
) -> None:
    assert faults(data) == found


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("before", [b"", A, A + b"\n" + B])
def test_a_line_that_nests_too_deeply_is_told_with_its_number_wherever_it_stands(depth: int, before: bytes) -> None:
    deep = request("deep", body={"model": "m", "input": 0}).replace(b'"input": 0', b'"input":' + nested(depth - 2))
    number = before.count(b"\n") + 1
    data = before + deep + request("last")
    if depth > MOST_LEVELS:
        assert faults(data) == [(number, "invalid_json_line")]
    else:
        assert planned_of(data)[1] == "run"


def test_a_line_that_nests_too_deeply_is_skipped_where_bad_lines_are_and_keeps_its_name() -> None:
    deep = request("deep", body={"model": "m", "input": 0}).replace(b'"input": 0', b'"input":' + nested(10_000))
    services = dropped_of(A + deep + B)
    services.batch_store.change_batch(BATCH_ID, on_invalid="skip")
    assert plan(services, BATCH_ID).next == "run"
    assert read_summary(services, BATCH_ID).lines == 3
    (skipped,) = [data for key, data in services.bucket.stored.items() if key.endswith(".jsonl") and "skipped" in key]
    assert b'"custom_id":"deep"' in skipped
    assert b"nested too deeply" in skipped


@pytest.mark.parametrize("on_invalid", ["refuse", "skip"])
@pytest.mark.parametrize("data", [(A + B).decode().encode("utf-16"), b"PAR1" + bytes(range(256)) * 9])
def test_a_file_of_no_lines_is_refused_as_a_whole_in_one_sentence(data: bytes, on_invalid: str) -> None:
    services = dropped_of(data)
    services.batch_store.change_batch(BATCH_ID, on_invalid=on_invalid)
    assert plan(services, BATCH_ID).next == "refused"
    (error,) = services.batch_store.batch(BATCH_ID).errors
    assert (error.code, error.line) == ("invalid_json_line", 1)


def test_an_array_over_many_lines_is_told_once_and_skipped_line_by_line() -> None:
    data = json.dumps([json.loads(A), json.loads(B)], indent=1).encode()
    assert faults(data) == [(1, "invalid_json_line")]
    services = dropped_of(data + b"\n" + A)
    services.batch_store.change_batch(BATCH_ID, on_invalid="skip")
    assert plan(services, BATCH_ID).next == "run"


def test_lines_for_another_endpoint_than_the_batch_s_are_refused() -> None:
    assert faults(A + request("b", url="/v1/embeddings"), "/v1/responses") == [(2, "invalid_url")]


def test_a_line_that_fits_no_shard_is_refused_by_its_length() -> None:
    assert faults(A + request("b", pad="x" * 1_000), max_bytes_per_shard=500) == [(2, "invalid_request")]


def test_the_first_thousand_errors_are_shown_and_all_are_counted() -> None:
    services, _ = planned_of(b"?\n" * 1_500)
    made = services.batch_store.batch(BATCH_ID)
    assert (len(made.errors), made.errors_total) == (1_000, 1_500)
    assert [error.line for error in made.errors] == list(range(1, 1_001))


@pytest.mark.parametrize("data", [A + B, (A + B)[:-1], b"\n" + A + b"\r\n\n" + B, A.replace(b"\n", b"\r\n") + B])
def test_windows_line_ends_blank_lines_and_no_last_line_end_are_fine(data: bytes) -> None:
    services, following = planned_of(data)
    assert (following, services.batch_store.batch(BATCH_ID).counts.total) == ("run", 2)


def test_endpoint_and_model_of_the_batch_come_from_the_lines() -> None:
    services, _ = planned_of(A + B)
    made = services.batch_store.batch(BATCH_ID)
    assert (made.endpoint, made.model, made.shards, made.status) == ("/v1/responses", "m", 1, "in_progress")
    several, _ = planned_of(A + request("b", body={"model": "n"}))
    assert (several.batch_store.batch(BATCH_ID).model, several.batch_store.batch(BATCH_ID).shards) == (None, 2)


def test_a_plan_is_the_same_however_the_bytes_come() -> None:
    plans = []
    for chunk in (1, 7, 64, 65_536):
        services = dropped(max_requests_per_shard=2)
        services.bucket.chunk = chunk
        plan(services, BATCH_ID)
        plans.append({key: data for key, data in services.bucket.stored.items() if key != KEY})
    assert all(each == plans[0] for each in plans)
    assert [len(ShardLines.unpack(data)) for key, data in sorted(plans[0].items()) if "/shards/" in key] == [2, 1]


def test_a_planned_batch_is_not_read_again() -> None:
    services = dropped()
    first = plan(services, BATCH_ID)
    services.bucket.reads.clear()
    assert plan(services, BATCH_ID) == first
    assert services.bucket.reads == []
    assert read_summary(services, BATCH_ID).lines == 3


@pytest.mark.parametrize("data", [None, INPUT + b"\n"], ids=["deleted", "replaced"])
def test_an_input_that_is_gone_fails_the_batch_with_the_provider_s_code(data: bytes | None) -> None:
    services = dropped()
    del services.bucket.stored[KEY]
    if data is not None:
        services.bucket.put(KEY, data)
    assert plan(services, BATCH_ID).next == "refused"
    (error,) = services.batch_store.batch(BATCH_ID).errors
    assert (error.code, error.param, error.line) == ("invalid_request", "file_id", None)


def test_a_batch_cancelled_before_its_plan_still_goes_through_its_shards_to_end_as_cancelled() -> None:
    services = dropped()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    assert plan(services, BATCH_ID).next == "run"
    made = services.batch_store.batch(BATCH_ID)
    assert (made.status, made.counts.total, made.shards) == ("cancelling", 3, 1)


def test_a_refused_batch_has_a_report_that_says_why() -> None:
    services, following = planned_of(A + b"?\n")
    assert following == "refused"
    proof = json.loads(services.bucket.stored[f"results/default/{BATCH_ID}/report.json"])
    assert (proof["id"], proof["status"], proof["tenant"]) == (BATCH_ID, "failed", "default")
    assert [(error["line"], error["code"]) for error in proof["errors"]["data"]] == [(2, "invalid_json_line")]
    assert proof["input"]["key"] == KEY


def test_a_batch_that_is_planned_has_no_report_yet() -> None:
    services, following = planned_of(A)
    assert following == "run"
    assert not [key for key in services.bucket.stored if key.startswith("results/")]


def test_a_shard_keeps_to_the_limit_of_tokens_and_a_line_over_it_is_alone() -> None:
    small, large = request("a"), request("b", body={"model": "m", "input": "x" * 400})
    services, _ = planned_of(
        large + b"".join(request(f"r{at}") for at in range(10)), max_tokens_per_shard=2 * len(small) // 4 + 1
    )
    shards = [ShardLines.unpack(data) for key, data in sorted(services.bucket.stored.items()) if "/shards/" in key]
    assert [len(shard) for shard in shards] == [1, 2, 2, 2, 2, 2]


def test_more_models_than_a_batch_may_have_are_refused_at_the_first_line_that_is_one_too_many() -> None:
    models = b"".join(request(f"r{at}", body={"model": f"m{at}"}) for at in range(MOST_TARGETS))
    again = b"".join(request(f"s{at}", body={"model": f"m{at}"}) for at in range(MOST_TARGETS))
    services, following = planned_of(models + again)
    assert (following, services.batch_store.batch(BATCH_ID).shards) == ("run_distributed", MOST_TARGETS)
    assert faults(models + request("x", body={"model": "x"}) + again) == [(MOST_TARGETS + 1, "invalid_request")]


def invocations(services: MemoryServices, looks: int) -> int:
    """Plan in as many invocations as it takes, each with so many looks at its clock, and count them."""
    for number in range(1, 10_000):
        if plan(services, BATCH_ID, resume=number > 1, seconds_left=SecondsLeft(looks)).next != "plan":
            return number
    raise AssertionError("the plan did not end")


def test_a_duplicate_names_the_first_line_of_its_id_in_whatever_shard_that_is() -> None:
    ids = ["a", "b", "c", "b", "d", "a", "b"]
    services = dropped_of(b"".join(map(request, ids)), max_requests_per_shard=2)
    plan(services, BATCH_ID)
    told = [(error.line, error.message) for error in services.batch_store.batch(BATCH_ID).errors]
    assert told == [
        (line, f"The custom_id '{custom_id}' is used by line {first}. Each must be unique in the file.")
        for line, custom_id, first in ((4, "b", 2), (6, "a", 1), (7, "b", 2))
    ]


@pytest.mark.parametrize("repeated", [b"", request("r7")], ids=["all differ", "one twice"])
@pytest.mark.parametrize("looks", [3, 6, 1_000])
def test_a_search_for_duplicates_that_runs_out_of_time_goes_on_in_the_next_invocation(
    monkeypatch: pytest.MonkeyPatch, looks: int, repeated: bytes
) -> None:
    monkeypatch.setattr(ascending_ids, "MOST_SEQUENCES", 0)
    monkeypatch.setattr(duplicates, "HASHES_PER_BUCKET", 3)
    monkeypatch.setattr(duplicates, "MOST_HASHES", 5)
    services = dropped_of(b"".join(request(f"r{at}") for at in range(20)) + repeated, max_requests_per_shard=9)
    if looks == 3 and repeated:  # a part takes six looks then
        with pytest.raises(BatchyardError, match="came no further"):
            invocations(services, looks)
        return
    assert (invocations(services, looks) > 1) == (looks < 1_000)
    made = services.batch_store.batch(BATCH_ID)
    assert [(error.line, error.code) for error in made.errors] == ([(21, "duplicate_custom_id")] if repeated else [])
    assert made.counts.total == (0 if repeated else 20)


def test_what_the_state_machine_is_handed_stays_small_however_many_shards_there_are() -> None:
    services = dropped_of(b"".join(request(f"r{at}") for at in range(10_000)), max_requests_per_shard=1)
    answer = plan(services, BATCH_ID)
    assert len(msgspec.json.encode(answer)) < 1_000
    assert json.loads(services.bucket.get(answer.shards["key"])) == [{"shard": at} for at in range(10_000)]
    assert len(services.bucket.get(answer.shards["key"])) < 200_000


@pytest.mark.parametrize(
    ("shards", "settings", "following"),
    [
        (500, {}, "run"),
        (501, {}, "run_distributed"),
        (40, {"max_concurrent_shards": 1_000}, "run"),
        (41, {"max_concurrent_shards": 1_000}, "run_distributed"),
        (2, {"retry_ceiling_seconds": 59}, "run_distributed"),
    ],
)
def test_shards_are_run_inline_while_the_history_of_one_execution_holds_them(
    shards: int, settings: dict[str, Any], following: str
) -> None:
    data = b"".join(request(f"r{at}") for at in range(shards))
    services = dropped_of(data, max_requests_per_shard=1, **settings)
    planned = plan(services, BATCH_ID)
    assert (planned.next, planned.last_shard) == (following, shards - 1)
    assert plan(services, BATCH_ID) == planned  # a second execution of the batch goes on with the same


def test_a_shard_of_which_no_line_is_left_is_done_before_anything_is_sent() -> None:
    services = dropped_of(A + B + A + A + request("c"), max_requests_per_shard=2)
    services.batch_store.change_batch(BATCH_ID, on_invalid="skip")
    planned = plan(services, BATCH_ID)
    assert (planned.next, planned.last_shard) == ("run", 2)
    assert json.loads(services.bucket.get(planned.shards["key"])) == [{"shard": 0}, {"shard": 2}]
    assert submit(services, Step(BATCH_ID, 1)).next == "done"
    assert services.provider.calls == []
    shard = services.batch_store.kept[BATCH_ID, 1]
    assert (shard.lines, shard.unfinished, shard.attempts, shard.reason) == (0, 0, [], None)
    for number, ids in ((0, "ab"), (2, "c")):
        answers = [{"custom_id": each, "response": {"status_code": 200, "body": {}}} for each in ids]
        services.provider.files[f"out-{number}"] = b"\n".join(json.dumps(each).encode() for each in answers)
        step = submit(services, Step(BATCH_ID, number))
        services.provider.end(f"pb-{number // 2}", "completed", output_file_id=f"out-{number}")
        assert collect(services, step).next == "done"
    assert assemble(services, BATCH_ID) == "done"
    assert services.batch_store.batch(BATCH_ID).counts == Counts(5, 3, 2)


def test_a_line_of_fifty_megabytes_is_refused_with_its_number_and_never_held() -> None:
    large = request("b", body={"model": "m", "input": "x" * 5_000_000})
    services = dropped_of(A + large + request("c", body={"model": "m", "input": "x" * 50_000_000}) + request("d"))
    tracemalloc.start()
    plan(services, BATCH_ID)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (error,) = services.batch_store.batch(BATCH_ID).errors
    assert (error.code, error.line) == ("invalid_request", 3)
    assert "16,777,216" in error.message
    assert most < 45_000_000  # twice the longest line there may be, and a little
