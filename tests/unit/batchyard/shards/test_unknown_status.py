"""A status outside OpenAI's eight: told, cancelled, and collected when counts and files show that all is there."""

import json

import pytest

from batch_client import RequestCounts
from batchyard.domain.attempt import End
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.step import Next, Step
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_batch
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from batchyard.shards.unknown_status import CANCELLED_AFTER, DRAINED_AFTER, OVERDUE_AFTER, SURE_AFTER
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

LOOK = Step(BATCH_ID, 0, Next.POLL)
WEEK = 7 * 86_400
ANSWERED = b"".join(
    json.dumps({"custom_id": f"r{at}", "response": {"status_code": 200, "body": {}}, "error": None}).encode() + b"\n"
    for at in range(3)
)


def odd(status: str = "odd", *, all_there: bool = False) -> MemoryServices:
    """Make services whose provider batch shows a status that nobody knows."""
    services = planned()
    assert submit(services, LOOK.then(Next.SUBMIT)).next == "poll"
    services.provider.end("pb-0", status)
    if all_there:
        show_all(services)
    return services


def show_all(services: MemoryServices) -> None:
    services.provider.files["file-out"] = ANSWERED
    services.provider.end(
        "pb-0",
        services.provider.batches["pb-0"].status,
        request_counts=RequestCounts(3, 3, 0),
        output_file_id="file-out",
    )


def look_until(services: MemoryServices, seconds: float) -> Step:
    """Look as often as the steps say, for so many seconds or until something else is next."""
    end, step = services.now() + seconds, LOOK
    while step.next == "poll" and services.now() + step.wait_seconds <= end:
        services.wait(step.wait_seconds)
        # A cancel is answered as one that works, and changes nothing.
        services.provider.on_the_way_back["cancel_batch"] = lambda: services.provider.end("pb-0", "odd")
        step = poll(services, step)
    return step


@pytest.mark.parametrize("status", ["odd", "unknown", "paused", "a_status_of_tomorrow"])
def test_a_batch_tells_that_nobody_knows_the_status_of_its_provider_batch(status: str) -> None:
    services = odd(status)
    for _ in range(3):
        assert poll(services, LOOK).next == "poll"
    paused = services.batch_store.batch(BATCH_ID).paused or ""
    assert f"The provider says '{status}' of its batch pb-0 since 20" in paused
    assert "cancel" in paused
    assert services.event_bus.announced[1:] == ["paused"]
    assert services.batch_store.kept[BATCH_ID, 0].failures_in_a_row == 0


def test_what_has_not_changed_is_not_written_again() -> None:
    services = odd()
    poll(services, LOOK)
    version = services.batch_store.kept[BATCH_ID, 0].version
    services.wait(3_600)
    poll(services, LOOK)
    assert services.batch_store.kept[BATCH_ID, 0].version == version


def test_a_status_that_is_known_again_ends_the_pause() -> None:
    services = odd()
    poll(services, LOOK)
    services.provider.end("pb-0", "in_progress")
    poll(services, LOOK)
    assert services.batch_store.batch(BATCH_ID).paused is None
    assert services.event_bus.announced[1:] == ["paused", "resumed"]
    attempt = services.batch_store.kept[BATCH_ID, 0].attempts[0]
    assert (attempt.odd_since, attempt.ready_since) == (None, None)


def test_a_collect_that_sees_less_than_the_poll_before_it_ends_no_provider_batch() -> None:
    services = odd(all_there=True)
    step = look_until(services, WEEK)
    assert step.next == "collect"
    services.provider.end("pb-0", "odd", output_file_id="file-out", request_counts=RequestCounts(3, 2, 0))
    assert collect(services, step).next == "poll"
    attempt = services.batch_store.kept[BATCH_ID, 0].attempts[0]
    assert attempt.ended_at is None


def test_what_counts_and_files_show_to_be_there_is_collected_after_some_minutes() -> None:
    services = odd(all_there=True)
    began = services.now()
    step = look_until(services, WEEK)
    assert step.next == "collect"
    assert SURE_AFTER <= services.now() - began <= 2 * SURE_AFTER
    assert collect(services, step).next == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.attempts[0].provider_status, shard.attempts[0].end) == (3, "odd", End.WHOLE)
    assert services.batch_store.batch(BATCH_ID).paused is None


