"""Looking at a provider batch: what is noted, and how long until the next look."""

import msgspec
import pytest

from batch_client import BadRequestError, ConflictError, NotFoundError, RequestCounts, ServerError, Usage
from batchyard.domain.step import Next, Step
from batchyard.shards.cancel import cancel
from batchyard.shards.poll import LOST_AFTER, poll
from batchyard.shards.retries import MOST_FAILURES_IN_A_ROW
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID, NOW
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0, Next.POLL)
WINDOW = 86_400  # seconds; the batch of the memory


def submitted() -> MemoryServices:
    services = planned()
    assert submit(services, FIRST.then(Next.SUBMIT)).next == "poll"
    return services


def look(services: MemoryServices) -> Step:
    return poll(services, FIRST)


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling", "a_status_of_tomorrow"])
def test_a_batch_that_has_not_ended_is_looked_at_again(status: str) -> None:
    services = submitted()
    services.provider.end("pb-0", status)
    services.now_is += 7_200
    assert look(services) == FIRST.then(Next.POLL, 360)


@pytest.mark.parametrize("status", ["completed", "failed", "expired", "cancelled"])
def test_a_batch_that_has_ended_is_collected_at_once(status: str) -> None:
    services = submitted()
    services.provider.end("pb-0", status)
    assert look(services) == FIRST.then(Next.COLLECT)


def test_counts_rise_and_never_fall_back_and_nothing_new_is_not_written() -> None:
    services, seen, versions = submitted(), [], []
    for completed in (0, 2, 2, 1, 3, 99):
        services.provider.end("pb-0", "in_progress", request_counts=RequestCounts(3, completed, 0))
        look(services)
        shard = services.batch_store.kept[BATCH_ID, 0]
        seen.append(shard.completed)
        versions.append(shard.version)
    assert seen == [0, 2, 2, 2, 3, 3]
    assert versions[2] == versions[1]


def test_tokens_are_shown_while_the_shard_runs_and_never_fall_back() -> None:
    services, seen, versions = submitted(), [], []
    for told in (None, Usage(5, 2, 7), Usage(5, 2, 7), Usage(4, 9, 13), None, Usage(-1, 0, 2**60)):
        services.provider.end("pb-0", "in_progress", usage=told)
        look(services)
        used = services.batch_store.batch(BATCH_ID).usage
        seen.append((used.input_tokens, used.output_tokens, used.total_tokens) if used else None)
        versions.append(services.batch_store.kept[BATCH_ID, 0].version)
    assert seen == [None, (5, 2, 7), (5, 2, 7), (5, 9, 13), (5, 9, 13), (5, 9, 13)]
    assert versions[2] == versions[1]


def test_a_cancelled_batch_does_not_wait_for_ever_for_a_provider_that_does_not_tell_how_it_stands() -> None:
    services = submitted()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.provider.trouble["retrieve_batch"] = [
        ServerError("down", status=503) for _ in range(2 * MOST_FAILURES_IN_A_ROW)
    ]
    started, step = services.now(), FIRST
    while step.next == "poll":
        services.wait(step.wait_seconds)
        step = look(services)
    assert step.next == "done"
    assert 3_600 < services.now() - started < 2 * 3_600
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "batch_cancelled"
    assert cancel(services, BATCH_ID) == 1


def test_a_provider_batch_that_cannot_be_cancelled_is_waited_for_and_what_it_finished_is_collected() -> None:
    services = submitted()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    for _ in range(2 * MOST_FAILURES_IN_A_ROW):
        services.provider.trouble["cancel_batch"] = [BadRequestError("there is no such method", status=405)]
        assert look(services).next == "poll"
    services.provider.trouble["retrieve_batch"] = [ServerError("down", status=500)]
    assert look(services).next == "poll"  # one look that fails, after many that did not
    services.provider.end("pb-0", "completed")
    assert look(services).next == "collect"


def test_a_cancelled_batch_is_cancelled_at_the_provider_once() -> None:
    services = submitted()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    for _ in range(3):
        assert look(services).next == "poll"
    assert services.provider.calls.count("cancel_batch") == 1


def test_looks_at_a_cancelling_batch_grow_rarer_for_a_provider_may_take_days() -> None:
    services, waits = submitted(), []
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    for hours in (0, 1, 2, 12):
        services.now_is = float((services.batch_store.batch(BATCH_ID).cancelling_at or 0) + hours * 3_600)
        waits.append(look(services).wait_seconds)
    assert waits == [30, 180, 360, 2_160]


def test_a_batch_that_ends_while_it_is_being_cancelled_is_seen_at_the_next_look() -> None:
    services = submitted()
    services.batch_store.move_batch(BATCH_ID, "cancelling", services.now())
    services.provider.trouble["cancel_batch"] = [ConflictError("it has ended", status=409)]
    assert look(services).next == "poll"
    services.provider.end("pb-0", "completed")
    assert look(services).next == "collect"


def test_a_look_that_fails_is_made_again_later() -> None:
    services = submitted()
    services.provider.trouble["retrieve_batch"] = [ServerError("down", status=500)]
    assert look(services) == FIRST.then(Next.POLL, 30)


