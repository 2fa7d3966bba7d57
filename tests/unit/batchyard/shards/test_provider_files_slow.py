"""A file that the provider has not processed yet is waited for, and one that it cannot process is uploaded again."""

import pytest

from batch_client import APIConnectionError, BadRequestError, BatchClientError, NotFoundError, ServerError
from batchyard.domain.step import Next, Step
from batchyard.shards.provider_files import PROCESSED_WITHIN
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def submit_once(services: MemoryServices) -> None:
    step = submit(services, FIRST)
    assert step.next == "submit"
    services.wait(step.wait_seconds)


def submit_until(services: MemoryServices, following: str = "poll", most: int = 1_000) -> list[int]:
    """Submit as often as the steps say, and return their waits."""
    waits: list[int] = []
    while (step := submit(services, FIRST)).next != following:
        assert step.next == "submit"
        waits.append(step.wait_seconds)
        services.wait(step.wait_seconds)
        assert len(waits) < most
    return waits


@pytest.mark.parametrize("status", ["", "processed", "uploaded", "a_status_of_tomorrow"])
def test_a_file_that_is_ready_or_says_nothing_of_it_is_used_at_once(status: str) -> None:
    services = planned()
    services.provider.file_statuses = [status]
    assert submit(services, FIRST).next == "poll"
    assert services.provider.calls == ["create_file", "create_batch"]


def test_a_file_that_is_not_ready_is_looked_at_with_growing_waits_and_no_batch_is_made_of_it_before() -> None:
    services = planned()
    services.provider.file_statuses = ["pending"] * 12
    waits = submit_until(services)
    assert waits == sorted(waits)
    assert (waits[0], waits[-1], len(waits)) == (2, 60, 12)
    assert services.provider.calls == ["create_file", *["retrieve_file"] * 12, "create_batch"]
    assert services.batch_store.kept[BATCH_ID, 0].failures_in_a_row == 0


def test_a_file_that_needs_longer_than_a_minute_is_told() -> None:
    services = planned()
    services.provider.file_statuses = ["pending"] * 12
    while services.provider.file_statuses:
        submit_once(services)
    paused = services.batch_store.batch(BATCH_ID).paused or ""
    assert "file-0 since 20" in paused
    assert "The provider processes the uploaded file" in paused
    submit_until(services)
    assert services.batch_store.batch(BATCH_ID).paused is None


@pytest.mark.parametrize("times", [1, 3])
def test_a_file_with_an_error_is_told_and_uploaded_again(times: int) -> None:
    services = planned()
    services.provider.file_statuses = ["pending", *["error"] * times]
    submit(services, FIRST)
    assert submit(services, FIRST).wait_seconds == 30
    assert "cannot use the uploaded file file-0: what it says." in (services.batch_store.batch(BATCH_ID).paused or "")
    assert submit_until(services)[:3] == [60, 120][: times - 1]
    assert services.provider.calls.count("create_file") == times + 1
    assert services.provider.calls.count("create_batch") == 1
    names = {file.filename for file in services.provider.uploads.values()}
    assert len(names) == times + 1, "where the name is the id, a late deletion of one upload must not hit the next"


def test_files_that_only_have_errors_end_the_shard_with_the_provider_s_words() -> None:
    services = planned()
    services.provider.file_statuses = ["error"] * 1_000
    submit_until(services, "done")
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert "The provider cannot use the uploaded file file-" in reason.message
    assert "what it says" in reason.message
    assert services.provider.batches == {}


def test_a_file_that_is_not_processed_for_hours_is_uploaded_again() -> None:
    services = planned()
    services.provider.file_statuses = ["pending"] * 100_000
    started = services.now()
    while services.provider.calls.count("create_file") < 2:
        submit_once(services)
    assert PROCESSED_WITHIN <= services.now() - started <= 2 * PROCESSED_WITHIN
    services.provider.file_statuses = ["processed"]
    submit_until(services)


@pytest.mark.parametrize(
    "error", [NotFoundError("no such file", status=404), BadRequestError("no such method", status=405)]
)
def test_where_files_are_not_shown_the_create_tells_whether_one_is_ready(error: BatchClientError) -> None:
    services = planned()
    services.provider.file_statuses = ["pending"]
    submit(services, FIRST)
    services.provider.trouble["retrieve_file"] = [error]
    assert submit(services, FIRST).next == "poll"


@pytest.mark.parametrize("error", [ServerError("down", status=503), APIConnectionError("cut off")])
def test_a_look_at_a_file_that_fails_is_made_again(error: BatchClientError) -> None:
    services = planned()
    services.provider.file_statuses = ["pending", "pending"]
    submit(services, FIRST)
    services.provider.trouble["retrieve_file"] = [error]
    assert submit(services, FIRST) == FIRST.then(Next.SUBMIT, 30)
    submit_until(services)
    assert services.provider.calls.count("create_file") == 1


def test_a_batch_that_is_cancelled_while_its_file_is_not_ready_ends_and_leaves_no_file() -> None:
    services = planned()
    services.provider.file_statuses = ["pending"] * 9
    submit(services, FIRST)
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    assert submit(services, FIRST).next == "done"
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == ["file-0"]
