"""OpenAI's own SDK finds in the emulator what it finds at OpenAI."""

import io
import json
import time
from collections.abc import Iterator

import openai
import pytest
import requests
from openai import OpenAI
from openai.types import Batch

from tests.integration.local.emulator.running import CHAT, Emulator, chat_line, jsonl


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    with OpenAI(api_key=emulator.api_key, base_url=emulator.url, max_retries=0) as client:
        yield client


def submit(client: OpenAI, lines: int = 5) -> Batch:
    content = jsonl([chat_line(f"a-{n}", temperature=999 if n == 0 else 1) for n in range(lines)])
    file = client.files.create(file=("input.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata={"run": "7"})


def wait(client: OpenAI, batch: Batch) -> Batch:
    for _ in range(1000):
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
    raise AssertionError(batch.status)


def test_a_batch_goes_from_upload_to_output_and_error_lines(client: OpenAI) -> None:
    created = submit(client)
    assert (created.status, created.metadata, created.request_counts.total if created.request_counts else None) == (
        "validating",
        {"run": "7"},
        0,
    )
    assert created.expires_at == created.created_at + 86_400
    batch = wait(client, created)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 5, "completed": 4, "failed": 1}
    assert batch.output_file_id is not None
    assert batch.error_file_id is not None
    output = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert sorted(line["custom_id"] for line in output) == ["a-1", "a-2", "a-3", "a-4"]
    assert batch.usage is not None
    used = sum(line["response"]["body"]["usage"]["total_tokens"] for line in output)
    assert batch.usage.total_tokens == used
    (refused,) = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
    assert (refused["custom_id"], refused["response"]["status_code"], refused["error"]) == ("a-0", 400, None)
    assert refused["response"]["body"]["error"]["code"] == "decimal_above_max_value"


def test_counts_only_rise_and_file_ids_show_only_at_the_end(client: OpenAI, emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=1.0)
    batch = submit(client, 40)
    seen: list[Batch] = []
    while batch.status != "completed":
        time.sleep(0.02)
        batch = client.batches.retrieve(batch.id)
        seen.append(batch)
    counts = [batch.request_counts.completed for batch in seen if batch.request_counts]
    assert counts == sorted(counts)
    assert len(set(counts)) > 5
    assert {batch.status for batch in seen} >= {"in_progress", "finalizing", "completed"}
    assert all(batch.output_file_id is None for batch in seen if batch.status != "completed")


def test_batches_are_listed_newest_first_page_by_page(client: OpenAI) -> None:
    made = [submit(client, 1).id for _ in range(3)]
    listed = [batch.id for _, batch in zip(range(3), client.batches.list(limit=1), strict=False)]
    assert listed == made[::-1]
    assert client.batches.list(limit=0).data == []
    with pytest.raises(openai.BadRequestError) as refused:
        client.batches.list(limit=101)
    assert (refused.value.code, refused.value.param) == ("integer_above_max_value", "limit")


def test_a_cancelled_batch_ends_cancelled_and_may_be_cancelled_again(client: OpenAI, emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=60)
    batch = submit(client)
    assert client.batches.cancel(batch.id).status == "cancelling"
    emulator.admin("/clock", {"seconds": 60})
    assert wait(client, batch).status == "cancelled"
    assert client.batches.cancel(batch.id).status == "cancelled"


def test_a_completed_batch_cannot_be_cancelled(client: OpenAI) -> None:
    batch = wait(client, submit(client))
    with pytest.raises(openai.ConflictError) as refused:
        client.batches.cancel(batch.id)
    assert "completed" in refused.value.message
    assert refused.value.request_id is not None


def test_unknown_ids_are_not_found(client: OpenAI) -> None:
    for call in (client.batches.retrieve, client.batches.cancel, client.files.retrieve, client.files.delete):
        with pytest.raises(openai.NotFoundError):
            call("nothing-there")
    with pytest.raises(openai.NotFoundError):
        client.files.content("nothing-there")


def test_files_are_listed_shown_and_deleted(client: OpenAI) -> None:
    content = jsonl([chat_line("a")])
    file = client.files.create(
        file=("input.jsonl", io.BytesIO(content)),
        purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (file.bytes, file.status, file.filename) == (len(content), "processed", "input.jsonl")
    assert file.expires_at == file.created_at + 3600
    assert client.files.retrieve(file.id) == file
    assert client.files.content(file.id).content == content
    assert file in client.files.list(purpose="batch", limit=2).data
    assert [f.id for f in client.files.list(order="asc", limit=1, after=file.id).data] == []
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_bytes_without_a_name_are_a_batch_file(client: OpenAI) -> None:
    file = client.files.create(file=jsonl([chat_line("a")]), purpose="batch")
    assert file.filename == "upload"


def test_models_are_listed_and_shown_in_openai_s_shape(emulator: Emulator, client: OpenAI) -> None:
    emulator.run(1)  # of the model "m"
    known = [model.id for model in client.models.list()]
    assert {"gpt-4o-mini", "m"} <= set(known)
    assert client.models.retrieve("m").object == "model"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("maker/no-such-model")
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    assert "The model 'maker/no-such-model' does not exist" in refused.value.message
    emulator.play(models=["only/this"])
    assert [model.id for model in client.models.list()] == ["only/this"]
    assert client.models.retrieve("only/this").id == "only/this"


def test_an_unknown_after_is_not_found_as_at_the_front_door(emulator: Emulator) -> None:
    for path, words in (
        ("/batches", "No batch found with id 'gone'."),
        ("/files", "No such File object: gone"),
        ("/webhook_endpoints", "No webhook endpoint found with id 'gone'."),
    ):
        answer = emulator.call("GET", f"{path}?after=gone")
        assert (answer.status_code, answer.json()["error"]["message"]) == (404, words)


def test_files_of_a_purpose_go_on_behind_a_file_of_another(fresh: Emulator) -> None:
    batch = fresh.run(1)
    newest = fresh.get("/files?purpose=batch_output")["data"][0]
    assert [file["id"] for file in fresh.get(f"/files?purpose=batch&after={newest['id']}")["data"]] == [
        batch["input_file_id"]
    ]


def test_health_and_event_types_are_told(emulator: Emulator) -> None:
    assert requests.get(f"{emulator.url}/health", timeout=10).json() == {"status": "ok"}
    assert "batch.completed" in emulator.get("/webhook_event_types")["data"]


@pytest.mark.parametrize(
    ("filename", "content"), [("input.txt", b"{}\n"), ("input.jsonl", b""), ("input.jsonl", b"no json\n{}\n")]
)
def test_an_upload_that_cannot_be_a_batch_file_is_refused_at_once(
    client: OpenAI, filename: str, content: bytes
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=(filename, content), purpose="batch")
    assert refused.value.type == "invalid_request_error"


def test_a_wrong_member_of_create_is_refused_by_name(emulator: Emulator) -> None:
    good = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h"}
    wrong: list[tuple[dict[str, object], str, str]] = [
        ({"input_file_id": None}, "input_file_id", "missing_required_parameter"),
        ({"endpoint": "/v1/nothing"}, "endpoint", "invalid_value"),
        ({"completion_window": "48h"}, "completion_window", "invalid_value"),
        ({"metadata": {"n": 7}}, "metadata.n", "invalid_type"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", "object_above_max_properties"),
        ({"metadata": {"k" * 65: "x"}}, f"metadata.{'k' * 65}", "string_above_max_length"),
        ({"output_expires_after": {"anchor": "now", "seconds": 1}}, "output_expires_after.anchor", "invalid_value"),
    ]
    for change, param, code in wrong:
        response = emulator.call("POST", "/batches", json={**good, **change})
        error = response.json()["error"]
        assert (response.status_code, error["param"], error["code"]) == (400, param, code)


def test_an_unknown_input_file_fails_the_batch_not_the_call(client: OpenAI) -> None:
    created = client.batches.create(input_file_id="file-unknown", endpoint=CHAT, completion_window="24h")
    assert created.status == "validating"
    batch = wait(client, created)
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert [(error.code, error.param, error.line) for error in batch.errors.data] == [
        ("invalid_request", "file_id", None)
    ]


def test_a_batch_with_bad_lines_fails_naming_each(client: OpenAI) -> None:
    content = jsonl([chat_line("a"), chat_line("a"), {**chat_line("b"), "url": "/v1/embeddings"}]) + b"{\n"
    file = client.files.create(file=("input.jsonl", content), purpose="batch")
    batch = wait(client, client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h"))
    assert batch.status == "failed"
    assert batch.errors is not None
    assert [(error.code, error.line) for error in batch.errors.data or []] == [
        ("duplicate_custom_id", 2),
        ("invalid_url", 3),
        ("invalid_json_line", 4),
    ]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)


def test_a_big_file_can_be_sent_in_parts(client: OpenAI) -> None:
    content = jsonl([chat_line(f"a-{n}") for n in range(100)])
    upload = client.uploads.create(
        filename="input.jsonl", purpose="batch", bytes=len(content), mime_type="application/jsonl"
    )
    parts = [client.uploads.parts.create(upload.id, data=content[half]).id for half in (slice(5000), slice(5000, None))]
    with pytest.raises(openai.BadRequestError):
        client.uploads.complete(upload.id, part_ids=parts[:1])
    done = client.uploads.complete(upload.id, part_ids=parts)
    assert (done.status, done.file is not None) == ("completed", True)
    assert done.file is not None
    assert client.files.content(done.file.id).content == content
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(upload.id, data=b"late")


def test_an_upload_can_be_cancelled(client: OpenAI) -> None:
    upload = client.uploads.create(filename="x.jsonl", purpose="batch", bytes=3, mime_type="text/jsonl")
    assert client.uploads.cancel(upload.id).status == "cancelled"


def test_webhook_endpoints_are_managed(client: OpenAI) -> None:
    made = client.webhooks.create(name="n", url="http://127.0.0.1:9/", event_types=["batch.completed"])
    assert made.signing_secret.endswith(made.signing_secret_hint or "?")
    rotated = client.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    assert rotated.signing_secret != made.signing_secret
    assert made.id in [endpoint.id for endpoint in client.webhooks.list()]
    assert client.webhooks.update(made.id, name="other").name == "other"
    assert client.webhooks.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.webhooks.retrieve(made.id)
