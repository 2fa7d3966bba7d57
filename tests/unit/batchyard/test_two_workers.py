"""Two workers of one shard: whoever is overtaken changes nothing, leaves nothing running, and says so."""

import json
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from batch_client import (
    BatchError as ProviderBatchError,
)
from batch_client import (
    NotFoundError,
)
from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import StaleRecord
from batchyard.domain.shard import Shard, change, change_attempt
from batchyard.domain.step import Next, Step
from batchyard.recovery.sweep import sweep
from batchyard.results.assemble import assemble
from batchyard.shards.cancel import cancel
from batchyard.shards.collect import PATIENCE_FOR_SOME, collect
from batchyard.shards.fail import end_batch, fail_batch
from batchyard.shards.lost_create import LISTED_WITHIN, LONGEST_CREATE
from batchyard.shards.pauses import TOLD_AFTER
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.failures import Failure, each_failure
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)
WINDOW = 86_400


def recorded(services: MemoryServices) -> tuple[Shard, Batch]:
    return services.batch_store.kept[BATCH_ID, 0], services.batch_store.batch(BATCH_ID)


def answers(*numbers: int, text: str = "") -> bytes:
    """Make an output file."""
    lines = [{"custom_id": f"r{at}", "response": {"status_code": 200, "body": {"text": text}}} for at in numbers]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def overtaken(
    services: MemoryServices, late: Callable[[MemoryServices, Step], Step], *, refused: bool = True
) -> tuple[Shard, Batch]:
    """Run the late worker, whose call another one is set to overtake; answer what the other one had recorded."""
    kept: list[tuple[Shard, Batch]] = []

    def and_look(winner: Callable[[], object]) -> Callable[[], object]:
        def winner_and_look() -> None:
            winner()
            kept.append(recorded(services))

        return winner_and_look

    for hooks in (services.provider.meanwhile, services.provider.on_the_way_back):
        hooks.update({name: and_look(winner) for name, winner in hooks.items()})
    with pytest.raises(StaleRecord) if refused else nullcontext():
        late(services, FIRST)
    (left,) = kept
    return left


def submit_elsewhere(services: MemoryServices, name: str) -> None:
    """Let another worker's call go through long after ours, which is still to end."""
    ours = services.provider.trouble.pop(name, [])
    services.wait(LONGEST_CREATE)
    while submit(services, FIRST).next != "poll":  # which looks for a batch of ours first
        services.wait(LISTED_WITHIN)
    services.provider.trouble[name] = ours


@each_failure
def test_a_late_upload_that_fails_changes_nothing_of_what_another_worker_did(failure: Failure) -> None:
    services = planned()
    services.provider.trouble["create_file"] = [failure.error("create_file")] * 2  # a refused key is tried again once
    services.provider.meanwhile["create_file"] = lambda: submit_elsewhere(services, "create_file")
    assert overtaken(services, submit) == recorded(services)
    assert services.batch_store.kept[BATCH_ID, 0].attempts[-1].provider_batch_id == "pb-0"


@each_failure
def test_a_late_create_that_fails_changes_nothing_of_what_another_worker_did(failure: Failure) -> None:
    services = planned()

    services.provider.trouble["create_batch"] = [failure.error("create_batch")] * 2
    services.provider.meanwhile["create_batch"] = lambda: submit_elsewhere(services, "create_batch")
    assert overtaken(services, submit) == recorded(services)
    assert services.batch_store.kept[BATCH_ID, 0].attempts[-1].provider_batch_id == "pb-0"
    assert [each.status for each in services.provider.batches.values()] == ["in_progress"]


def test_a_late_create_that_works_is_cancelled_for_nobody_would_collect_it() -> None:
    services = planned()
    services.provider.meanwhile["create_batch"] = lambda: submit_elsewhere(services, "create_batch")
    assert overtaken(services, submit) == recorded(services)
    assert services.batch_store.kept[BATCH_ID, 0].attempts[0].provider_batch_id == "pb-0"
    assert {each.id: each.status for each in services.provider.batches.values()} == {
        "pb-0": "in_progress",
        "pb-1": "cancelling",
    }


