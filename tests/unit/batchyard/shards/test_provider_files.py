"""A file at the provider is deleted when nothing needs it any more, and never before."""

import json

import msgspec
import pytest

from batch_client import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from batch_client import (
    BatchError as ProviderBatchError,
)
from batchyard.domain.attempt import Attempt
from batchyard.domain.shard import MOST_FILES_TO_DELETE, Shard, with_files_to_delete, with_members, with_next_version
from batchyard.domain.step import Next, Step
from batchyard.shards import provider_files
from batchyard.shards.collect import collect
from batchyard.shards.fail import fail_shard
from batchyard.shards.provider_files import MOST_AT_ONCE
from batchyard.shards.submit import submit
from tests.fakes.batches import BATCH_ID
from tests.fakes.planned import planned
from tests.fakes.services import MemoryServices

FIRST = Step(BATCH_ID, 0)


def ended(status: str = "completed", answered: int = 3, **settings: str | int) -> MemoryServices:
    """Make services whose provider batch has ended with so many answers."""
    services = planned(**settings)
    assert submit(services, FIRST).next == "poll"
    lines = [{"custom_id": f"r{at}", "response": {"status_code": 200, "body": {}}} for at in range(answered)]
    services.provider.files["out"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    services.provider.files["err"] = b""
    services.provider.end("pb-0", status, output_file_id="out", error_file_id="err")
    return services


def test_input_and_answers_are_deleted_once_the_answers_are_stored() -> None:
    services = ended()
    stored: list[bool] = []
    services.provider.meanwhile["delete_file"] = lambda: stored.append(services.batch_store.kept[BATCH_ID, 0].done)
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert sorted(services.provider.deleted) == ["err", "file-0", "out"]
    assert stored == [True]
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == []


def test_nothing_is_deleted_where_files_are_to_be_kept() -> None:
    services = ended(keep_provider_files="true")
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert services.provider.deleted == []


def test_what_is_sent_again_is_uploaded_anew_and_the_first_upload_is_deleted() -> None:
    services = ended("expired", answered=1)
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    assert "file-0" in services.provider.deleted
    assert submit(services, FIRST).next == "poll"
    assert services.provider.batches["pb-1"].input_file_id not in services.provider.deleted


def test_an_upload_that_is_used_again_when_there_is_room_is_kept() -> None:
    services = planned()
    submit(services, FIRST)
    services.provider.end("pb-0", "failed", errors=(ProviderBatchError("token_limit_exceeded", "no room"),))
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    assert services.provider.deleted == []
    assert submit(services, FIRST).next == "poll"
    assert services.provider.batches["pb-1"].input_file_id == "file-0"


def test_the_files_of_a_provider_batch_that_may_still_run_are_kept() -> None:
    services = planned()
    submit(services, FIRST)
    fail_shard(services, BATCH_ID, 0, {"Error": "States.Timeout"})
    assert (services.batch_store.kept[BATCH_ID, 0].file_id, services.batch_store.kept[BATCH_ID, 0].files_to_delete) == (
        "file-0",
        [],
    )
    assert services.provider.deleted == []


FINAL = [
    NotFoundError("gone", status=404), BadRequestError("no", status=405), ServerError("no", status=501),
    BadRequestError("no", status=400),
]  # fmt: skip
PASSING = [
    ServerError("down", status=503), RateLimitError("slow", status=429), APIConnectionError("no line"),
    AuthenticationError("no", status=401), PermissionDeniedError("no", status=403),
]  # fmt: skip


@pytest.mark.parametrize("refusal", FINAL, ids=lambda error: f"{type(error).__name__}-{error.status}")
def test_a_provider_that_deletes_nothing_is_not_asked_again_and_the_batch_goes_on(refusal: BatchClientError) -> None:
    services = ended()
    services.provider.trouble["delete_file"] = [refusal] * 3
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    assert services.batch_store.kept[BATCH_ID, 0].files_to_delete == []
    assert services.batch_store.batch(BATCH_ID).paused is None


@pytest.mark.parametrize("refusal", PASSING, ids=lambda error: type(error).__name__)
def test_a_file_that_cannot_be_deleted_just_now_stays_listed_and_holds_nothing_up(refusal: BatchClientError) -> None:
    services = ended()
    services.provider.trouble["delete_file"] = [refusal] * 2  # a refused key is tried twice
    assert collect(services, FIRST.then(Next.COLLECT)).next == "done"
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert (sorted(shard.files_to_delete), services.provider.deleted) == (["err", "file-0", "out"], [])


def test_a_worker_that_was_overtaken_while_it_deleted_changes_nothing_more() -> None:
    services = ended("expired", answered=1)

    def another() -> None:
        assert submit(services, FIRST).next == "poll"

    services.provider.meanwhile["delete_file"] = another
    assert collect(services, FIRST.then(Next.COLLECT)).next == "submit"
    assert sorted(services.provider.deleted) == ["err", "file-0", "out"]
    attempt = services.batch_store.kept[BATCH_ID, 0].attempt
    assert attempt is not None
    assert attempt.provider_batch_id == "pb-1"


def test_a_record_lists_so_many_files_at_most_and_each_once() -> None:
    services = planned()
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert with_files_to_delete(with_files_to_delete(shard, "a", None, ""), "a", "b", "b").files_to_delete == ["a", "b"]
    many = with_files_to_delete(shard, *(f"file-{at:04}" for at in range(MOST_FILES_TO_DELETE + 50)))
    assert (len(many.files_to_delete), many.files_to_delete[-1]) == (
        MOST_FILES_TO_DELETE,
        f"file-{MOST_FILES_TO_DELETE + 49:04}",
    )


def test_long_ids_of_files_to_delete_do_not_fill_the_record() -> None:
    services = planned()
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    many = with_files_to_delete(shard, *(f"file-{at:04}" + "é" * 900 for at in range(100)))
    assert many.files_to_delete == [f"file-{at:04}" + "é" * 900 for at in range(73, 100)]


def test_an_upload_that_the_record_lets_go_of_is_left_over_whoever_lets_go() -> None:
    services = planned()
    submit(services, FIRST)
    shard = services.batch_store.kept[BATCH_ID, 0]
    assert with_next_version(shard, with_members(shard, file_id=None)).files_to_delete == ["file-0"]
    assert with_next_version(shard, with_members(shard, file_id="file-9")).files_to_delete == ["file-0"]
    assert with_next_version(shard, shard).files_to_delete == []


def test_a_step_deletes_so_many_files_at_most_and_leaves_the_rest_for_the_next() -> None:
    services = ended()
    shard = services.batch_store.kept[BATCH_ID, 0]
    many = [f"file-old-{at}" for at in range(MOST_AT_ONCE + 5)]
    services.provider.files.update(dict.fromkeys(many, b""))
    before = with_members(shard, files_to_delete=many, attempts=[change_last(shard)])
    after = provider_files.delete(services, services.batch_store.save_shard(shard, before))
    assert (len(services.provider.deleted), len(after.files_to_delete)) == (MOST_AT_ONCE, 5)
    assert provider_files.delete(services, after).files_to_delete == []


def change_last(shard: Shard) -> Attempt:
    """Return the latest attempt as one that has ended."""
    return msgspec.structs.replace(shard.attempts[-1], ended_at=1, provider_status="completed")
