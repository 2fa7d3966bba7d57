"""Whose batch a call gets: the one its upload made, the one its first try made, or a new one."""

from typing import Any

import msgspec
import pytest

from batchyard.api.batch_request import BatchRequest, check
from batchyard.api.batches import create_batch
from batchyard.api.create_batch import create_or_take_over
from batchyard.api.files import input_at, retrieve_file
from batchyard.api.presigned import presign_file
from batchyard.domain import stored_file
from batchyard.domain.batch import Batch
from batchyard.domain.errors import ApiError, StoreError
from batchyard.planning.intake import intake
from batchyard.providers.windows import Windows
from batchyard.recovery.sweep import sweep
from tests.fakes.batches import BUCKET
from tests.fakes.planned import INPUT, KEY
from tests.fakes.services import MemoryExecutions, MemoryServices
from tests.fakes.stores import MemoryBatchStore

FILE = "files/default/file-1"


@pytest.fixture
def services() -> MemoryServices:
    made = MemoryServices()
    made.bucket.put(KEY, INPUT)
    made.bucket.put(FILE, INPUT)
    return made


def body(key: str = KEY, **changes: object) -> dict[str, Any]:
    return {"input_file_id": f"s3://{BUCKET}/{key}", "endpoint": "/v1/responses", "completion_window": "24h", **changes}


def wanted(key: str = KEY, **changes: object) -> BatchRequest:
    return check(body(key, **changes), [Windows(("24h",))])


def ids(services: MemoryServices, *calls: tuple[BatchRequest, str | None]) -> list[str]:
    return [create_or_take_over(services, "default", request, key).batch_id for request, key in calls]


def test_a_call_gets_the_batch_its_upload_has_made_with_the_call_s_metadata(services: MemoryServices) -> None:
    dropped = intake(services, BUCKET, KEY, "v1")
    made = create_or_take_over(services, "default", wanted(metadata={"run": "7"}), None)
    assert (made.batch_id, made.metadata, bool(made.owned_by_request)) == (dropped, {"run": "7"}, True)
    assert len(services.batch_store.batches) == 1


def test_a_batch_that_has_ended_unclaimed_is_shown_for_running_it_again_would_be_paid_again(
    services: MemoryServices,
) -> None:
    dropped = intake(services, BUCKET, KEY, "v1")
    assert dropped is not None
    ended = msgspec.structs.replace(services.batch_store.batch(dropped), status="completed", endpoint="/v1/responses")
    services.batch_store.batches[dropped] = ended
    made = create_or_take_over(services, "default", wanted(metadata={"run": "7"}), None)
    assert (made.batch_id, made.status, bool(made.owned_by_request)) == (dropped, "completed", True)
    assert create_or_take_over(services, "default", wanted(), None).batch_id != dropped


@pytest.mark.parametrize("status", ["in_progress", "completed"])
def test_a_batch_of_the_upload_that_runs_for_another_endpoint_is_left_as_it_is(
    services: MemoryServices, status: str
) -> None:
    dropped = intake(services, BUCKET, KEY, "v1")
    assert dropped is not None
    running = msgspec.structs.replace(services.batch_store.batch(dropped), status=status, endpoint="/v1/embeddings")
    services.batch_store.batches[dropped] = running
    made = create_or_take_over(services, "default", wanted(), None)
    assert (made.batch_id != dropped, made.endpoint) == (True, "/v1/responses")
    assert services.batch_store.batch(dropped) == running
    assert services.executions.started[-1] == made.batch_id


@pytest.mark.parametrize("status", ["validating", "in_progress", "completed"])
def test_a_call_for_any_urls_gets_the_batch_of_the_upload_whatever_its_lines_are_for(
    services: MemoryServices, status: str
) -> None:
    dropped = intake(services, BUCKET, KEY, "v1")
    assert dropped is not None
    found = None if status == "validating" else "/v1/embeddings"
    running = msgspec.structs.replace(services.batch_store.batch(dropped), status=status, endpoint=found)
    services.batch_store.batches[dropped] = running
    made = create_or_take_over(services, "default", wanted(endpoint="*"), None)
    assert (made.batch_id, made.endpoint, bool(made.owned_by_request)) == (dropped, found, True)


