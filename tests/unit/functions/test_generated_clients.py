"""Requests as the clients send them that openapi-generator makes of OpenAI's description; versions differ, habits stay."""

import json
from typing import Any

import pytest

from batchyard import services
from batchyard.api import api_keys
from batchyard.domain.batch import InputObject
from tests.fakes.batches import BATCH_ID, BUCKET, batch
from tests.fakes.services import MemoryServices
from tests.unit.functions.gateway import call

CREATE = {
    "input_file_id": f"s3://{BUCKET}/files/acme/in.jsonl",
    "endpoint": "/v1/responses",
    "completion_window": "24h",
}
SOURCE = InputObject(BUCKET, "inbox/acme/requests.jsonl", "etag", 10, "v1")
BOUNDARY = "359debdd6c82dd2d56363070"
JSON = "application/json"

# What each sends on every call, what on a call with a body besides, and what it makes of members that were not set.
CLIENTS: dict[str, tuple[dict[str, str], dict[str, str], dict[str, Any]]] = {
    "javascript": (
        {"user-agent": "OpenAPI-Generator/2.3.0/Javascript", "accept": JSON, "accept-encoding": "gzip, deflate"},
        {"content-type": JSON},
        {},
    ),
    "ruby": ({"user-agent": "OpenAPI-Generator/1.0.0/ruby", "accept": JSON, "content-type": JSON}, {}, {}),
    "rust": ({"user-agent": "OpenAPI-Generator/2.3.0/rust", "accept": "*/*"}, {"content-type": JSON}, {}),
    "python": (
        {"user-agent": "OpenAPI-Generator/1.0.0/python", "accept": JSON, "accept-encoding": "identity"},
        {"content-type": JSON},
        {},
    ),
    "java-micronaut": ({"accept": JSON}, {"content-type": JSON}, {}),
    "dart": (
        {"user-agent": "Dart/3.9 (dart:io)", "accept-encoding": "gzip"},
        {"content-type": "application/json; charset=utf-8"},
        {"metadata": None, "output_expires_after": None},
    ),
}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MemoryServices:
    made = MemoryServices()
    monkeypatch.setattr(services, "current", lambda: made)
    made.bucket.put("files/acme/in.jsonl", b"{}\n")
    return made


@pytest.fixture
def acme(made: MemoryServices) -> str:
    return f"Bearer {api_keys.create(made.api_key_store, 'acme')}"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_generated_client_creates_retrieves_lists_and_cancels(client: str, acme: str, made: MemoryServices) -> None:
    said, with_body, unset = CLIENTS[client]
    always = said | {"authorization": acme}
    created = call("POST", "/v1/batches", json.dumps(CREATE | unset), **always, **with_body)
    assert (created.status, created.json["status"], created.json["metadata"]) == (200, "validating", None)
    path = f"/v1/batches/{created.json['id']}"
    assert call("GET", path, **always).json == created.json
    for query in ("", "limit=20", "limit=1", f"limit=20&after={BATCH_ID}"):
        made.batch_store.batches[BATCH_ID] = batch(tenant="acme", input=SOURCE, created_at=made.now() + 1)
        answer = call("GET", "/v1/batches", query=query, **always)
        assert (answer.status, answer.json["object"]) == (200, "list")
    for body in (None, ""):
        assert call("POST", f"{path}/cancel", body, **always).json["status"] == "cancelling"


def form(*parts: tuple[str, str]) -> bytes:
    lines = [f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n" for head, text in parts]
    return "".join([*lines, f"--{BOUNDARY}--\r\n"]).encode()


FILE = ('name="file"; filename="good.jsonl"\r\nContent-Type: application/octet-stream', '{"custom_id": "a"}\n')
PURPOSE = ('name="purpose"', "batch")
LIFE = ('name="expires_after"', '{"anchor":"created_at","seconds":7200}')
UPLOADS = {
    "javascript": (FILE, PURPOSE, LIFE),
    "ruby": (FILE, PURPOSE),
    "rust": (FILE, PURPOSE, LIFE),
    "python": (PURPOSE, LIFE, FILE),
    "dart": (('name="file"', "file"), PURPOSE, FILE),
}


@pytest.mark.parametrize("client", UPLOADS)
def test_a_generated_client_uploads_and_deletes(client: str, acme: str, made: MemoryServices) -> None:
    always = CLIENTS[client][0] | {"authorization": acme}
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    file = call("POST", "/v1/files", form(*UPLOADS[client]), **(always | kind)).json
    assert (file["filename"], file["bytes"]) == ("good.jsonl", len(FILE[1]))
    assert file["expires_at"] == file["created_at"] + (7_200 if LIFE in UPLOADS[client] else 30 * 86_400)
    listed = call("GET", "/v1/files", query="limit=10000&order=desc", **always)
    assert [each["id"] for each in listed.json["data"]] == [file["id"]]
    assert call("GET", f"/v1/files/{file['id']}/content", **always).body == FILE[1].encode()
    assert call("DELETE", f"/v1/files/{file['id']}", **always).json["deleted"] is True
    assert made.file_store.known[file["id"]].there(made.now()) is False
