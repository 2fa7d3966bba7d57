"""Answers that the provider counts and does not show are waited for, but not for ever."""

import json
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from batch_client import BatchError as ProviderBatchError
from batch_client import DownloadIncomplete, PermissionDeniedError, RequestCounts
from batchyard.domain.attempt import Attempt
from batchyard.domain.errors import TooSlow
from batchyard.domain.step import TIME_TO_END, Next, Step
from batchyard.domain.stopping import CANCELLED
from batchyard.results.assemble import assemble
from batchyard.shards.collect import PATIENCE_FOR_ALL, PATIENCE_FOR_CONTENT, PATIENCE_FOR_SOME, collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def ended(*shown: str) -> MemoryServices:
    """Make services whose provider counts three answers and shows these."""
    services = planned()
    assert submit(services, FIRST).next == "poll"
    lines = [{"custom_id": each, "response": {"status_code": 200, "body": {}}} for each in shown]
    services.provider.files["out"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    services.provider.end("pb-0", "completed", output_file_id="out", request_counts=RequestCounts(3, 3, 0))
    return services


@pytest.mark.parametrize(("shown", "patience"), [((), PATIENCE_FOR_ALL), (("r1",), PATIENCE_FOR_SOME)])
def test_it_looks_so_often_and_then_takes_what_there_is(shown: tuple[str, ...], patience: int) -> None:
    services = ended(*shown)
    steps = [collect(services, FIRST.then(Next.COLLECT)) for _ in range(patience + 1)]
    assert [step.next for step in steps] == ["collect"] * patience + ["submit"]
    assert steps[0].wait_seconds >= services.settings.retry_floor_seconds
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.unfinished) == (len(shown), 3 - len(shown))


def test_a_result_is_read_with_the_names_of_the_lines_that_were_sent_in_their_order() -> None:
    services, asked = ended("r2", "r0", "r1"), list[tuple[str, str, list[str], str, list[str]]]()
    read = services.provider.read

    def noted(name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:
        asked.append((name, key, list(ids), ids[len(ids) - 1], list(ids[1:])))
        return read(name, ids, key)

    services.provider.read = noted  # type: ignore[method-assign]
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert asked == [("out", f"{BATCH_ID}/0/1", ["r0", "r1", "r2"], "r2", ["r1", "r2"])]


def test_a_batch_tells_that_it_waits_for_answers_and_that_it_no_longer_does() -> None:
    services = ended("r0")
    collect(services, FIRST.then(Next.COLLECT))
    assert "2 answers are not in the provider's results" in (services.batch_store.batch(BATCH_ID).paused or "")
    services.provider.files["out"] += services.provider.files["out"].replace(b"r0", b"r1") + services.provider.files[
        "out"
    ].replace(b"r0", b"r2")
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert services.batch_store.batch(BATCH_ID).paused is None


def test_of_one_answer_a_batch_does_not_speak_as_of_many() -> None:
    services = ended("r0", "r1")
    collect(services, FIRST.then(Next.COLLECT))
    assert (services.batch_store.batch(BATCH_ID).paused or "").startswith(
        "1 answer is not in the provider's results yet: "
    )


@pytest.mark.parametrize("looks", [0, 1], ids=["while they come", "while they are stored"])
def test_answers_that_take_too_long_say_so_and_are_taken_whole_by_a_quicker_run(looks: int) -> None:
    services = ended("r0", "r1", "r2")
    before, stored = services.batch_store.kept[BATCH_ID, 0], set(services.bucket.stored)
    left = iter([TIME_TO_END + 1.0] * looks)
    with pytest.raises(TooSlow, match=r"bytes of answers came.* Lower MaxRequestsPerShard"):
        collect(services, FIRST.then(Next.COLLECT), lambda: next(left, TIME_TO_END - 1.0))
    assert set(services.bucket.stored) == stored
    assert msgspec.structs.replace(services.batch_store.kept[BATCH_ID, 0], version=before.version) == before
    assert collect(services, FIRST.then(Next.COLLECT), lambda: TIME_TO_END).next == "done"
    assert services.batch_store.kept[BATCH_ID, 0].completed == 3


@pytest.mark.parametrize(
    "error", [ProviderBatchError("insufficient_quota", "pay first"), ProviderBatchError("whatever", "it broke")]
)
def test_what_a_batch_finished_before_it_failed_is_kept_and_only_the_rest_goes_out_again(
    error: ProviderBatchError,
) -> None:
    services = ended("r0", "r2")
    services.provider.end(
        "pb-0", "failed", output_file_id="out", request_counts=RequestCounts(3, 2, 0), errors=(error,)
    )
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.unfinished, shard.stalls, shard.paused) == (2, 1, 0, None)
    submit(services, FIRST)
    assert [json.loads(line)["custom_id"] for line in list(services.provider.files.values())[-1].splitlines()] == ["r1"]