class PlannedJustThen(MemoryBatchStore):
    """The plan finds another endpoint between the look at the batch and the claim."""

    def take_over_batch(self, batch_id: str, wanted: str | None, /, **changes: object) -> Batch | None:
        self.move_batch(batch_id, "in_progress", 1, endpoint="/v1/embeddings")
        return super().take_over_batch(batch_id, wanted, **changes)


def test_a_batch_whose_endpoint_is_found_at_the_last_moment_is_not_taken_over(services: MemoryServices) -> None:
    dropped = intake(services, BUCKET, KEY, "v1")
    late = PlannedJustThen()
    late.batches = services.batch_store.batches
    services.batch_store = late
    made = create_or_take_over(services, "default", wanted(), None)
    assert made.batch_id != dropped
    assert services.batch_store.batches[dropped or ""].owned_by_request is None
    assert services.executions.started[-1] == made.batch_id


def test_a_batch_for_any_urls_is_taken_over_though_its_endpoint_is_found_at_the_last_moment(
    services: MemoryServices,
) -> None:
    dropped = intake(services, BUCKET, KEY, "v1")
    late = PlannedJustThen()
    late.batches = services.batch_store.batches
    services.batch_store = late
    assert create_or_take_over(services, "default", wanted(endpoint="*"), None).batch_id == dropped


def test_an_upload_told_after_the_call_makes_no_second_batch(services: MemoryServices) -> None:
    made = create_or_take_over(services, "default", wanted(), None)
    assert intake(services, BUCKET, KEY, "v1") == made.batch_id
    assert len(services.batch_store.batches) == 1


def test_a_second_call_for_the_same_upload_wants_a_second_batch(services: MemoryServices) -> None:
    first, second = ids(services, (wanted(), None), (wanted(), None))
    assert first != second


def test_a_call_for_a_file_makes_a_new_batch_each_time(services: MemoryServices) -> None:
    assert len(set(ids(services, (wanted(FILE), None), (wanted(FILE), None)))) == 2


@pytest.mark.parametrize("key", [KEY, FILE])
def test_a_repeated_idempotency_key_gets_the_same_batch(services: MemoryServices, key: str) -> None:
    assert len(set(ids(services, (wanted(key), "once"), (wanted(key), "once"), (wanted(key), "once")))) == 1
    assert len(services.batch_store.batches) == 1


def test_the_order_of_members_is_no_other_body(services: MemoryServices) -> None:
    other = check(dict(reversed(body(FILE).items())), [Windows(("24h",))])
    assert len(set(ids(services, (wanted(FILE), "once"), (other, "once")))) == 1


def test_an_idempotency_key_with_another_body_is_a_conflict(services: MemoryServices) -> None:
    create_or_take_over(services, "default", wanted(FILE), "once")
    with pytest.raises(ApiError) as caught:
        create_or_take_over(services, "default", wanted(FILE, metadata={"run": "8"}), "once")
    assert (caught.value.status, caught.value.code) == (409, "idempotency_key_reused")
    assert len(services.batch_store.batches) == 1


def test_tenants_do_not_share_their_idempotency_keys(services: MemoryServices) -> None:
    services.bucket.put("files/acme/file-1", INPUT)
    ours = create_or_take_over(services, "default", wanted(FILE), "once")
    theirs = create_or_take_over(services, "acme", wanted("files/acme/file-1"), "once")
    assert (ours.tenant, theirs.tenant) == ("default", "acme")
    assert ours.batch_id != theirs.batch_id


@pytest.mark.parametrize(
    "file_id", ["file-abc", "", "https://example.org/x", "s3://", f"s3://{BUCKET}/{KEY}.gone", f"s3://{BUCKET}/"]
)
def test_a_file_that_is_not_there_fails_the_batch_afterwards_as_with_openai(
    services: MemoryServices, file_id: str
) -> None:
    made = create_or_take_over(services, "default", msgspec.structs.replace(wanted(), input_file_id=file_id), None)
    assert (made.status, made.errors[0].code, made.errors[0].param) == ("failed", "invalid_request", "file_id")
    assert made.input_file_id == file_id
    assert services.executions.started == []


