"""What follows when the provider fails a batch whole."""

import msgspec
import pytest

from batch_client import BatchError as ProviderBatchError
from batch_client import TokenLimitError
from batchyard.domain.step import Step
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import INPUT, planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def fail_once(services: MemoryServices, *errors: ProviderBatchError) -> Step:
    """Play one attempt that the provider fails, and answer what is next."""
    step = submit(services, FIRST)
    assert step.next == "poll"
    services.provider.end(list(services.provider.batches)[-1], "failed", errors=errors)
    step = poll(services, step)
    assert step.next == "collect"
    step = collect(services, step)
    services.wait(step.wait_seconds)
    return step


@pytest.mark.parametrize(
    "error",
    [
        ProviderBatchError("token_limit_exceeded", "Enqueued token limit reached"),
        ProviderBatchError("invalid_request", "no such file", "file_id"),
        ProviderBatchError("insufficient_quota", "pay first"),
    ],
    ids=lambda error: error.code,
)
def test_the_wait_grows_with_each_failure_in_a_row_and_never_ends_the_shard(error: ProviderBatchError) -> None:
    services = planned()
    steps = [fail_once(services, error) for _ in range(8)]
    assert {step.next for step in steps} == {"submit"}
    assert [step.wait_seconds for step in steps] == [30, 60, 120, 240, 480, 600, 600, 600]


def test_a_file_that_the_provider_never_sees_is_given_up_after_most_of_a_day() -> None:
    services = planned()
    started = services.now()
    unseen = ProviderBatchError("invalid_request", "no such file", "file_id")
    while fail_once(services, unseen).next != "done":
        assert services.now() - started < 24 * 3_600
    assert services.now() - started > 12 * 3_600
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert (reason.code, reason.param) == ("invalid_request", "file_id")


def test_of_an_endless_error_the_record_keeps_what_it_has_room_for() -> None:
    services = planned()
    endless = "x" * 1_000_000
    step = FIRST
    while step.next != "done":
        step = fail_once(services, ProviderBatchError(endless, endless, endless))
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert len(msgspec.json.encode(reason)) < 4_000


def test_room_for_tokens_is_waited_for_with_the_same_file() -> None:
    services = planned()
    for _ in range(3):
        fail_once(services, ProviderBatchError("token_limit_exceeded", "no room"))
    assert services.provider.calls.count("create_file") == 1
    assert services.provider.calls.count("create_batch") == 3


def test_lines_too_large_for_the_provider_s_queue_are_set_aside_and_hold_no_room() -> None:
    services = planned(max_enqueued_tokens="1")
    full = TokenLimitError("Limit: 1 enqueued tokens", status=429, code="token_limit_exceeded")
    services.provider.trouble["create_batch"] = [full] * 50
    step = FIRST
    while step.next == "submit":
        services.wait(step.wait_seconds)
        step = submit(services, step)
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (step.next, shard.failed, shard.codes) == ("done", 3, {"token_limit_exceeded": 3})
    (name,) = services.account().token_ledgers.names()
    assert list(services.account().token_ledgers.reservations(name)) == []
    assert services.account().token_ledgers.read(name).enqueued == 0


def test_a_file_the_provider_cannot_see_is_uploaded_again() -> None:
    services = planned()
    fail_once(services, ProviderBatchError("invalid_request", "no such file", "file_id"))
    submit(services, FIRST)
    assert services.provider.calls.count("create_file") == 2


def test_lines_the_provider_names_are_set_aside_and_the_rest_goes_out_again() -> None:
    services = planned()
    step = fail_once(services, ProviderBatchError("model_not_found", "no", "body.model", 2))
    assert (step.next, step.wait_seconds) == ("submit", 0)
    submit(services, FIRST)
    first, second, third = INPUT.splitlines(keepends=True)
    assert list(services.provider.files.values()) == [first + second + third, first + third]
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.failed, shard.unfinished, shard.codes) == (1, 2, {"model_not_found": 1})


@pytest.mark.parametrize(
    "errors", [(), (ProviderBatchError("mystery", "too long"),), (ProviderBatchError("x", "y", None, 99),)]
)
def test_a_failure_that_names_no_line_of_ours_is_tried_a_few_times_only(errors: tuple[ProviderBatchError, ...]) -> None:
    services = planned(max_attempts=3)
    assert [fail_once(services, *errors).next for _ in range(3)] == ["submit", "submit", "done"]
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert shard.done
    assert shard.reason is not None
    assert shard.reason.code == (errors[0].code if errors else "batch_failed")


def test_a_pause_quotes_the_error_that_decided_it() -> None:
    services = planned()
    fail_once(
        services,
        ProviderBatchError("whatever", "something else"),
        ProviderBatchError("insufficient_quota", "pay first"),
    )
    paused = services.batch_store.batch(BATCH_ID).paused or ""
    assert ("pay first" in paused, "something else" in paused) == (True, False)
