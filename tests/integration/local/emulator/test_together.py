"""The emulator with Together's habits: what an OpenAI client would stumble over."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.local.emulator.running import CHAT, Emulator, chat_line, jsonl, started

LINES = jsonl([chat_line(f"a-{number}") for number in range(1, 6)])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with started("--seconds-per-batch", "0.05") as emulator:
        emulator.play(service="together")
        yield emulator


def uploaded(emulator: Emulator, path: str = "/files/upload", **form: str) -> Any:
    given = {"purpose": "batch-api", "file_name": "in.jsonl", **form}
    return emulator.call("POST", path, data={name: text for name, text in given.items() if text}, files={"file": LINES})


def submitted(emulator: Emulator, file_id: str) -> Any:
    return emulator.call("POST", "/batches", json={"input_file_id": file_id, "endpoint": CHAT, "metadata": {"a": "b"}})


def test_an_upload_goes_to_a_path_of_its_own_and_names_its_file(emulator: Emulator) -> None:
    file = uploaded(emulator).json()
    assert (file["filename"], file["purpose"], file["bytes"]) == ("in.jsonl", "batch-api", len(LINES))
    assert "status" not in file
    assert uploaded(emulator, "/files").status_code == 400
    assert uploaded(emulator, file_name="").status_code == 400
    emulator.play()
    assert uploaded(emulator).status_code == 404


def test_a_create_is_answered_201_with_a_job_that_shows_neither_counts_nor_metadata(emulator: Emulator) -> None:
    made = submitted(emulator, uploaded(emulator).json()["id"])
    assert made.status_code == 201
    assert sorted(made.json()) == ["job", "warning"]
    job = emulator.wait(made.json()["job"]["id"], "COMPLETED")
    assert not {"request_counts", "metadata", "usage", "errors", "object"} & set(job)
    assert job["created_at"].endswith("Z")
    assert [each["id"] for each in emulator.call("GET", "/batches").json()] == [job["id"]]


def test_a_missing_file_is_taken_and_fails_with_one_text(emulator: Emulator) -> None:
    job = emulator.wait(submitted(emulator, "file-none").json()["job"]["id"], "FAILED")
    assert isinstance(job["error"], str)
    assert not {"output_file_id", "error_file_id"} & set(job)


def test_a_line_that_failed_has_no_status_and_a_good_one_no_request_id(emulator: Emulator) -> None:
    emulator.play(service="together", lines=[{"custom_id": "a-2", "do": {"status": 400, "code": "bad"}}])
    made = submitted(emulator, uploaded(emulator).json()["id"]).json()["job"]
    job = emulator.wait(made["id"], "COMPLETED")
    read = [emulator.call("GET", f"/files/{job[name]}/content").content for name in ("error_file_id", "output_file_id")]
    (failed,), good = ([json.loads(line) for line in each.splitlines()] for each in read)
    assert (sorted(failed), failed["error"]["code"]) == (["custom_id", "error", "id"], "batch_client_error")
    assert {tuple(sorted(line["response"])) for line in good} == {("body", "status_code")}


def test_a_cancel_says_canceling_and_of_an_ended_job_409(emulator: Emulator) -> None:
    emulator.play(service="together", seconds_per_batch=600)
    made = submitted(emulator, uploaded(emulator).json()["id"]).json()["job"]
    assert emulator.call("POST", f"/batches/{made['id']}/cancel").json()["status"] == "CANCELING"
    job = emulator.wait(made["id"], "CANCELLED")
    assert "error_file_id" not in job, "lines that never ran stand nowhere"
    again = emulator.call("POST", f"/batches/{made['id']}/cancel")
    assert (again.status_code, again.json()["error"]) == (
        409,
        "Cannot cancel job - already in terminal state: CANCELLED",
    )