def refusal(services: MemoryServices, file_id: str, tenant: str = "default") -> str:
    made = create_or_take_over(services, tenant, msgspec.structs.replace(wanted(), input_file_id=file_id), None)
    assert (made.status, made.errors[0].code, made.errors[0].param) == ("failed", "invalid_request", "file_id")
    return made.errors[0].message


def test_each_cause_why_a_file_is_no_input_has_a_sentence_of_its_own(services: MemoryServices) -> None:
    announced = {"filename": "in.jsonl", "purpose": "batch", "bytes": 7}
    coming = presign_file(services, "default", announced)["id"]
    picture = presign_file(services, "default", {"filename": "a.png", "purpose": "vision", "bytes": 7})["id"]
    services.bucket.put(f"files/default/{picture}", b"picture")
    not_yet, other, unknown = (refusal(services, each) for each in (coming, picture, "file-abc"))
    assert not_yet == (
        f"The input file '{coming}' has not been uploaded yet. It was announced with 7 bytes: PUT them to its addresses,"
        " then create the batch again."
    )
    assert other == (
        f"The input file '{picture}' has the purpose 'vision', and a batch needs 'batch'. Upload it again with this purpose."
    )
    assert unknown == "The input file 'file-abc' was not found, or is not yours."
    services.bucket.put(f"files/default/{coming}", b"another size")
    assert refusal(services, coming) == not_yet
    assert refusal(services, coming, "acme") == f"The input file '{coming}' was not found, or is not yours."
    assert len(refusal(services, "x" * 10_000)) < 300
    upload = "upload_" + "0" * 32
    assert refusal(services, upload) == (
        f"The input file '{upload}' is an upload, and no file yet. Complete the upload: the answer has the id of its file."
    )


def test_a_file_whose_object_was_removed_by_hand_is_not_there(services: MemoryServices) -> None:
    file_id = presign_file(services, "default", {"filename": "in.jsonl", "purpose": "batch", "bytes": 2})["id"]
    services.bucket.put(f"files/default/{file_id}", b"{}")
    assert retrieve_file(services, "default", file_id)["status"] == "processed"
    services.bucket.stored.clear()
    assert refusal(services, file_id) == f"The input file '{file_id}' was not found, or is not yours."


def test_the_id_of_another_tenant_s_file_in_one_s_own_folder_names_nothing(services: MemoryServices) -> None:
    file_id = "file-" + "a" * 22
    theirs = stored_file.new(
        file_id, "acme", services.now(), None, filename="x.jsonl", purpose="batch", bytes=len(INPUT), status="processed",
        key=f"files/acme/{file_id}",
    )  # fmt: skip
    assert services.file_store.keep(theirs)
    services.bucket.put(theirs.key, INPUT)
    assert input_at(services, theirs.key) is not None
    assert input_at(services, f"files/default/{file_id}") is None


@pytest.mark.parametrize(
    "uri", [f"s3://other/{KEY}", f"s3://{BUCKET}/inbox/acme/x", f"s3://{BUCKET}/results/default/b/output.jsonl"]
)
def test_what_is_another_s_is_refused_at_once_whether_it_is_there_or_not(services: MemoryServices, uri: str) -> None:
    with pytest.raises(ApiError) as caught:
        create_or_take_over(services, "default", msgspec.structs.replace(wanted(), input_file_id=uri), None)
    assert (caught.value.status, caught.value.param) == (400, "input_file_id")
    assert services.batch_store.batches == {}


class Refusing(MemoryExecutions):
    """A state machine that starts nothing."""

    def start(self, name: str, payload: object) -> bool:
        raise StoreError(f"no {name} of {payload}")


def test_a_batch_that_could_not_be_started_is_not_started_later(services: MemoryServices) -> None:
    intake(services, BUCKET, KEY, "v1")
    started, services.executions = services.executions, Refusing()
    with pytest.raises(StoreError):
        create_batch(services, "default", body())
    services.executions = started
    [failed] = services.batch_store.batches.values()
    assert failed.status == "failed"
    assert sweep(services) == {}
