"""A provider that takes smaller files than was thought: the attempt is cut, the size remembered, and nothing is paid twice."""

import json

import pytest

from batch_client import BadRequestError, FileTooLargeError
from batch_client import BatchError as ProviderBatchError
from batchyard.domain.step import Next, Step
from batchyard.planning.plan import plan
from batchyard.shards import too_large
from batchyard.shards.collect import collect
from batchyard.shards.submit import submit
from batchyard.shards.too_large import REMEMBERED, TRIES
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import INPUT, dropped, planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
LINE = len(INPUT) // 3
TOO_LARGE = FileTooLargeError("413 Request Entity Too Large", status=413)


@pytest.fixture
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every file of more than one line count as a large one."""
    monkeypatch.setattr(too_large, "SMALL", 0)


def refused(times: int, call: str = "create_file") -> MemoryServices:
    services = planned()
    services.provider.trouble[call] = [TOO_LARGE] * times
    return services


def answer(services: MemoryServices) -> Step:
    """Have the latest provider batch answer every line that was sent."""
    made = list(services.provider.batches.values())[-1]
    sent = [json.loads(line)["custom_id"] for line in services.provider.files[made.input_file_id or ""].splitlines()]
    lines = [{"custom_id": each, "response": {"status_code": 200, "body": {}}, "error": None} for each in sent]
    services.provider.files[f"out-{made.id}"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    services.provider.end(made.id, "completed", output_file_id=f"out-{made.id}")
    return collect(services, FIRST.then(Next.COLLECT))


def test_a_gateway_that_refuses_small_files_for_a_while_costs_no_line_and_teaches_no_size() -> None:
    services = refused(TRIES - 1)
    waits = [submit(services, FIRST).wait_seconds for _ in range(TRIES - 1)]
    assert waits == sorted(waits)
    assert min(waits) >= 20
    assert submit(services, FIRST).next == "poll"
    assert [attempt.lines for attempt in services.batch_store.kept[BATCH_ID, 0].attempts] == [3]
    assert services.account().creations.most_bytes(services.now()) is None


def test_small_files_that_are_refused_again_and_again_are_cut_for_this_shard_alone() -> None:
    services = refused(TRIES)
    for _ in range(TRIES):
        assert submit(services, FIRST).next == "submit"
    assert submit(services, FIRST).next == "poll"
    assert [attempt.lines for attempt in services.batch_store.kept[BATCH_ID, 0].attempts] == [1]
    assert services.account().creations.most_bytes(services.now()) is None


def test_a_line_larger_than_the_learned_size_is_planned_and_has_a_shard_of_its_own() -> None:
    services = dropped()
    services.account().creations.learn_most_bytes(LINE // 2, services.now(), services.now() + REMEMBERED)
    assert plan(services, BATCH_ID).next == "run"
    assert services.batch_store.batch(BATCH_ID).shards == 3


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("call", ["create_file", "create_batch"])
def test_half_is_sent_at_once_and_the_rest_afterwards(call: str) -> None:
    services = refused(1, call)
    step = submit(services, FIRST)
    assert (step.next, step.wait_seconds) == ("submit", 0)
    assert submit(services, FIRST).next == "poll"
    assert answer(services).next == "submit"
    assert submit(services, FIRST).next == "poll"
    assert answer(services).next == "submit"
    assert submit(services, FIRST).next == "poll"
    assert answer(services).next == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.failed, [attempt.lines for attempt in shard.attempts]) == (3, 0, [1, 1, 1])
    assert shard.too_large_bytes == len(INPUT)
    assert services.batch_store.batch(BATCH_ID).paused is None
    (name,) = services.account().token_ledgers.names() or (None,)
    assert services.account().token_ledgers.read(name or "").enqueued == 0


def test_a_provider_batch_that_fails_for_the_size_of_its_file_is_cut() -> None:
    services = planned()
    submit(services, FIRST)
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError("file_too_large", "too large"),))
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    assert submit(services, FIRST).next == "poll"
    assert [attempt.lines for attempt in services.batch_store.kept[BATCH_ID, 0].attempts] == [3, 1]


def fail_for_lines(services: MemoryServices) -> Step:
    """Have the latest provider batch fail for the number of its lines."""
    latest = list(services.provider.batches)[-1]
    services.provider.end(latest, "failed", errors=(ProviderBatchError("too_many_tasks", "too many requests"),))
    return collect(services, FIRST.then(Next.COLLECT))


def test_a_provider_batch_that_fails_for_the_number_of_its_lines_is_cut_until_it_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(too_large, "SMALL", 0)
    services = planned(max_attempts=1)
    submit(services, FIRST)
    assert fail_for_lines(services).next == "submit"
    for _ in range(3):
        assert submit(services, FIRST).next == "poll"
        following = answer(services).next
    assert following == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.failed, [attempt.lines for attempt in shard.attempts]) == (3, 0, [3, 1, 1, 1])
    assert services.account().creations.most_bytes(services.now()) is None  # it is not the bytes that were too many
    assert [
        services.account().token_ledgers.read(each).enqueued for each in services.account().token_ledgers.names()
    ] == [0]


def test_a_create_that_is_refused_for_the_number_of_lines_is_cut_at_once() -> None:
    services = planned()
    error = BadRequestError("too many requests", status=400, code="too_many_tasks", param="input_file_id")
    services.provider.trouble["create_batch"] = [error]
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT)
    assert submit(services, FIRST).next == "poll"
    assert services.batch_store.kept[BATCH_ID, 0].attempts[-1].lines == 1


def test_one_line_that_is_too_many_alone_is_an_error_in_the_provider_s_words_and_the_rest_goes_out() -> None:
    services = planned()
    submit(services, FIRST)
    fail_for_lines(services)
    assert submit(services, FIRST).next == "poll"
    assert fail_for_lines(services).next == "submit"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.codes, shard.unfinished) == ({"too_many_tasks": 1}, 2)
    (errors,) = (data for key, data in services.bucket.stored.items() if key.endswith("errors.jsonl"))
    message = json.loads(errors)["error"]["message"]
    assert message == "Sent alone, this request is too many: the provider failed the batch pb-1: too many requests."


@pytest.mark.usefixtures("_large")
@pytest.mark.parametrize("times", [TRIES + 1, TRIES + 2])
def test_what_cannot_be_cut_is_an_error_that_names_the_setting(times: int) -> None:
    services = refused(times)  # three lines, then one line alone; then nothing is left, as all are as large
    step = FIRST
    while step.next == "submit":
        step = submit(services, FIRST)
    assert step.next == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.failed, shard.codes) == (3, {"file_too_large": 3})
    assert services.provider.calls.count("create_file") == TRIES + 1
    (errors,) = (data for key, data in services.bucket.stored.items() if key.endswith("errors.jsonl"))
    message = json.loads(errors.splitlines()[0])["error"]["message"]
    assert message == (
        f"This request was sent alone in a file of {LINE:,} bytes, which is too large for the provider: the upload "
        "of the input was answered 413: 413 Request Entity Too Large. Shorten the request: a smaller MaxBytesPerShard "
        "(200,000,000 now) parts requests from each other, and cuts none."
    )


@pytest.mark.usefixtures("_large")
def test_the_size_is_remembered_for_the_provider_and_for_the_next_plan() -> None:
    services = refused(1)
    submit(services, FIRST)
    store = services.account().creations
    assert store.most_bytes(services.now()) == len(INPUT) // 2
    assert store.most_bytes(services.now() + REMEMBERED) is None
    other = planned()
    other.account().creations.learn_most_bytes(2 * LINE, other.now(), other.now() + REMEMBERED)
    assert submit(other, FIRST).next == "poll"
    assert other.batch_store.kept[BATCH_ID, 0].attempts[0].lines == 2


def test_a_larger_size_does_not_replace_a_smaller_one_before_its_time() -> None:
    store, now = planned().account().creations, 1_000
    for size, kept in ((500, 500), (700, 500), (300, 300)):
        store.learn_most_bytes(size, now, now + 10)
        assert store.most_bytes(now) == kept
    store.learn_most_bytes(700, now + 10, now + 20)
    assert store.most_bytes(now + 10) == 700


def test_a_plan_keeps_to_the_size_that_the_provider_takes() -> None:
    services = dropped()
    services.account().creations.learn_most_bytes(LINE, services.now(), services.now() + REMEMBERED)
    assert plan(services, BATCH_ID).last_shard == 2
