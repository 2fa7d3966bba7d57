import json
from typing import Any

import pytest

from batch_client import (
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    BatchError,
    CannotTell,
    CreateOutcomeUnknown,
    Input,
    InvalidArgumentError,
    Job,
    Look,
    MistralDialect,
    Prepared,
    RateLimitError,
    RequestCounts,
    State,
    TokenLimitError,
)
from batch_client.sources import BytesSource
from tests.unit.batch_client.fake_service import Answer, FakeService, Step, answer, client_of, envelope, reset

JOB = Job(
    key="batch_1/0/2", labels={"stack": "yard"}, endpoint="/v1/chat/completions", model="mistral-small", window="24h",
    count=3, filename="in.jsonl", prepared="file-7",
)  # fmt: skip
LINES = BytesSource(
    b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"mistral-small"}}\n'
)
OURS = {"key": "batch_1/0/2", "stack": "yard"}
TOLD: dict[str, Any] = {
    "id": "job-1", "object": "batch", "input_files": ["file-7"], "endpoint": "/v1/chat/completions", "metadata": OURS,
    "model": "mistral-small", "errors": [], "status": "QUEUED", "created_at": 1_790_000_000, "total_requests": 3,
    "completed_requests": 0, "succeeded_requests": 0, "failed_requests": 0, "output_file": None, "error_file": None,
}  # fmt: skip
FILE = {
    "id": "file-7", "object": "file", "bytes": 9, "created_at": 1_790_000_000, "filename": "in.jsonl", "purpose": "batch",
    "sample_type": "batch_request", "source": "upload",
}  # fmt: skip
STATES = {
    "QUEUED": State.WAITING, "RUNNING": State.RUNNING, "CANCELLATION_REQUESTED": State.ENDING, "SUCCESS": State.ENDED,
    "FAILED": State.ENDED, "TIMEOUT_EXCEEDED": State.ENDED, "CANCELLED": State.ENDED,
}  # fmt: skip


def dialect_of(*steps: Step) -> tuple[MistralDialect, FakeService]:
    client, service = client_of(*steps, profile="mistral")
    return MistralDialect(client, "key"), service


def shown(**members: object) -> Answer:
    return answer({**TOLD, **members})


def look_at(**members: object) -> Look:
    dialect, _ = dialect_of(shown(**members))
    return dialect.look("job-1")


def page(*items: object, total: int | None = None) -> Answer:
    return answer({"object": "list", "data": list(items), "total": len(items) if total is None else total})


def job(number: int, **members: object) -> dict[str, Any]:
    return {
        **TOLD,
        "id": f"job-{number}",
        "metadata": {"key": f"other/{number}"},
        "input_files": [f"f{number}"],
        **members,
    }


def test_prepare_uploads_the_lines_without_method_and_url() -> None:
    dialect, service = dialect_of(answer(FILE))
    assert dialect.prepare(JOB, LINES) == Prepared("file-7")
    (sent,) = service.sent
    assert sent.url == "https://service.test/v1/files"
    assert b'name="purpose"\r\n\r\nbatch\r\n' in sent.body
    assert b'filename="in.jsonl"' in sent.body
    (line,) = [json.loads(each) for each in sent.body.splitlines() if each.startswith(b'{"custom_id"')]
    assert line == {"custom_id": "a", "body": {"model": "mistral-small"}}
    assert sent.headers["Content-Length"] == str(len(sent.body))


def test_submit_names_the_file_the_model_the_hours_and_the_key() -> None:
    dialect, service = dialect_of(shown())
    assert dialect.submit(JOB, LINES).id == "job-1"
    (sent,) = service.sent
    assert (sent.method, sent.url) == ("POST", "https://service.test/v1/batch/jobs")
    assert json.loads(sent.body) == {
        "endpoint": "/v1/chat/completions", "input_files": ["file-7"], "model": "mistral-small", "metadata": OURS,
        "timeout_hours": 24,
    }  # fmt: skip


@pytest.mark.parametrize(("window", "hours"), [("24h", 24), ("6d", 144), ("100h", 100)])
def test_a_window_is_told_in_hours(window: str, hours: int) -> None:
    dialect, service = dialect_of(shown())
    dialect.submit(Job(**{name: getattr(JOB, name) for name in JOB.__struct_fields__} | {"window": window}), LINES)
    assert json.loads(service.sent[0].body)["timeout_hours"] == hours


@pytest.mark.parametrize("window", ["", "h", "24", "1w", "-1h", "²h"])
def test_what_is_no_window_is_refused_and_not_sent(window: str) -> None:
    dialect, service = dialect_of(shown())
    with pytest.raises(InvalidArgumentError, match="no window"):
        dialect.submit(Job(**{name: getattr(JOB, name) for name in JOB.__struct_fields__} | {"window": window}), LINES)
    assert not service.sent


