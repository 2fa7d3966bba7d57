"""Every failure of a call, seen on the wire the way a client meets it."""

import gzip
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.local.emulator.running import CHAT, Emulator, chat_line, jsonl

CONTENT = jsonl([chat_line(f"a-{n}") for n in range(200)])


def order(emulator: Emulator, operation: str, **fault: object) -> None:
    emulator.play(calls=[{"operation": operation, "nth": 1, "do": fault}])


def raw(emulator: Emulator, path: str) -> tuple[bytes, str]:
    """Return all bytes a GET brings and how the connection ended: `closed` or `reset`."""
    address = urlsplit(emulator.url)
    with socket.create_connection((str(address.hostname), address.port or 80), timeout=5) as connection:
        request = f"GET /v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {emulator.api_key}\r\n\r\n"
        connection.sendall(request.encode())
        received = b""
        try:
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionResetError:
            return received, "reset"
        return received, "closed"


def body_of(received: bytes) -> tuple[str, bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def test_every_answer_carries_the_providers_headers(emulator: Emulator) -> None:
    headers = emulator.call("GET", "/batches").headers
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-processing-ms"].isdecimal()


@pytest.mark.parametrize(
    ("status", "error", "headers"),
    [
        (
            429,
            {"code": "rate_limit_exceeded"},
            {"retry-after": "3", "retry-after-ms": "2500", "x-should-retry": "false"},
        ),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, {}),
        (401, {"code": "invalid_api_key"}, {}),
        (403, {"message": "Country not supported"}, {}),
        (500, {}, {}),
        (503, {"type": "service_unavailable_error"}, {"retry-after": "Fri, 21 Nov 2025 00:00:00 GMT"}),
        (520, {}, {}),
    ],
)
def test_a_status_is_answered_once_with_its_envelope_and_headers(
    emulator: Emulator, status: int, error: dict[str, str], headers: dict[str, str]
) -> None:
    order(emulator, "listBatches", status=status, error=error, headers=headers)
    response = emulator.call("GET", "/batches")
    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert response.json()["error"].items() >= error.items()
    assert {name: response.headers[name] for name in headers} == headers
    assert emulator.call("GET", "/batches").status_code == 200


def test_a_gateways_html_page_can_stand_in_for_an_error(emulator: Emulator) -> None:
    order(emulator, "retrieveBatch", status=502, html=True)
    response = emulator.call("GET", "/batches/batch_x")
    assert (response.status_code, response.headers["content-type"]) == (502, "text/html")
    assert response.text.startswith("<html>")


def test_an_answer_can_be_broken_json_though_the_file_was_made(emulator: Emulator) -> None:
    order(emulator, "createFile", body='{"id": "file-', after_effect=True)
    response = emulator.call("POST", "/files", data={"purpose": "batch"}, files={"file": ("x.jsonl", CONTENT)})
    assert (response.status_code, response.text) == (200, '{"id": "file-')
    made = emulator.calls("createFile")[-1]["file_id"]
    assert emulator.get(f"/files/{made}")["bytes"] == len(CONTENT)


@pytest.mark.parametrize("fault", [{"connection": "reset"}, {"connection": "close"}, {"status": 500}])
@pytest.mark.parametrize("after_effect", [True, False])
def test_an_answer_can_be_lost_before_or_after_the_batch_was_made(
    emulator: Emulator, fault: dict[str, object], after_effect: bool
) -> None:
    file_id = emulator.upload(CONTENT)["id"]
    order(emulator, "createBatch", **fault, after_effect=after_effect)
    body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
    if "connection" in fault:
        with pytest.raises(requests.ConnectionError):
            emulator.call("POST", "/batches", json=body)
    else:
        assert emulator.call("POST", "/batches", json=body).status_code == 500
    made = [batch for batch in emulator.get("/batches?limit=100")["data"] if batch["input_file_id"] == file_id]
    assert len(made) == int(after_effect)
    call = emulator.calls("createBatch")[-1]
    assert call["faulted"]
    assert call["status"] == fault.get("status")
    assert call.get("batch_id") == (made[0]["id"] if made else None)


