import json
from typing import Any

import pytest

from batch_client import (
    BatchError,
    CreateOutcomeUnknown,
    Dialect,
    Input,
    Job,
    Look,
    NotFoundError,
    OpenAIDialect,
    Prepared,
    RequestCounts,
    State,
    UploadOutcomeUnknown,
)
from batch_client.sources import BytesSource
from batch_client.statuses import STATUSES
from tests.unit.batch_client.fake_service import (
    BATCH,
    FILE,
    Answer,
    FakeService,
    Step,
    answer,
    client_of,
    envelope,
    page,
    reset,
)

JOB = Job(
    key="batch_1/0/2", labels={"stack": "yard"}, endpoint="/v1/responses", model="m", window="24h", count=3,
    filename="in.jsonl", prepared="file-7",
)  # fmt: skip
LINES = BytesSource(b'{"custom_id":"a"}\n')
OURS = {"key": "batch_1/0/2", "stack": "yard"}


def dialect_of(*steps: Step) -> tuple[Dialect, FakeService]:
    client, service = client_of(*steps)
    return OpenAIDialect(client, "key"), service


def shown(**members: object) -> Answer:
    return answer({**BATCH, **members})


def look_at(**members: object) -> Look:
    dialect, _ = dialect_of(shown(**members))
    return dialect.look("batch_1")


def test_prepare_uploads_the_lines_as_they_are_under_the_name_of_the_job() -> None:
    dialect, service = dialect_of(answer(FILE))
    assert dialect.prepare(JOB, LINES) == Prepared(str(FILE["id"]))
    assert service.sent[0].url == "https://service.test/v1/files"
    assert b'filename="in.jsonl"' in service.sent[0].body
    assert b'{"custom_id":"a"}\n' in service.sent[0].body


@pytest.mark.parametrize(
    ("status", "details", "pending", "problem"),
    [
        ("processed", None, False, None),
        ("uploaded", None, False, None),
        ("pending", None, True, None),
        ("processing", None, True, None),
        ("never-heard", None, False, None),
        ("error", "line 7 is no JSON", False, "line 7 is no JSON"),
        ("error", None, False, "the service says 'error' of it, and no more"),
    ],
)
def test_an_input_is_pending_or_has_a_problem_or_can_be_used(
    status: str, details: str | None, problem: str | None, *, pending: bool
) -> None:
    dialect, _ = dialect_of(answer({**FILE, "status": status, "status_details": details}))
    assert dialect.prepared("file-7") == Prepared(str(FILE["id"]), pending, problem)


def test_submit_names_the_input_and_sends_key_and_labels_as_metadata() -> None:
    dialect, service = dialect_of(shown(metadata=OURS))
    made = dialect.submit(JOB, LINES)
    assert json.loads(service.sent[0].body) == {
        "completion_window": "24h", "endpoint": "/v1/responses", "input_file_id": "file-7", "metadata": OURS,
    }  # fmt: skip
    assert (made.key, made.labels) == ("batch_1/0/2", {"stack": "yard"})


def test_a_lost_answer_is_told_apart_and_nothing_is_sent_twice() -> None:
    dialect, service = dialect_of(reset())
    with pytest.raises(CreateOutcomeUnknown):
        dialect.submit(JOB, LINES)
    with pytest.raises(UploadOutcomeUnknown):
        dialect.prepare(JOB, LINES)
    assert len(service.sent) == 2


STATES = {
    "validating": State.WAITING, "in_progress": State.RUNNING, "finalizing": State.ENDING, "cancelling": State.ENDING,
    "completed": State.ENDED, "failed": State.ENDED, "expired": State.ENDED, "cancelled": State.ENDED,
}  # fmt: skip


def test_each_status_is_one_of_five_states_and_its_word_is_kept() -> None:
    assert set(STATES) == set(STATUSES)
    for status, state in STATES.items():
        seen = look_at(status=status)
        assert (seen.state, seen.status, seen.ended) == (state, status, state is State.ENDED), status
        assert seen.partial is (status in {"expired", "cancelled"})


@pytest.mark.parametrize("odd", ["hibernating", None, 7, ["completed"], {"state": "completed"}])
def test_an_odd_status_is_unknown_and_never_raises(odd: object) -> None:
    seen = look_at(status=odd)
    assert (seen.state, seen.ended, seen.partial, seen.problems) == (State.UNKNOWN, False, False, ())