def test_a_create_that_another_worker_has_adopted_already_runs_on() -> None:
    services = planned()
    services.provider.on_the_way_back["create_batch"] = lambda: submit(services, FIRST)  # it finds the batch by our key
    assert overtaken(services, submit) == recorded(services)
    assert {each.id: each.status for each in services.provider.batches.values()} == {"pb-0": "in_progress"}
    assert "cancel_batch" not in services.provider.calls


def test_a_create_adopted_and_already_done_with_is_not_cancelled_by_the_late_worker() -> None:
    services = planned()

    def another() -> None:
        step = submit(services, FIRST)
        services.provider.files["out"] = answers(0, 1, 2)
        services.provider.end("pb-0", "completed", output_file_id="out")
        assert collect(services, step).next == "done"

    services.provider.on_the_way_back["create_batch"] = another
    assert overtaken(services, submit) == recorded(services)
    assert "cancel_batch" not in services.provider.calls


def submitted() -> MemoryServices:
    services = planned()
    assert submit(services, FIRST).next == "poll"
    return services


def set_back(services: MemoryServices) -> None:
    """Let the shard have failed so often that the next failure is told."""
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, change(shard, failures_in_a_row=TOLD_AFTER))


def finish_elsewhere(services: MemoryServices, name: str) -> None:
    ours = services.provider.trouble.pop(name, [])
    services.provider.files["out"] = answers(0, 1, 2)
    services.provider.end("pb-0", "completed", output_file_id="out")
    assert poll(services, FIRST.then(Next.POLL)).next == "collect"
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    services.provider.trouble[name] = ours


@each_failure
@pytest.mark.parametrize("late", [poll, collect])
def test_a_late_look_that_fails_changes_nothing_even_after_the_window(
    late: Callable[[MemoryServices, Step], Step], failure: Failure
) -> None:
    services = submitted()
    set_back(services)
    services.wait(2 * WINDOW)
    services.provider.trouble["retrieve_batch"] = [failure.error("retrieve_batch")] * 2
    services.provider.meanwhile["retrieve_batch"] = lambda: finish_elsewhere(services, "retrieve_batch")
    leaves_it_to_poll = late is collect and isinstance(failure.error("retrieve_batch"), NotFoundError)
    assert overtaken(services, late, refused=not leaves_it_to_poll) == recorded(services)
    assert services.batch_store.batch(BATCH_ID).paused is None
    assert assemble(services, BATCH_ID) == "done"


def test_a_late_look_at_a_running_batch_does_not_undo_its_end() -> None:
    services = submitted()
    services.provider.on_the_way_back["retrieve_batch"] = lambda: finish_elsewhere(services, "retrieve_batch")
    assert overtaken(services, poll) == recorded(services)


def test_a_late_failure_of_the_batch_does_not_pause_or_end_what_another_worker_has_moved_on() -> None:
    services = submitted()
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError("token_limit_exceeded", "no room"),))

    def another() -> None:
        assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
        assert submit(services, FIRST).next == "poll"
        assert poll(services, FIRST.then(Next.POLL)).next == "poll"

    services.provider.on_the_way_back["retrieve_batch"] = another
    assert overtaken(services, collect) == recorded(services)
    assert services.batch_store.batch(BATCH_ID).paused is None