def test_a_day_of_steady_progress_takes_sixty_calls_of_the_provider_and_its_end_is_noticed_at_once() -> None:
    services = submitted()
    step = FIRST.then(Next.POLL, 30)
    while step.next == "poll":
        services.wait(step.wait_seconds)
        done = (services.now() - NOW) * 50_000 // WINDOW
        ended = {"status": "completed" if done >= 50_000 else "in_progress"}
        services.provider.end("pb-0", request_counts=RequestCounts(50_000, min(done, 50_000), 0), **ended)
        step = poll(services, step)
    assert step.next == "collect"
    assert services.provider.calls.count("retrieve_batch") <= 60
    assert WINDOW <= services.now() - NOW <= WINDOW * 1.02


def not_found(services: MemoryServices) -> Step:
    services.provider.trouble["retrieve_batch"] = [NotFoundError("who?", status=404)]
    return look(services)


def lost(services: MemoryServices) -> Step:
    """Look at a provider batch that is not found as often as it takes."""
    for _ in range(LOST_AFTER - 1):
        not_found(services)
    return not_found(services)


def test_a_batch_that_is_not_found_when_its_window_is_over_may_be_found_at_the_next_look() -> None:
    services = submitted()
    services.now_is = float(NOW + WINDOW)
    for _ in range(LOST_AFTER - 1):
        assert not_found(services).next == "poll"
    services.provider.end("pb-0", "completed", request_counts=RequestCounts(3, 3, 0))
    assert look(services).next == "collect"
    assert services.batch_store.kept[BATCH_ID, 0].attempt is not None


def test_a_batch_the_provider_no_longer_knows_is_waited_for_until_its_window_is_over() -> None:
    services = submitted()
    for seconds in (0, 3_600, WINDOW - 1):
        services.now_is = float(NOW + seconds)
        assert not_found(services).next == "poll"
    assert services.batch_store.kept[BATCH_ID, 0].attempt is not None
    services.now_is = float(NOW + WINDOW)
    assert lost(services) == FIRST.then(Next.SUBMIT)
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (shard.attempts[0].provider_status, shard.attempts[0].ended_at) == ("lost", NOW + WINDOW)
    assert (shard.attempt, shard.stalls, shard.unfinished, shard.file_id) == (None, 1, 3, None)


def test_the_window_of_a_batch_is_counted_from_its_creation_not_from_its_upload() -> None:
    services = planned()
    services.provider.meanwhile["create_file"] = lambda: services.wait(WINDOW)
    submit(services, FIRST.then(Next.SUBMIT))
    assert not_found(services).next == "poll"


def test_a_batch_that_is_found_again_is_collected() -> None:
    services = submitted()
    for _ in range(5):
        assert not_found(services).next == "poll"
    services.provider.end("pb-0", "completed")
    assert look(services) == FIRST.then(Next.COLLECT)
    assert (services.batch_store.kept[BATCH_ID, 0].failures_in_a_row, services.batch_store.batch(BATCH_ID).paused) == (
        0,
        None,
    )


def test_a_provider_that_loses_every_batch_is_given_up_with_the_reason_on_the_lines() -> None:
    services, answers = planned(max_attempts=3), []
    for _ in range(3):
        submit(services, FIRST.then(Next.SUBMIT))
        services.wait(WINDOW)
        answers.append(lost(services).next)
    assert answers == ["submit", "submit", "done"]
    reason = services.batch_store.kept[BATCH_ID, 0].reason
    assert reason is not None
    assert reason.code == "no_answer"


@pytest.mark.parametrize(("changes", "following"), [({"status": "done"}, "done"), ({"attempts": []}, "submit")])
def test_a_shard_without_a_provider_batch_is_not_looked_at(changes: dict[str, object], following: str) -> None:
    services = submitted()
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, msgspec.structs.replace(shard, **changes))
    assert look(services).next == following
    assert "retrieve_batch" not in services.provider.calls


def near_its_end(action: str) -> MemoryServices:
    services = planned(deadline_action=action)
    assert submit(services, FIRST.then(Next.SUBMIT)).next == "poll"
    services.provider.end("pb-0", "in_progress", request_counts=RequestCounts(3, 1, 0))
    return services


def test_a_look_falls_on_the_deadline_and_there_the_batch_is_cancelled_once_and_watched_closely() -> None:
    services = near_its_end("resubmit")
    services.now_is = NOW + WINDOW * 0.9 - 100
    assert look(services).wait_seconds == 100
    assert "cancel_batch" not in services.provider.calls
    services.wait(100)
    waits = []
    for _ in range(3):
        step = look(services)
        assert step.next == "poll"
        waits.append(step.wait_seconds)
        services.wait(step.wait_seconds)
    assert waits == [30, 30, 30]
    assert services.provider.calls.count("cancel_batch") == 1
    services.provider.end("pb-0", "cancelled")
    assert look(services).next == "collect"


def test_a_batch_that_is_waited_for_is_never_cancelled_for_being_late() -> None:
    services = near_its_end("wait")
    services.now_is = NOW + WINDOW * 3.0
    assert look(services).next == "poll"
    assert "cancel_batch" not in services.provider.calls


@pytest.mark.parametrize("status", ["finalizing", "cancelling", "completed", "expired"])
def test_what_ends_anyway_is_not_cancelled_at_the_deadline(status: str) -> None:
    services = near_its_end("resubmit")
    services.provider.end("pb-0", status)
    services.now_is = NOW + WINDOW * 0.95
    look(services)
    assert "cancel_batch" not in services.provider.calls