@pytest.mark.parametrize(
    "members",
    [
        {"request_counts": RequestCounts(3, 3, 0)},
        {"output_file_id": "file-out"},
        {"output_file_id": "file-out", "request_counts": RequestCounts(3, 2, 0)},
        {"output_file_id": "file-out", "request_counts": RequestCounts(2, 2, 0)},
        {"error_file_id": "file-err", "request_counts": RequestCounts(3, 2, 1)},
        {"output_file_id": "file-out", "request_counts": RequestCounts(0, 0, 0)},
    ],
    ids=["no file", "no counts", "a count short", "lines without a count", "no output file", "counts of zero"],
)
def test_what_may_not_be_all_is_waited_for(members: dict[str, object]) -> None:
    services = odd()
    services.provider.end("pb-0", "odd", **members)
    assert look_until(services, DAY + OVERDUE_AFTER - HOUR).next == "poll"
    assert collect(services, LOOK.then(Next.COLLECT)).next == "poll"
    assert services.batch_store.batch(BATCH_ID).paused


def test_a_day_after_its_window_what_there_is_is_collected_and_the_rest_sent_again() -> None:
    services = odd()
    services.provider.files["file-out"] = ANSWERED.splitlines(keepends=True)[0]
    services.provider.end("pb-0", "odd", output_file_id="file-out", request_counts=RequestCounts(3, 1, 0))
    began = services.now()
    step = look_until(services, WEEK)
    assert "cancel_batch" in services.provider.calls
    while step.next == "collect":
        services.wait(step.wait_seconds)
        step = collect(services, step)
    assert DAY + OVERDUE_AFTER <= services.now() - began <= DAY + OVERDUE_AFTER + 4 * HOUR
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (step.next, shard.completed, shard.unfinished) == ("submit", 1, 2)


def test_what_was_all_there_and_is_not_any_more_is_waited_for_anew() -> None:
    services = odd(all_there=True)
    poll(services, LOOK)
    services.provider.end("pb-0", "odd", request_counts=RequestCounts(3, 2, 0))
    services.wait(2 * SURE_AFTER)
    assert poll(services, LOOK).next == "poll"
    show_all(services)
    assert poll(services, LOOK).next == "poll"
    services.wait(SURE_AFTER)
    assert poll(services, LOOK).next == "collect"


@pytest.mark.parametrize("files", [True, False])
def test_a_cancelled_batch_ends_within_hours_with_what_is_there(*, files: bool) -> None:
    services = odd()
    if files:
        services.provider.files["file-out"] = ANSWERED.splitlines(keepends=True)[0]
        services.provider.end("pb-0", "odd", output_file_id="file-out")
    poll(services, LOOK)
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    began = services.now()
    step = look_until(services, WEEK)
    while step.next == "collect":
        services.wait(step.wait_seconds)
        step = collect(services, step)
    assert step.next == "done"
    assert services.provider.calls.count("cancel_batch") >= 1
    assert CANCELLED_AFTER <= services.now() - began <= 2 * CANCELLED_AFTER
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.completed, shard.reason and shard.reason.code) == (int(files), "batch_cancelled")


def test_a_stale_look_does_not_throw_answers_away() -> None:
    services = odd()
    poll(services, LOOK)
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.wait(2 * CANCELLED_AFTER)
    assert poll(services, LOOK).next == "poll"
    services.provider.end("pb-0", "completed")
    show_all(services)
    services.wait(SURE_AFTER)
    assert poll(services, LOOK).next == "collect"
    assert collect(services, LOOK.then(Next.COLLECT)).next == "done"
    assert services.batch_store.kept[BATCH_ID, 0].completed == 3


def test_a_draining_batch_ends_within_a_day_or_two() -> None:
    services = odd()
    fail_batch(services, BATCH_ID, {"Error": "ExecutionEnded"})
    began = services.now()
    assert look_until(services, WEEK).next == "collect"
    assert DRAINED_AFTER <= services.now() - began <= 2 * DRAINED_AFTER