def test_a_failed_batch_whose_files_answer_nothing_is_judged_by_its_errors() -> None:
    services = ended()
    faulty = ProviderBatchError("invalid_json_line", "no JSON", None, 2)
    services.provider.end(
        "pb-0", "failed", output_file_id=None, error_file_id="out", request_counts=None, errors=(faulty,)
    )
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.failed, shard.unfinished, shard.codes) == (1, 2, {"invalid_json_line": 1})


@pytest.mark.parametrize("counts", [None, RequestCounts(0, 0, 0)])
def test_a_completed_batch_without_counts_may_still_have_answers_to_come(counts: RequestCounts | None) -> None:
    services = ended()
    services.provider.files["out"] = b"<html>Try again later.</html>"
    services.provider.end("pb-0", "completed", output_file_id="out", error_file_id=None, request_counts=counts)
    following = collect(services, FIRST.then(Next.COLLECT))
    assert (following.next, following.wait_seconds > 0) == ("collect", True)
    assert len(services.batch_store.kept[BATCH_ID, 0].attempts) == 1


def cut(services: MemoryServices) -> None:
    """Let the file end in the middle of its second answer, each time it is read."""
    whole = services.provider.files["out"]
    services.provider.files["out"] = whole[: len(whole) // 2]
    services.provider.cut["out"] = DownloadIncomplete("it ends short")


def play_to_the_end(services: MemoryServices) -> int:
    """Read again and again, and answer the seconds until something else is next."""
    started, step = services.now(), FIRST.then(Next.COLLECT)
    while step.next == "collect":
        services.wait(step.wait_seconds)
        step = collect(services, step)
    return services.now() - started


def test_of_a_file_that_never_comes_whole_what_came_is_kept_after_a_day_and_the_rest_is_sent_again() -> None:
    services = ended("r0", "r1", "r2")
    cut(services)
    assert 20 * 3_600 < play_to_the_end(services) < 30 * 3_600
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.done, shard.completed, shard.unfinished) == (False, 1, 2)


def test_of_a_file_that_never_comes_whole_a_cancelled_batch_keeps_what_came_and_ends_after_an_hour() -> None:
    services = ended("r0", "r1", "r2")
    cut(services)
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    assert play_to_the_end(services) < 2 * 3_600
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.done, shard.completed, shard.unfinished) == (True, 1, 2)


def test_a_key_that_is_refused_never_costs_answers() -> None:
    services = ended("r0", "r1", "r2")
    services.provider.cut["out"] = PermissionDeniedError("no", status=403)
    assert {collect(services, FIRST.then(Next.COLLECT)).next for _ in range(2 * PATIENCE_FOR_CONTENT)} == {"collect"}
    del services.provider.cut["out"]
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert services.batch_store.kept[BATCH_ID, 0].completed == 3


def test_patience_begins_anew_with_each_attempt() -> None:
    services = ended("r1")
    for _ in range(PATIENCE_FOR_SOME + 1):
        collect(services, FIRST.then(Next.COLLECT))
    submit(services, FIRST)
    services.provider.end("pb-1", "completed", output_file_id="out", request_counts=RequestCounts(2, 2, 0))
    assert collect(services, FIRST.then(Next.COLLECT)).next == "collect"


def test_a_file_that_the_provider_names_is_waited_for_longer_than_single_answers() -> None:
    services = ended("r0")
    refused = b'{"custom_id":"r1","response":{"status_code":400,"body":{}}}\n'
    services.provider.end(
        "pb-0", "completed", output_file_id="out", error_file_id="err", request_counts=RequestCounts(3, 1, 1)
    )
    for _ in range(PATIENCE_FOR_ALL):
        assert collect(services, FIRST.then(Next.COLLECT)).next == "collect"
    services.provider.files["err"] = refused
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.failed, shard.unfinished) == (1, 1, 1)


def attempt_of(services: MemoryServices) -> Attempt:
    return services.batch_store.kept[BATCH_ID, 0].attempts[0]


@pytest.mark.parametrize(("counted", "lost"), [(0, 0), (1, 0), (2, 1), (3, 2), (10**6, 2)])
def test_what_a_cancelled_batch_once_counted_as_done_and_never_gave_is_counted(counted: int, lost: int) -> None:
    services = ended("r0")
    services.provider.end("pb-0", "in_progress", output_file_id=None, request_counts=RequestCounts(3, counted, 0))
    assert poll(services, FIRST.then(Next.POLL)).next == "poll"
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.provider.end("pb-0", "cancelled", output_file_id="out", request_counts=RequestCounts(3, 1, 0))
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (attempt_of(services).never_came, attempt_of(services).succeeded) == (lost, 1)
    assert (shard.completed, shard.unfinished, shard.reason) == (1, 2, CANCELLED)
    assert services.batch_store.batch(BATCH_ID).counts.completed == 1
    assert assemble(services, BATCH_ID) == "done"
    report = json.loads(services.bucket.get(f"results/default/{BATCH_ID}/report.json"))
    assert report["answers"]["never_came"] == lost
    errors = services.bucket.get(f"results/default/{BATCH_ID}/errors.jsonl").splitlines()
    assert [json.loads(line)["error"]["code"] for line in errors] == ["batch_cancelled"] * 2


