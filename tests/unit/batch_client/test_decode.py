import pytest

from batch_client import Batch, BatchError, ProtocolError, RequestCounts, Usage
from batch_client.decode import batch_from, deleted_from, file_from, page_from
from tests.unit.batch_client.fake_service import BATCH, FILE, page


def test_a_batch_with_every_member_is_read_whole() -> None:
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 1},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 12,
    }
    error = {"code": "duplicate_custom_id", "message": "twice", "param": "custom_id", "line": 3}
    whole = {
        **BATCH,
        "model": "m-1",
        "status": "failed",
        "errors": {"object": "list", "data": [error]},
        "output_file_id": "file-o",
        "error_file_id": "file-e",
        "in_progress_at": 1,
        "finalizing_at": 2,
        "completed_at": 3,
        "failed_at": 4,
        "expired_at": 5,
        "cancelling_at": 6,
        "cancelled_at": 7,
        "request_counts": {"total": 10, "completed": 1, "failed": 2},
        "usage": usage,
        "a_member_of_tomorrow": [1],
    }
    assert batch_from(whole) == Batch(
        id="batch_00000000000000000000000000000001",
        status="failed",
        endpoint="/v1/responses",
        model="m-1",
        errors=(BatchError("duplicate_custom_id", "twice", "custom_id", 3),),
        input_file_id="file-AAAAAAAAAAAAAAAAAAAAAA",
        completion_window="24h",
        output_file_id="file-o",
        error_file_id="file-e",
        created_at=1790000000,
        in_progress_at=1,
        expires_at=1790086400,
        finalizing_at=2,
        completed_at=3,
        failed_at=4,
        expired_at=5,
        cancelling_at=6,
        cancelled_at=7,
        request_counts=RequestCounts(10, 1, 2),
        usage=Usage(5, 7, 12, cached_tokens=1, reasoning_tokens=2),
        metadata={"run": "7"},
    )


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("processed", "processed"),
        ("uploaded", "uploaded"),
        ("error", "error"),
        ("pending", "pending"),
        ("Pending", "pending"),
        ("running", "pending"),
        ("notRunning", "pending"),
        ("PROCESSING", "pending"),
        ("importing", "pending"),
        ("FILE_STATE_PROCESSING", "pending"),
        ("succeeded", "processed"),
        ("ready", "processed"),
        ("failed", "error"),
        ("deleted", "error"),
        ("a_status_of_tomorrow", "a_status_of_tomorrow"),
        (None, ""),
        (7, ""),
    ],
)
def test_statuses_of_files_are_openai_s_or_pending(told: object, status: str) -> None:
    assert file_from({"id": "file-1", "status": told}).status == status


@pytest.mark.parametrize(
    ("told", "status", "ended"),
    [
        ("completed", "completed", True),
        ("Completed", "completed", True),
        ("EXPIRED", "expired", True),
        ("failed", "failed", True),
        ("CANCELED", "cancelled", True),
        ("canceling", "cancelling", False),
        ("finalizing", "finalizing", False),
        ("queued", "validating", False),
        ("PENDING", "validating", False),
        ("BATCH_STATE_PENDING", "validating", False),
        ("Submitted", "validating", False),
        ("running", "in_progress", False),
        ("PROGRESS", "in_progress", False),
        ("InProgress", "in_progress", False),
        ("in progress", "in_progress", False),
        ("in-progress", "in_progress", False),
        ("JOB_STATE_RUNNING", "in_progress", False),
        ("succeeded", "completed", True),
        ("SUCCESS", "completed", True),
        ("done", "completed", True),
        ("JOB_STATE_SUCCEEDED", "completed", True),
        ("PartiallyCompleted", "completed", True),
        (" Completed ", "completed", True),
        ("error", "failed", True),
        ("BATCH_STATUS_FAILED", "failed", True),
        ("TIMEOUT_EXCEEDED", "expired", True),
        ("CANCELLATION_REQUESTED", "cancelling", False),
        ("Stopping", "cancelling", False),
        ("BATCH_STATUS_CANCELING", "cancelling", False),
        ("Stopped", "cancelled", True),
        ("paused", "paused", False),
        ("x" * 10_000, "x" * 64, False),
        ("", "unknown", False),
        ("  ", "unknown", False),
        ("a_status_of_tomorrow", "a_status_of_tomorrow", False),
        (None, "unknown", False),
        (7, "unknown", False),
    ],
)
def test_statuses_are_openai_s_where_their_meaning_is_known_and_only_four_have_ended(
    told: object, status: str, ended: bool
) -> None:
    batch = batch_from({**BATCH, "status": told})
    assert (batch.status, batch.ended) == (status, ended)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (1790000000, 1790000000),
        (1790000000.9, 1790000000),
        ("1790000000", 1790000000),
        ("2026-09-21T14:13:20Z", 1790000000),
        ("2026-09-21T14:13:20.123456789Z", 1790000000),
        ("2026-09-21T16:13:20+02:00", 1790000000),
        ("2026-09-21T14:13:20", 1790000000),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        (True, None),
        (-1, None),
        (10**400, None),
        ("0001-01-01T00:00:00+14:00", None),
        ([], None),
    ],
)
def test_times_are_unix_seconds_however_they_are_told(told: object, seconds: int | None) -> None:
    assert batch_from({**BATCH, "created_at": told}).created_at == seconds