@pytest.mark.parametrize("lost", [reset(), answer(envelope(None), 502), Answer(b"{broken")])
def test_a_create_whose_answer_was_lost_is_sent_once(lost: Step) -> None:
    dialect, service = dialect_of(lost)
    with pytest.raises(CreateOutcomeUnknown):
        dialect.submit(JOB, LINES)
    assert len(service.sent) == 1


def test_a_create_that_is_refused_without_a_wait_has_no_room_and_one_with_a_wait_was_too_quick() -> None:
    dialect, _ = dialect_of(answer(envelope(None), 429))
    with pytest.raises(TokenLimitError) as full:
        dialect.submit(JOB, LINES)
    assert full.value.code == "token_limit_exceeded"
    dialect, _ = dialect_of(answer(envelope(None), 429, {"retry-after": "1"}))
    with pytest.raises(RateLimitError) as quick:
        dialect.submit(JOB, LINES)
    assert not isinstance(quick.value, TokenLimitError)


@pytest.mark.parametrize(("word", "state"), STATES.items())
def test_each_status_is_one_of_five_states_and_its_word_is_kept(word: str, state: State) -> None:
    seen = look_at(status=word)
    assert (seen.state, seen.status) == (state, word.lower())
    assert seen.partial is (word in {"TIMEOUT_EXCEEDED", "CANCELLED"})


@pytest.mark.parametrize("odd", ["HIBERNATING", None, 7, ["SUCCESS"], {"state": "SUCCESS"}, ""])
def test_an_odd_status_is_unknown_and_never_raises(odd: object) -> None:
    seen = look_at(status=odd)
    assert (seen.state, seen.partial, seen.problems) == (State.UNKNOWN, False, ())


def test_results_are_named_whatever_the_status_output_first() -> None:
    both = {"output_file": "file-o", "error_file": "file-e"}
    for word in (*STATES, "HIBERNATING"):
        assert look_at(status=word, **both).results == ("file-o", "file-e")
    assert look_at(status="SUCCESS", error_file="file-e").results == ("file-e",)


def test_results_are_not_whole_while_the_output_is_not_named_that_the_counts_promise() -> None:
    assert not look_at(status="SUCCESS", succeeded_requests=2, error_file="file-e").whole
    assert look_at(status="SUCCESS", succeeded_requests=2, output_file="file-o").whole
    assert look_at(status="SUCCESS", failed_requests=3, error_file="file-e").whole


def test_counts_are_live_and_all_or_none() -> None:
    seen = look_at(succeeded_requests=1, failed_requests=1, completed_requests=2)
    assert (seen.counts, seen.usage) == (RequestCounts(3, 1, 1), None)
    for odd in (None, "x", -1, True):
        assert look_at(succeeded_requests=odd).counts is None


def test_a_failed_job_always_says_a_problem_and_no_other_job_does() -> None:
    errors = [{"message": "no such model", "count": 3}, {"message": ""}, "odd"]
    assert look_at(status="FAILED", errors=errors).problems == (BatchError("batch_failed", "no such model"),)
    assert [each.code for each in look_at(status="FAILED", errors=None).problems] == ["batch_failed"]
    assert look_at(status="SUCCESS", errors=errors).problems == ()
    too_large = [{"message": "The input file exceeds the maximum size of 512 MB"}]
    assert [each.code for each in look_at(status="FAILED", errors=too_large).problems] == ["file_too_large"]


@pytest.mark.parametrize(
    "odd",
    [
        {"metadata": None}, {"metadata": ["key"]}, {"metadata": {"key": 7}}, {"input_files": None}, {"input_files": []},
        {"input_files": ["a", "b"]}, {"input_files": [7]}, {"errors": {"a": 1}}, {"created_at": "soon"},
        {"total_requests": "three"},
    ],
)  # fmt: skip
def test_an_odd_member_counts_as_absent_and_never_raises(odd: dict[str, object]) -> None:
    assert look_at(**odd).state is State.WAITING


def test_stop_returns_a_job_that_has_ended_as_it_is_and_raises_for_one_that_has_not() -> None:
    for status in (400, 409, 422):
        dialect, service = dialect_of(answer(envelope(None), status), shown(status="SUCCESS"))
        assert dialect.stop("job-1").state is State.ENDED
        assert [(each.method, each.url.rpartition("/v1")[2]) for each in service.sent] == [
            ("POST", "/batch/jobs/job-1/cancel"), ("GET", "/batch/jobs/job-1"),
        ]  # fmt: skip
    dialect, _ = dialect_of(answer(envelope(None), 400), shown(status="RUNNING"))
    with pytest.raises(BatchClientError):
        dialect.stop("job-1")


def found(dialect: MistralDialect, since: int = 0, but: set[str] | None = None) -> str:
    seen = dialect.find(JOB, since, but or set())
    return seen.id if seen else ""