def test_what_was_counted_and_has_a_row_that_it_did_not_run_never_came_either() -> None:
    services = ended("r0")
    services.provider.files["out"] += b"".join(
        b'{"custom_id":"%s","response":null,"error":{"code":"batch_cancelled"}}\n' % each for each in (b"r1", b"r2")
    )
    services.provider.end("pb-0", "cancelled", output_file_id="out", request_counts=RequestCounts(3, 2, 0))
    collect(services, FIRST.then(Next.COLLECT))
    assert attempt_of(services).never_came == 1


def test_a_failed_batch_that_counted_answers_and_gives_none_says_so_too() -> None:
    services = ended()
    services.provider.end(
        "pb-0", "failed", output_file_id=None, request_counts=RequestCounts(3, 2, 0),
        errors=(ProviderBatchError("whatever", "it broke"),),
    )  # fmt: skip
    for _ in range(PATIENCE_FOR_ALL + 1):
        following = collect(services, FIRST.then(Next.COLLECT))
    assert (following.next, attempt_of(services).never_came) == ("submit", 2)


def test_answers_of_status_0_that_the_provider_counts_as_completed_are_awaited_by_nobody_and_sent_again() -> None:
    services = ended("r0")
    services.provider.files["out"] += b'{"custom_id":"r1","response":{"status_code":0,"body":{}},"error":null}\n'
    services.provider.end("pb-0", "expired", output_file_id="out", request_counts=RequestCounts(3, 2, 0))
    assert poll(services, FIRST.then(Next.POLL)).next == "collect"
    assert services.batch_store.batch(BATCH_ID).counts.completed == 2  # as the provider says, until the files are there
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    assert services.batch_store.batch(BATCH_ID).counts.completed == 1
    shard, attempt = services.batch_store.kept[BATCH_ID, 0], attempt_of(services)
    assert (shard.completed, shard.unfinished) == (1, 2)
    assert (attempt.succeeded, attempt.transient, attempt.never_came) == (1, 1, 0)


def test_what_a_lost_attempt_counted_is_not_shown_once_the_next_one_begins() -> None:
    services = planned()
    submit(services, FIRST)
    services.provider.end("pb-0", "in_progress", request_counts=RequestCounts(3, 2, 0))
    poll(services, FIRST.then(Next.POLL))
    assert services.batch_store.batch(BATCH_ID).counts.completed == 2
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError("whatever", "it broke"),), request_counts=None)
    collect(services, FIRST.then(Next.COLLECT))
    submit(services, FIRST)
    assert services.batch_store.batch(BATCH_ID).counts.completed == 0


def test_answers_that_were_mended_or_empty_are_counted() -> None:
    services = ended("r0", "r1", "r2")
    whole = services.provider.files["out"].splitlines()
    services.provider.files["out"] = b"\n".join([whole[0].replace(b"{}", b'{"x":"\xff"}'), *whole[1:]])
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert (attempt_of(services).mended, attempt_of(services).empty) == (1, 2)
    assert assemble(services, BATCH_ID) == "done"
    report = json.loads(services.bucket.get(f"results/default/{BATCH_ID}/report.json"))
    assert report["answers"] == {"strays": 0, "mended": 1, "empty": 2, "unmetered": 3, "never_came": 0}
    for line in services.bucket.get(f"results/default/{BATCH_ID}/output.jsonl").splitlines():
        json.loads(line.decode())


@pytest.mark.parametrize("digits", [16, 400, 4_000])
def test_a_token_limit_without_end_is_none_and_the_shard_goes_on(digits: int) -> None:
    services = ended()
    errors = (ProviderBatchError("token_limit_exceeded", f"Limit: {'9' * digits} enqueued tokens."),)
    services.provider.end("pb-0", "failed", output_file_id=None, request_counts=None, errors=errors)
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    assert "no room" in (services.batch_store.batch(BATCH_ID).paused or "")


def test_numbers_without_end_in_an_answer_cost_nobody_an_answer() -> None:
    services = ended("r0", "r1", "r2")
    numbers = iter([b"9" * 5_000, b"1e400", b"-" + b"9" * 400])
    lines = [line.replace(b'"body": {}', b'"body": {"usage":{"prompt_tokens":%s}}' % next(numbers))
             for line in services.provider.files["out"].splitlines()]  # fmt: skip
    services.provider.files["out"] = b"\n".join(lines)
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.usage.total_tokens) == (3, 0)
