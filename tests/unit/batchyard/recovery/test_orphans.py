"""What a worker that died left at the provider is found there by our own key: adopted, cancelled or deleted."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batch_client import AuthenticationError, CreateOutcomeUnknown, PermissionDeniedError, ServerError
from batchyard.domain import object_keys
from batchyard.domain.errors import StaleRecord
from batchyard.domain.job import CLOCK_SKEW
from batchyard.domain.shard import with_attempt_members
from batchyard.domain.step import Step
from batchyard.recovery.ownership import LATEST_LOOK, LATEST_RECORD, LEAST_AT_PROVIDER
from batchyard.recovery.sweep import sweep
from batchyard.recovery.sweep_run import RESERVE
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def running() -> MemoryServices:
    """Make services whose batch has an execution."""
    services = planned()
    services.executions.start(BATCH_ID, {})
    stored = services.bucket.stored
    services.bucket.stored = {key: data for key, data in stored.items() if not key.startswith("inbox/")}
    services.bucket.stored["files/default/requests.jsonl"] = stored["inbox/default/requests.jsonl"]
    source = msgspec.structs.replace(services.batch_store.batch(BATCH_ID).input, key="files/default/requests.jsonl")
    services.batch_store.batches[BATCH_ID] = msgspec.structs.replace(services.batch_store.batch(BATCH_ID), input=source)
    return services


def make(services: MemoryServices, key: str | None = None, stack: str | None = "stack-1") -> str:
    """Have the provider make a batch that nobody hears of."""
    metadata = {"batchyard_attempt": key or f"{BATCH_ID}/0/1", "batchyard_stack": stack}
    made = services.provider.create_batch(
        input_file_id="file-0", endpoint="/v1/responses", completion_window="24h",
        metadata={name: value for name, value in metadata.items() if value is not None},
    )  # fmt: skip
    return made.id


def lost() -> MemoryServices:
    """Make services whose worker lost the answer to its create, and died."""
    services = running()
    services.provider.trouble["create_batch"] = [CreateOutcomeUnknown("the answer was lost")]
    assert submit(services, FIRST).next == "submit"
    make(services)
    return services


def test_a_provider_batch_that_its_shard_waits_for_is_adopted_once_its_worker_must_be_dead() -> None:
    services = lost()
    assert sweep(services) == {}
    services.wait(LATEST_LOOK + 1)
    assert sweep(services) == {"ProviderBatchesAdopted": 1}
    assert services.batch_store.kept[BATCH_ID, 0].attempts[0].provider_batch_id == "pb-0"
    assert services.batch_store.links == {(services.account().name, "pb-0"): (BATCH_ID, 0)}
    assert submit(services, FIRST).next == "poll"
    assert services.provider.calls.count("create_batch") == 2  # the lost one, and the one of this test
    assert sweep(services) == {}


def test_a_worker_that_comes_back_while_its_batch_is_adopted_leaves_it_running() -> None:
    services = lost()
    services.wait(LATEST_LOOK + 1)
    save = services.batch_store.save_shard

    def overtaken(*shards: Any) -> Any:
        services.batch_store.save_shard = save  # type: ignore[method-assign]
        assert submit(services, FIRST).next == "poll"
        return save(*shards)

    services.batch_store.save_shard = overtaken  # type: ignore[method-assign,assignment]
    assert sweep(services) == {}
    assert services.batch_store.kept[BATCH_ID, 0].attempts[0].provider_batch_id == "pb-0"
    assert [each.status for each in services.provider.batches.values()] == ["in_progress"]


def submitted_twice(services: MemoryServices) -> None:
    submit(services, FIRST)
    make(services)


def given_up(services: MemoryServices) -> None:
    make(services)
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())


def forgotten(services: MemoryServices) -> None:
    make(services, "batch_00/0/1")


def of_no_attempt(services: MemoryServices) -> None:
    make(services, f"{BATCH_ID}/0/9")


@pytest.mark.parametrize("orphaned", [submitted_twice, given_up, forgotten, of_no_attempt])
def test_a_provider_batch_that_nobody_waits_for_is_cancelled_once(orphaned: Callable[[MemoryServices], None]) -> None:
    services = running()
    orphaned(services)
    orphan = list(services.provider.batches)[-1]
    assert sweep(services) == {"ProviderBatchesCancelled": 1}
    assert services.provider.batches[orphan].status == "cancelling"
    others = [each.status for each in services.provider.batches.values() if each.id != orphan]
    assert others in ([], ["in_progress"])
    assert sweep(services) == {}


def test_the_answers_of_a_cancelled_orphan_are_deleted_when_it_has_ended_however_long_that_takes() -> None:
    services = running()
    make(services, "batch_00/0/1")
    sweep(services)
    for _ in range(3):
        services.wait(3_600)
        assert sweep(services) == {}
    services.provider.files.update(out=b"", err=b"")
    services.provider.end("pb-0", "cancelled", output_file_id="out", error_file_id="err")
    assert sweep(services) == {"ProviderFilesDeleted": 2}
    assert sweep(services) == {}


@pytest.mark.parametrize("key", [f"{BATCH_ID}/0/1", "batch_00/0/1", "nonsense", "batch_00/0", "a/b/c"])
@pytest.mark.parametrize("stack", ["stack-2", "", None])
def test_what_another_stack_made_at_the_same_provider_is_never_touched(key: str, stack: str | None) -> None:
    services = running()
    make(services, key, stack)
    upload(services, object_keys.provider_filename("batch_00", 0, 1, 4, stack or "stack-2"))
    services.wait(LATEST_RECORD + LATEST_LOOK)
    assert sweep(services) == {}
    assert [each.status for each in services.provider.batches.values()] == ["in_progress"]
    assert services.provider.deleted == []


class Bytes:
    """The body of an upload."""

    def __iter__(self) -> Any:
        return iter([b"{}\n"])

    def __len__(self) -> int:
        return 3


def upload(services: MemoryServices, name: str) -> str:
    """Have the provider take a file that nobody hears of."""
    return services.provider.create_file(Bytes(), name).id


def test_an_upload_that_no_record_knows_is_deleted_once_its_worker_must_be_dead() -> None:
    services = running()
    orphan = upload(services, object_keys.provider_filename(BATCH_ID, 0, 1, 4, "stack-1"))
    submit(services, FIRST)
    used = services.batch_store.kept[BATCH_ID, 0].file_id
    assert sweep(services) == {}
    services.wait(LATEST_RECORD)
    assert sweep(services) == {"ProviderFilesDeleted": 1}
    assert (services.provider.deleted, used == orphan) == ([orphan], False)
    assert sweep(services) == {}


@pytest.mark.parametrize("name", [
    "requests.jsonl", f"{BATCH_ID}-00000-0001-1.jsonl", f"{BATCH_ID}-00000-0001-1.stack-2.jsonl", "x.stack-1.jsonl",
    ".stack-1.jsonl",    f"my {BATCH_ID}-00000-0001-1.stack-1.jsonl",
])  # fmt: skip
def test_a_file_that_this_stack_did_not_upload_is_never_deleted(name: str) -> None:
    services = running()
    upload(services, name)
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    services.wait(LATEST_RECORD * 2)
    sweep(services)
    assert services.provider.deleted == []


def test_no_file_is_looked_for_where_files_are_kept() -> None:
    services = MemoryServices(keep_provider_files="true")
    upload(services, object_keys.provider_filename("batch_00", 0, 1, 4, "stack-1"))
    assert sweep(services) == {}
    assert "iter_files" not in services.provider.calls


def test_a_look_goes_back_to_the_last_one_only_and_never_further_than_a_week() -> None:
    services = running()
    assert sweep(services) == {}
    services.wait(2 * CLOCK_SKEW)
    late = make(services, "batch_00/0/1")
    services.provider.batches[late] = msgspec.structs.replace(
        services.provider.batches[late], created_at=services.now() - 3 * CLOCK_SKEW - 1
    )
    assert sweep(services) == {"ProviderBatchesCancelled": 1}  # the first one listed says nothing about the order
    newest = make(services, "batch_01/0/1")
    assert newest == "pb-1"
    services.provider.batches[late] = msgspec.structs.replace(
        services.provider.batches[late], status="in_progress", created_at=1
    )
    services.wait(LEAST_AT_PROVIDER)
    newest = make(services, "batch_01/0/1")
    sweep(services)
    assert services.provider.batches[late].status == "in_progress"
    assert services.provider.batches[newest].status == "cancelling"


def test_a_walk_that_runs_out_of_time_goes_on_where_it_stopped_and_misses_nothing() -> None:
    services = MemoryServices()
    for at in range(10):
        make(services, f"batch_{at:02}/0/1")
    done: list[int] = []
    for _ in range(20):
        left = itertools.count(RESERVE + 20, -1)
        done.append(sweep(services, lambda left=left: float(next(left))).get("ProviderBatchesCancelled", 0))  # type: ignore[misc]
        services.wait(1)
    assert sum(done) == 10
    assert max(done) < 10


def test_a_mark_that_the_provider_does_not_list_any_more_has_the_walk_begin_anew() -> None:
    services = MemoryServices()
    everything = services.provider.iter_files
    services.provider.iter_files = lambda **asked: iter([]) if asked["after"] else everything(**asked)  # type: ignore[method-assign]
    services.sweep_store.keep_bookmark(f"provider files of {services.account().name}", {"after": "file-99", "since": 0})
    upload(services, object_keys.provider_filename("batch_00", 0, 1, 4, "stack-1"))
    assert sweep(services) == {}
    assert sweep(services) == {"ProviderFilesDeleted": 1}


def test_a_provider_that_does_not_answer_keeps_nothing_else_and_is_asked_no_more_in_this_run() -> None:
    services = running()
    services.executions.statuses[BATCH_ID] = "ABORTED"
    services.provider.trouble["iter_batches"] = [ServerError("down", status=503, retryable=True)]
    make(services, "batch_00/0/1")
    assert sweep(services) == {"ExecutionsRestarted": 1, "ProviderFailures": 1}
    assert "iter_files" not in services.provider.calls
    assert sweep(services) == {"ProviderBatchesCancelled": 1}


def test_a_key_that_is_refused_while_listing_is_read_anew_for_the_next_run() -> None:
    services = running()
    services.provider.trouble["iter_batches"] = [AuthenticationError("rotated", status=401)]
    assert sweep(services) == {"ProviderFailures": 1}
    assert services.secret.forgotten == 1


def test_a_batch_that_ended_with_a_provider_batch_running_has_it_cancelled_and_is_then_settled() -> None:
    services = running()
    submit(services, FIRST)
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    assert sweep(services) == {"ProviderBatchesCancelled": 1, "ReservationsReleased": 1}
    assert sweep(services) == {}
    services.provider.files.update(out=b"")
    services.provider.end("pb-0", "cancelled", output_file_id="out")
    assert sweep(services) == {"ProviderFilesDeleted": 1}
    assert services.provider.deleted == ["file-0"]  # and not the answers, which were paid for and which nobody has
    assert services.sweep_store.unsettled(None) == [BATCH_ID]  # a late worker may still come
    services.wait(LATEST_RECORD)
    assert sweep(services) == {"BatchesSettled": 1}
    assert services.sweep_store.unsettled(None) == []


def test_what_a_worker_made_after_its_batch_had_ended_is_put_away_too() -> None:
    services = running()
    services.provider.on_the_way_back["create_batch"] = lambda: (
        services.batch_store.move_batch(BATCH_ID, "failed", services.now()), sweep(services),
    )  # fmt: skip
    with pytest.raises(StaleRecord):
        submit(services, FIRST)
    assert [each.status for each in services.provider.batches.values()] == ["cancelling"]
    assert sweep(services) == {}


def test_a_provider_batch_that_is_gone_is_no_concern_any_more() -> None:
    services = running()
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    services.batch_store.save_shard(shard, with_attempt_members(shard, provider_batch_id="pb-9"))
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    services.provider.batches.clear()
    services.wait(LATEST_RECORD)
    assert sweep(services) == {"ProviderFilesDeleted": 1, "BatchesSettled": 1, "ReservationsReleased": 1}


def test_a_key_that_may_not_delete_is_tried_once_a_run_and_keeps_nothing_else_from_being_done() -> None:
    services = running()
    submit(services, FIRST)
    make(services, "batch_00/0/1")
    for at in range(3):
        upload(services, object_keys.provider_filename("batch_00", at, 1, 4, "stack-1"))
    services.batch_store.move_batch(BATCH_ID, "failed", services.now())
    services.provider.end("pb-0", "failed")
    services.provider.trouble["delete_file"] = [PermissionDeniedError("no", status=403)]
    assert sweep(services) == {"ReservationsReleased": 1, "ProviderFailures": 1, "ProviderBatchesCancelled": 1}
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == ["file-0"]
    assert sweep(services) == {"ProviderFilesDeleted": 4}
    assert sweep(services) == {}