def test_find_has_the_service_select_by_our_key_and_takes_no_other_for_it() -> None:
    dialect, service = dialect_of(page(job(9), TOLD))
    assert found(dialect) == "job-1"
    assert service.sent[0].url == (
        "https://service.test/v1/batch/jobs?page=0&page_size=100&order_by=-created&key=batch_1%2F0%2F2"
    )


def test_where_the_selection_shows_none_the_whole_list_decides() -> None:
    dialect, service = dialect_of(page(), page(job(9), TOLD))
    assert found(dialect) == "job-1"
    assert "key=" not in service.sent[1].url
    dialect, service = dialect_of(page(), page(job(9), job(8)))
    assert found(dialect) == ""
    assert len(service.sent) == 2


@pytest.mark.parametrize("status", [400, 422])
def test_where_the_selection_is_refused_the_whole_list_decides(status: int) -> None:
    assert found(dialect_of(answer(envelope(None), status), page(job(9), TOLD))[0]) == "job-1"
    dialect, service = dialect_of(answer(envelope(None), status), page())
    assert found(dialect) == ""
    assert len(service.sent) == 2


def test_a_list_that_is_refused_raises_the_refusal() -> None:
    dialect, _ = dialect_of(page(), answer(envelope(None), 400))
    with pytest.raises(BadRequestError):
        found(dialect)
    dialect, _ = dialect_of(answer(envelope("invalid_api_key"), 401))
    with pytest.raises(AuthenticationError):
        found(dialect)


def test_a_job_without_metadata_is_found_by_its_input_unless_it_is_known() -> None:
    bare = {**TOLD, "id": "job-8", "metadata": None}
    assert found(dialect_of(page(), page(bare))[0]) == "job-8"
    assert found(dialect_of(page(), page(bare))[0], but={"job-8"}) == ""
    assert found(dialect_of(page(), page({**bare, "input_files": ["file-6"]}))[0]) == ""


def test_the_search_goes_on_by_numbers_of_pages_and_ends_at_older_jobs() -> None:
    first, second = [job(at, created_at=200) for at in range(100)], [job(100, created_at=150), job(101, created_at=99)]
    dialect, service = dialect_of(page(), page(*first, total=250), page(*second, TOLD, total=250))
    assert found(dialect, since=100) == ""
    assert [each.url.partition("?")[2].partition("&")[0] for each in service.sent] == ["page=0", "page=0", "page=1"]


def test_a_list_with_the_oldest_first_is_read_to_its_end() -> None:
    old, new = [job(at, created_at=50 + at) for at in range(3)], {**TOLD, "created_at": 200}
    assert found(dialect_of(page(), page(*old, new))[0], since=100) == "job-1"


def test_a_list_from_which_a_job_was_deleted_meanwhile_cannot_tell() -> None:
    first = [job(at) for at in range(100)]
    dialect, _ = dialect_of(page(), page(*first, total=150), page(job(101), total=149))
    with pytest.raises(CannotTell, match="deleted") as told:
        found(dialect)
    assert told.value.retryable


def test_a_list_that_shows_the_same_page_again_cannot_tell() -> None:
    again = page(*(job(at) for at in range(100)), total=150)
    with pytest.raises(CannotTell, match="no way"):
        found(dialect_of(page(), again, again)[0])


def test_a_list_without_a_total_is_read_until_a_page_is_empty() -> None:
    bare = [answer({"data": [job(1)]}), answer({"data": [job(2)]}), answer({"data": []})]
    dialect, service = dialect_of(*bare)
    assert [each.id for each in dialect.jobs()] == ["job-1", "job-2"]
    assert len(service.sent) == 3


def test_jobs_are_listed_behind_one_of_them_and_all_if_that_one_is_gone() -> None:
    listed = page(job(3), job(2), job(1))
    assert [each.id for each in dialect_of(listed)[0].jobs("job-3")] == ["job-2", "job-1"]
    assert [each.id for each in dialect_of(listed)[0].jobs("job-1")] == []
    assert [each.id for each in dialect_of(listed)[0].jobs("job-7")] == ["job-3", "job-2", "job-1"]


def test_inputs_are_the_files_that_the_service_has_not_made() -> None:
    made = {**FILE, "id": "file-o", "sample_type": "batch_result", "source": "mistral"}
    dialect, service = dialect_of(page(made, FILE))
    assert list(dialect.inputs()) == [Input("file-7", "in.jsonl", 1_790_000_000)]
    assert service.sent[0].url == "https://service.test/v1/files?page=0&page_size=100&purpose=batch"


def test_a_result_passes_through_byte_for_byte() -> None:
    odd = b'{"custom_id": "a"}\r\n\xff\n{"custom_id":null,"error":{"message":"no"}}\n'
    dialect, service = dialect_of(Answer(odd))
    assert b"".join(dialect.read("file-o", ["a"])) == odd
    assert service.sent[0].url == "https://service.test/v1/files/file-o/content"