@pytest.mark.parametrize("none", ["", None])
def test_an_empty_file_id_is_none(none: str | None) -> None:
    batch = batch_from({**BATCH, "output_file_id": none, "error_file_id": none})
    assert (batch.output_file_id, batch.error_file_id) == (None, None)


@pytest.mark.parametrize("member", ["id", "output_file_id", "error_file_id", "input_file_id"])
def test_an_id_that_is_not_text_is_never_guessed(member: str) -> None:
    with pytest.raises(ProtocolError):
        batch_from({**BATCH, member: 7})


@pytest.mark.parametrize("answer", [None, [], "text", 7, {}, {"id": ""}, {"job": {}}, {"job": "text"}])
def test_what_has_no_id_is_no_batch(answer: object) -> None:
    with pytest.raises(ProtocolError):
        batch_from(answer)


def test_a_job_in_its_wrapper_is_a_batch() -> None:
    job = {"id": "b", "status": "IN_PROGRESS", "created_at": "2026-09-21T14:13:20Z", "error": "why", "model_id": "m"}
    batch = batch_from({"job": job, "warning": ""})
    assert (batch.id, batch.status, batch.created_at) == ("b", "in_progress", 1790000000)
    assert (batch.errors, batch.model) == ((BatchError(message="why"),), "m")


@pytest.mark.parametrize(
    "counts",
    [
        None,
        [],
        {},
        {"total": 1},
        {"total": None, "completed": 0, "failed": 0},
        {"total": "1"},
        {"total": 3, "completed": -1, "failed": 0},
    ],
)
def test_counts_that_are_not_all_told_are_none(counts: object) -> None:
    assert batch_from({**BATCH, "request_counts": counts}).request_counts is None


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 1}, "much"])
def test_a_usage_that_is_not_all_told_is_none(usage: object) -> None:
    assert batch_from({**BATCH, "usage": usage}).usage is None


@pytest.mark.parametrize(
    ("told", "errors"),
    [
        ({"object": "list", "data": []}, ()),
        ({"data": None}, ()),
        ([{"code": 429, "line": "3"}], (BatchError(code="429"),)),
        (["why"], (BatchError(message="why"),)),
        ({"code": "x"}, (BatchError(code="x"),)),
        ("why", (BatchError(message="why"),)),
        (7, ()),
    ],
)
def test_errors_are_read_in_every_shape(told: object, errors: tuple[BatchError, ...]) -> None:
    assert batch_from({**BATCH, "errors": told}).errors == errors


@pytest.mark.parametrize(("told", "metadata"), [(None, {}), ([], {}), ({"a": "b", "c": 1, "d": None}, {"a": "b"})])
def test_metadata_is_text_by_text(told: object, metadata: dict[str, str]) -> None:
    assert batch_from({**BATCH, "metadata": told}).metadata == metadata