def test_an_upload_can_be_reset_before_its_body_is_read(emulator: Emulator) -> None:
    order(emulator, "createFile", connection="reset", early=True)
    with pytest.raises(requests.ConnectionError):
        emulator.call("POST", "/files", data={"purpose": "batch"}, files={"file": ("x.jsonl", b"x" * 20_000_000)})


def test_a_reset_is_a_reset_and_a_close_is_a_close(emulator: Emulator) -> None:
    order(emulator, "listBatches", connection="reset")
    assert raw(emulator, "/batches") == (b"", "reset")
    order(emulator, "listBatches", connection="close")
    assert raw(emulator, "/batches") == (b"", "closed")


def test_an_answer_can_stall(emulator: Emulator) -> None:
    order(emulator, "listBatches", connection="stall")
    with pytest.raises(requests.ReadTimeout):
        requests.get(emulator.url + "/batches", timeout=0.2)
    assert emulator.get("/batches")["object"] == "list"


def test_an_answer_can_be_late(emulator: Emulator) -> None:
    order(emulator, "listBatches", delay=0.3)
    began = time.monotonic()
    emulator.get("/batches")
    assert time.monotonic() - began >= 0.3


def test_a_body_shorter_than_its_content_length(emulator: Emulator) -> None:
    file_id = emulator.upload(CONTENT)["id"]
    order(emulator, "downloadFile", cut={"at": 0.5})
    head, body = body_of(raw(emulator, f"/files/{file_id}/content")[0])
    assert f"content-length: {len(CONTENT)}" in head
    assert body == CONTENT[: len(CONTENT) // 2]


def test_a_body_ended_by_a_reset_after_so_many_bytes(emulator: Emulator) -> None:
    file_id = emulator.upload(CONTENT)["id"]
    order(emulator, "downloadFile", cut={"at": 1000, "reset": True})
    received, end = raw(emulator, f"/files/{file_id}/content")
    assert (body_of(received)[1], end) == (CONTENT[:1000], "reset")


def test_a_chunked_body_without_its_last_chunk(emulator: Emulator) -> None:
    file_id = emulator.upload(CONTENT)["id"]
    order(emulator, "downloadFile", cut={"at": 1000, "framing": "chunked"})
    head, body = body_of(raw(emulator, f"/files/{file_id}/content")[0])
    assert "transfer-encoding: chunked" in head
    assert not body.endswith(b"0\r\n\r\n")
    emulator.play(calls=[{"do": {"cut": {"at": 1000, "framing": "chunked"}}}])
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        emulator.call("GET", f"/files/{file_id}/content")


def test_a_body_that_only_the_close_of_the_connection_ends(emulator: Emulator) -> None:
    file_id = emulator.upload(CONTENT)["id"]
    order(emulator, "downloadFile", cut={"at": 1000, "framing": "close"})
    received, end = raw(emulator, f"/files/{file_id}/content")
    head, body = body_of(received)
    assert "content-length" not in head
    assert "transfer-encoding" not in head
    assert (body, end) == (CONTENT[:1000], "closed")


def test_a_body_that_dribbles_comes_whole(emulator: Emulator) -> None:
    order(emulator, "listFiles", dribble={"bytes": 40, "seconds": 0.02})
    emulator.upload(CONTENT)
    began = time.monotonic()
    assert len(emulator.get("/files?limit=1")["data"]) == 1
    assert time.monotonic() - began > 0.1


def test_a_body_can_come_compressed(emulator: Emulator) -> None:
    file_id = emulator.upload(CONTENT)["id"]
    order(emulator, "downloadFile", gzip=True)
    head, body = body_of_keep_alive(emulator, f"/files/{file_id}/content")
    assert head["content-encoding"] == "gzip"
    assert gzip.decompress(body) == CONTENT


def body_of_keep_alive(emulator: Emulator, path: str) -> tuple[http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(str(urlsplit(emulator.url).netloc), timeout=5)
    try:
        connection.request("GET", f"/v1{path}", headers={"Authorization": "Bearer x"})
        response = connection.getresponse()
        return response.headers, response.read()
    finally:
        connection.close()


def test_a_status_can_go_back_and_be_unknown_for_some_polls(emulator: Emulator) -> None:
    batch_id = emulator.run(1)["id"]
    emulator.play(
        calls=[
            {"operation": "retrieveBatch", "nth": 1, "do": {"set": {"status": "in_progress", "output_file_id": None}}},
            {"operation": "retrieveBatch", "nth": 2, "do": {"set": {"status": "pondering", "output_file_id": ""}}},
            {"operation": "retrieveBatch", "nth": 3, "do": {"unset": ["request_counts"], "wrap": "job"}},
        ]
    )
    seen = [emulator.get(f"/batches/{batch_id}") for _ in range(4)]
    assert [batch.get("status") for batch in seen] == ["in_progress", "pondering", None, "completed"]
    assert [batch.get("output_file_id") for batch in seen[:2]] == [None, ""]
    assert "request_counts" not in seen[2]["job"]


def test_a_list_can_lag_behind(emulator: Emulator) -> None:
    older, newer = emulator.submit(1), emulator.submit(1)
    order(emulator, "listBatches", hide_newest=1)
    assert emulator.get("/batches")["data"][0]["id"] == older
    assert emulator.get("/batches")["data"][0]["id"] == newer


def test_a_page_can_be_empty_and_yet_promise_more(emulator: Emulator) -> None:
    order(emulator, "listBatches", set={"data": [], "has_more": True})
    assert emulator.get("/batches")["data"] == []


def test_ranges_are_served_only_when_the_scenario_says_so(emulator: Emulator) -> None:
    path = f"/files/{emulator.upload(CONTENT)['id']}/content"
    assert emulator.call("GET", path, headers={"Range": "bytes=100-"}).content == CONTENT
    emulator.play(ranges=True)
    part = emulator.call("GET", path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, CONTENT[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(CONTENT)}"
    rest = emulator.call("GET", path, headers={"Range": "bytes=100-"})
    assert rest.content == CONTENT[100:]
    assert emulator.call("GET", path, headers={"Range": f"bytes={len(CONTENT)}-"}).status_code == 416


def test_a_misspelt_scenario_is_refused_and_the_old_one_goes_on(emulator: Emulator) -> None:
    order(emulator, "listBatches", status=500)
    url = emulator.url.removesuffix("/v1") + "/_emulator/scenario"
    refused = requests.post(url, json={"calls": [{"do": {"stauts": 500}}]}, timeout=5)
    assert refused.status_code == 400
    assert "stauts" in refused.json()["error"]["message"]
    assert emulator.call("GET", "/batches").status_code == 500


def test_the_record_of_calls_never_holds_the_key(emulator: Emulator) -> None:
    emulator.session.headers["Authorization"] = "Bearer very-secret"
    try:
        emulator.get("/batches?limit=3")
    finally:
        emulator.session.headers["Authorization"] = f"Bearer {emulator.api_key}"
    last = emulator.calls("listBatches")[-1]
    assert (last["query"], last["status"], last["faulted"]) == ("limit=3", 200, False)
    assert "very-secret" not in json.dumps(emulator.admin("/calls"))


def test_a_path_or_method_the_provider_does_not_have_is_refused(emulator: Emulator) -> None:
    for method, path in [("GET", "/nothing"), ("DELETE", "/batches/batch_x")]:
        response = emulator.call(method, path)
        assert response.status_code in (404, 405)
        assert response.json()["error"]["type"] == "invalid_request_error"