def test_a_late_collect_touches_neither_the_record_nor_the_runs_of_the_one_that_was_faster() -> None:
    services = submitted()
    shard = services.batch_store.kept[BATCH_ID, 0]
    patient = change_attempt(shard, looks=PATIENCE_FOR_SOME)  # the late one takes what it sees
    services.batch_store.save_shard(shard, patient)
    services.provider.files["out"] = answers(0, text="late")
    services.provider.end("pb-0", "completed", output_file_id="out")
    runs: dict[str, bytes] = {}

    def another() -> None:
        services.provider.files["out"] = answers(0, 1, 2)
        assert (
            collect(services, FIRST.then(Next.COLLECT)).next == "done"
        )  # of the very version that the late one has read
        runs.update(services.bucket.stored)

    services.provider.on_the_way_back["download_file"] = another
    assert overtaken(services, collect) == recorded(services)
    assert {key: services.bucket.stored[key] for key in runs} == runs
    assert assemble(services, BATCH_ID) == "done"
    assert services.bucket.stored[f"results/default/{BATCH_ID}/output.jsonl"] == answers(0, 1, 2)


def test_lines_set_aside_late_touch_neither_the_record_nor_the_run_of_the_one_that_was_faster() -> None:
    services = submitted()
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError("invalid_value", "no", None, 2),))
    runs: dict[str, bytes] = {}

    def another() -> None:
        both = (ProviderBatchError("invalid_value", "no", None, 1), ProviderBatchError("invalid_value", "no", None, 3))
        services.provider.end("pb-0", "failed", errors=both)
        assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
        runs.update(services.bucket.stored)

    services.provider.on_the_way_back["retrieve_batch"] = another
    assert overtaken(services, collect) == recorded(services)
    assert {key: services.bucket.stored[key] for key in runs} == runs
    assert services.batch_store.batch(BATCH_ID).counts.failed == 2


def ended_badly() -> MemoryServices:
    """Make services whose batch has failed while its provider batch runs, seen by a sweep that has time to settle it."""
    services = submitted()
    end_batch(services, BATCH_ID, BatchError("server_error", "no"))
    return services


@pytest.mark.parametrize("late", [sweep, lambda services: cancel(services, BATCH_ID)], ids=["sweep", "cancel"])
@pytest.mark.parametrize("first", [sweep, lambda services: cancel(services, BATCH_ID)], ids=["sweep", "cancel"])
@pytest.mark.parametrize("call", ["retrieve_batch", "cancel_batch"])
def test_two_that_put_away_what_a_failed_batch_left_do_no_more_than_one(
    late: Callable[[MemoryServices], object], first: Callable[[MemoryServices], object], call: str
) -> None:
    services = ended_badly()
    services.provider.meanwhile[call] = lambda: first(services)
    late(services)
    assert [each.status for each in services.provider.batches.values()] == ["cancelling"]
    services.provider.files["out"] = answers(0)
    services.provider.end("pb-0", "cancelled", output_file_id="out")
    services.provider.meanwhile["delete_file"] = lambda: sweep(services)
    sweep(services)
    assert services.provider.deleted == ["file-0"]
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == []
    assert services.batch_store.batch(BATCH_ID).status == "failed"


def test_two_that_record_a_failure_record_the_first_one_and_both_tell_of_it() -> None:
    services = submitted()
    fail_batch(services, BATCH_ID, {"Error": "first"})
    failed = services.batch_store.batch(BATCH_ID)
    fail_batch(services, BATCH_ID, {"Error": "second"})
    assert services.batch_store.batch(BATCH_ID) == failed
    assert services.cancel_function.invoked == [{"batch_id": BATCH_ID}] * 2


def test_a_late_collect_whose_files_another_one_has_deleted_changes_nothing() -> None:
    services = submitted()

    def another() -> None:
        finish_elsewhere(services, "retrieve_batch")
        services.provider.trouble["download_file"] = [NotFoundError("deleted", status=404)]

    services.provider.files["out"] = answers(0, 1, 2)
    services.provider.end("pb-0", "completed", output_file_id="out")
    services.provider.on_the_way_back["retrieve_batch"] = another
    assert overtaken(services, collect) == recorded(services)
    assert assemble(services, BATCH_ID) == "done"
    assert services.bucket.stored[f"results/default/{BATCH_ID}/output.jsonl"] == answers(0, 1, 2)
