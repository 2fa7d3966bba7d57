"""Mistral's official SDK against the emulator: files, jobs, and results by its own reader of them."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from mistralai.client.models import BatchJob, ChatCompletionResponse, File, UserMessage
from mistralai.extra.batch import BatchOutput, is_running

from tests.integration.local.emulator.running import CHAT, Emulator, started

MODEL = "mistral-small-latest"
DAY = 86_400


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05", "--service", "mistral") as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[Mistral]:
    emulator.play()
    with Mistral(api_key=emulator.api_key, server_url=emulator.url.removesuffix("/v1")) as client:
        yield client


def line(number: int, **members: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Say {number}"}]
    return {"custom_id": f"r-{number}", "body": {"messages": messages, **members}}


def uploaded(client: Mistral, lines: list[dict[str, Any]]) -> str:
    content = "\n".join(json.dumps(each) for each in lines).encode()
    file = client.files.upload(file=File(file_name="in.jsonl", content=content), purpose="batch")
    assert (file.size_bytes, file.sample_type, file.source) == (len(content), "batch_request", "upload")
    return file.id


def job_of(client: Mistral, lines: list[dict[str, Any]], **members: Any) -> BatchJob:
    wanted = {"endpoint": CHAT, "model": MODEL, **members}
    return client.batch.jobs.create(input_files=[uploaded(client, lines)], **wanted)


def ended(client: Mistral, made: BatchJob) -> BatchJob:
    deadline = time.monotonic() + 10
    while is_running((seen := client.batch.jobs.get(job_id=made.id)).status):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return seen


def results(client: Mistral, file_id: object) -> BatchOutput[ChatCompletionResponse]:
    assert isinstance(file_id, str)
    return BatchOutput.from_jsonl_bytes(client.files.download(file_id=file_id).read(), ChatCompletionResponse)


def said(answer: ChatCompletionResponse) -> object:
    message = answer.choices[0].message
    return message.content if message else None


def test_a_job_runs_and_each_line_has_one_result_in_another_order(emulator: Emulator, client: Mistral) -> None:
    emulator.play(
        lines=[
            {"custom_id": "r-7", "do": {"status": 422}},
            {"custom_id": "r-9", "do": {"status": 500, "nameless": True}},
        ]
    )
    made = job_of(client, [line(at) for at in range(12)], metadata={"job_type": "testing"}, timeout_hours=48)
    assert (made.status, made.metadata, made.model) == ("QUEUED", {"job_type": "testing"}, MODEL)
    job = ended(client, made)
    assert (job.status, job.total_requests, job.succeeded_requests, job.failed_requests) == ("SUCCESS", 12, 10, 2)
    good, bad = results(client, job.output_file), results(client, job.error_file)
    ids = [f"r-{at}" for at in range(12) if at not in {7, 9}]
    assert list(good.responses) != ids
    assert sorted(good.responses) == sorted(ids)
    assert list(map(said, good.ordered(ids))) == [f"You asked: Say {each[2:]}" for each in ids]
    assert sorted((str(each.custom_id), each.status_code) for each in bad.request_errors) == [
        ("None", 500),
        ("r-7", 422),
    ]
    assert emulator.ledger(made.id)["billed_requests"] == 10


def test_jobs_are_selected_by_their_metadata_and_listed_by_numbers_of_pages(client: Mistral) -> None:
    made = [job_of(client, [line(1)], metadata={"key": f"k{at % 2}", "run": "paged"}).id for at in range(5)]
    listed = client.batch.jobs.list(metadata={"run": "paged"}, page_size=2, page=1)
    assert ([each.id for each in listed.data or []], listed.total) == (made[::-1][2:4], 5)
    assert [each.id for each in client.batch.jobs.list(metadata={"key": "k1", "run": "paged"}).data or []] == made[
        3::-2
    ]
    assert not client.batch.jobs.list(metadata={"run": "none"}).data


def test_at_its_timeout_a_job_leaves_half_of_its_answers(emulator: Emulator, client: Mistral) -> None:
    emulator.play(batches=[{"do": {"expire_after": 0.5}}])
    job = ended(client, job_of(client, [line(at) for at in range(10)]))
    assert (job.status, job.succeeded_requests) == ("TIMEOUT_EXCEEDED", 5)
    assert len(results(client, job.output_file).responses) == 5
    assert not job.error_file, "lines that never ran stand nowhere"


def test_a_cancelled_job_says_so_first_and_one_that_has_ended_is_refused(emulator: Emulator, client: Mistral) -> None:
    emulator.play(seconds_per_batch=5)
    made = job_of(client, [line(1)])
    assert client.batch.jobs.cancel(job_id=made.id).status == "CANCELLATION_REQUESTED"
    assert ended(client, made).status == "CANCELLED"
    with pytest.raises(SDKError) as refused:
        client.batch.jobs.cancel(job_id=made.id)
    assert refused.value.status_code == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {**line(1), "url": CHAT}, {**line(1), "method": "POST"}, {"custom_id": "r", "body": 7}, {"body": {}},
        line(1, model="another"),
    ],
)  # fmt: skip
def test_a_job_of_a_line_in_another_shape_fails(client: Mistral, wrong: dict[str, Any]) -> None:
    job = ended(client, job_of(client, [line(0), wrong]))
    assert (job.status, len(job.errors), job.output_file) == ("FAILED", 1, None)


def test_results_are_gone_a_day_after_the_end_and_inputs_after_a_month(client: Mistral, emulator: Emulator) -> None:
    job = ended(client, job_of(client, [line(1)]))
    assert client.files.retrieve(file_id=str(job.output_file)).source == "mistral"
    emulator.admin("/clock", {"seconds": DAY + 1})
    with pytest.raises(SDKError) as gone:
        client.files.download(file_id=str(job.output_file))
    assert gone.value.status_code == 404
    assert client.batch.jobs.get(job_id=job.id).output_file == job.output_file, "the job still names them"
    assert job.input_files[0] in {each.id for each in client.files.list(purpose="batch").data}


@pytest.mark.parametrize(
    "wrong",
    [{"endpoint": "/v1/responses"}, {"timeout_hours": 168}, {"timeout_hours": 0}, {"metadata": {"a": {"b": 1}}}],
)
def test_a_job_in_other_words_is_refused(emulator: Emulator, client: Mistral, wrong: dict[str, Any]) -> None:
    body = {"endpoint": CHAT, "input_files": [uploaded(client, [line(1)])], **wrong}
    assert emulator.call("POST", "/batch/jobs", json=body).status_code == 422


def test_pending_requests_of_all_jobs_have_one_limit(emulator: Emulator, client: Mistral) -> None:
    emulator.play(pending_requests=10, seconds_per_batch=5)
    made = job_of(client, [line(at) for at in range(8)])
    while client.batch.jobs.get(job_id=made.id).status == "QUEUED":
        time.sleep(0.01)
    with pytest.raises(SDKError) as full:
        job_of(client, [line(at) for at in range(8)])
    assert full.value.status_code == 429


def test_openais_batches_are_not_there_and_mistrals_jobs_are_not_at_openai(emulator: Emulator) -> None:
    emulator.play()
    assert emulator.call("GET", "/batches").status_code == 404
    emulator.play(service="openai")
    assert emulator.call("GET", "/batch/jobs").status_code == 404
    answer = requests.post(f"{emulator.url}/batch/jobs", headers={"Authorization": "Bearer x"}, json={}, timeout=5)
    assert answer.status_code == 404


def test_one_request_is_answered_at_once_and_code_with_a_gap_too(client: Mistral) -> None:
    told = client.chat.complete(model=MODEL, messages=[UserMessage(content="Hi")])
    assert told.usage.total_tokens
    code = client.fim.complete(model="codestral-latest", prompt="def f(", suffix="return 1")
    assert (code.choices or [])[0].message