def test_a_file_is_read_and_forgiven_what_is_missing() -> None:
    assert file_from(FILE).bytes == 3
    assert file_from({"id": "f"}).bytes is None
    assert file_from({"id": "f", "filename": None}).filename == ""


def test_a_deletion_is_believed_unless_denied() -> None:
    assert deleted_from({"id": "f"}).deleted
    assert not deleted_from({"id": "f", "deleted": False}).deleted


def test_a_page_may_be_a_bare_array() -> None:
    assert page_from([BATCH], batch_from).data[0].id == BATCH["id"]
    assert page_from([BATCH], batch_from).has_more is None


@pytest.mark.parametrize("answer", [None, "text", {}, {"data": {}}, {"data": [7]}, {"data": [{}]}])
def test_a_page_without_readable_items_is_refused(answer: object) -> None:
    with pytest.raises(ProtocolError):
        page_from(answer, batch_from)


def test_a_page_keeps_its_cursors() -> None:
    found = page_from(page(BATCH, has_more=True, first_id="a", last_id=""), batch_from)
    assert (found.first_id, found.last_id, found.has_more) == ("a", None, True)


ENDLESS = [10**300, -(10**300), 10**4_000, 1e300, -1e300, 2**53 + 1, float("inf"), float("nan")]


@pytest.mark.parametrize(
    "number", ENDLESS, ids=lambda number: f"{number:.0e}" if isinstance(number, float) else str(len(hex(number)))
)
def test_a_number_without_end_counts_as_absent(number: float) -> None:
    assert batch_from({"id": "b", "errors": {"data": [{"code": "c", "line": number}]}}).errors[0].line is None
    for name in ("total", "completed", "failed"):
        counts = {"total": 1, "completed": 1, "failed": 0, name: number}
        assert batch_from({"id": "b", "request_counts": counts}).request_counts is None
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, name: number}
        assert batch_from({"id": "b", "usage": usage}).usage is None
    found = batch_from({"id": "b", **dict.fromkeys(TIMES, number)})
    assert {getattr(found, name) for name in TIMES} == {None}
    assert file_from({"id": "f", "bytes": number, "created_at": number}).bytes is None
    assert batch_from({"id": "b", "errors": [{"code": number}]}).errors[0].code is None


TIMES = ["created_at", "in_progress_at", "expires_at", "completed_at", "cancelled_at"]


@pytest.mark.parametrize("name", ["id", "input_file_id", "output_file_id", "error_file_id"])
@pytest.mark.parametrize("end", ["x" * 2_001, "é" * 1_001, "x" * 10**6, "\ufffd"])
def test_an_id_without_end_or_garbled_is_refused(name: str, end: str) -> None:
    with pytest.raises(ProtocolError, match=f"`{name}` is "):
        batch_from({"id": "b", name: end})
    assert getattr(batch_from({"id": "b", name: "é" * 1_000}), name) == "é" * 1_000


def test_a_cursor_without_end_is_refused() -> None:
    with pytest.raises(ProtocolError, match="last_id"):
        page_from({"data": [], "has_more": True, "last_id": "x" * 2_001}, batch_from)


def test_texts_without_end_are_cut() -> None:
    endless = "x" * 10**6
    errors = [{"code": endless, "message": endless, "param": endless}, endless]
    found = batch_from({
        "id": "b", "status": endless, "endpoint": endless, "model": endless, "completion_window": endless,
        "errors": {"data": errors}, "metadata": {"run": "7", "long": endless, endless: "long"},
    })  # fmt: skip
    assert len(found.status) == 64
    assert {len(text or "") for text in (found.endpoint, found.model, found.completion_window)} == {2_000}
    assert [len(text or "") for error in found.errors for text in (error.code, error.message, error.param)] == [
        200, 2_000, 200, 0, 2_000, 0,
    ]  # fmt: skip
    assert found.metadata == {"run": "7"}
    assert len(file_from({"id": "f", "filename": endless}).filename) == 2_000


def test_errors_and_metadata_without_end_are_cut() -> None:
    found = batch_from({"id": "b", "errors": ["no"] * 100_001, "metadata": {str(at): "" for at in range(1_000)}})
    assert (len(found.errors), len(found.metadata)) == (100_000, 100)