def test_results_are_named_whatever_the_status_output_first() -> None:
    both = {"output_file_id": "file-o", "error_file_id": "file-e"}
    for status in (*STATES, "hibernating"):
        assert look_at(status=status, **both).results == ("file-o", "file-e")
    assert look_at(status="completed", error_file_id="file-e").results == ("file-e",)


def test_results_are_not_whole_while_the_output_is_not_named_that_the_counts_promise() -> None:
    counts: dict[str, Any] = {"total": 2, "completed": 1, "failed": 1}
    assert not look_at(request_counts=counts, error_file_id="file-e").whole
    assert look_at(request_counts=counts, output_file_id="file-o").whole
    assert look_at(request_counts={**counts, "completed": 0}, error_file_id="file-e").whole
    assert look_at(request_counts=None).whole


def test_a_failed_batch_always_says_a_problem_and_no_other_batch_does() -> None:
    errors = {"data": [{"code": "invalid_request", "message": "no", "param": "file_id", "line": None}]}
    assert look_at(status="failed", errors=errors).problems == (BatchError("invalid_request", "no", "file_id"),)
    assert [each.code for each in look_at(status="failed", errors=None).problems] == ["batch_failed"]
    assert look_at(status="completed", errors=errors).problems == ()


def test_counts_times_and_input_are_shown() -> None:
    seen = look_at(request_counts={"total": 3, "completed": 1, "failed": 1})
    assert seen.counts == RequestCounts(3, 1, 1)
    assert (seen.input, seen.created_at, seen.expires_at) == (BATCH["input_file_id"], 1790000000, 1790086400)


def test_stop_returns_a_job_that_has_ended_as_it_is() -> None:
    dialect, service = dialect_of(answer(envelope(None), 409), shown(status="completed"))
    assert dialect.stop("batch_1").state is State.ENDED
    assert [each.method for each in service.sent] == ["POST", "GET"]


def found(dialect: Dialect) -> str:
    seen = dialect.find(JOB, 0)
    return seen.id if seen else ""


def test_find_goes_by_the_key_and_without_metadata_by_the_input() -> None:
    other = {**BATCH, "id": "batch_9", "metadata": {"key": "batch_1/0/1"}}
    bare = {**BATCH, "id": "batch_8", "metadata": None, "input_file_id": "file-7"}
    mine = {**BATCH, "id": "batch_7", "metadata": OURS}
    dialect, _ = dialect_of(answer(page(other, mine)))
    assert found(dialect) == "batch_7"
    dialect, _ = dialect_of(answer(page(other, bare)))
    assert found(dialect) == "batch_8"
    assert dialect.find(JOB, 0, but={"batch_8"}) is None


def test_a_result_passes_through_byte_for_byte() -> None:
    odd = b'{"custom_id": "a"}\r\n\xff\n no JSON'
    dialect, service = dialect_of(Answer(odd))
    assert b"".join(dialect.read("file-o", ["a"])) == odd
    assert service.sent[0].url == "https://service.test/v1/files/file-o/content"


def test_forget_deletes_and_says_what_was_gone_already() -> None:
    dialect, service = dialect_of(answer({"id": "file-7", "deleted": True}), answer(envelope(None), 404))
    assert dialect.forget("file-7")
    assert not dialect.forget("file-7")
    assert [(each.method, each.url) for each in service.sent] == [
        ("DELETE", "https://service.test/v1/files/file-7")
    ] * 2


def test_look_raises_for_a_job_that_is_not_there() -> None:
    dialect, _ = dialect_of(answer(envelope(None), 404))
    with pytest.raises(NotFoundError):
        dialect.look("batch_1")


def test_jobs_and_inputs_are_listed_behind_an_id() -> None:
    dialect, service = dialect_of(answer(page({**BATCH, "metadata": OURS})))
    assert [(each.id, each.key) for each in dialect.jobs("batch_0")] == [(BATCH["id"], "batch_1/0/2")]
    dialect, files = dialect_of(answer(page(FILE)))
    assert list(dialect.inputs("file-0")) == [Input(str(FILE["id"]), "requests.jsonl", 1790000000)]
    assert (service.sent[0].url, files.sent[0].url) == (
        "https://service.test/v1/batches?after=batch_0&limit=100",
        "https://service.test/v1/files?purpose=batch&limit=1000&after=file-0",
    )


def test_send_asks_the_endpoint_at_once() -> None:
    dialect, service = dialect_of(answer({"output": []}))
    assert dialect.send("/v1/responses", b"{}", 7.0).data == b'{"output": []}'
    assert service.timeouts[0][1] == 7.0
