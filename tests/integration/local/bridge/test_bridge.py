"""The bridge on sockets, between a caller and a far side that does as it is told."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.bridge.connection import Bridge
from local.bridge.far_side import FarSide as RealFarSide
from local.bridge.server import Server
from tests.integration.local.bridge.scripted_far_side import KEY, SHAPE, FarSide, far_side
from tests.system.processes import ROOT, environment

LARGE = 5_000_000


@pytest.fixture
def far() -> Iterator[FarSide]:
    with far_side() as far:
        yield far


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def bridge(far: FarSide, said: list[str], tmp_path: Path) -> Iterator[httpx.Client]:
    server = Server(0, Bridge(RealFarSide(f"{far.url}/v1", KEY), tmp_path, said.append))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with server, httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}", trust_env=False) as client:
        yield client
        server.shutdown()


def send(bridge: httpx.Client, data: bytes, **fields: str) -> httpx.Response:
    return bridge.post("/v1/files", files={"file": ("in.jsonl", data)}, data={"purpose": "batch", **fields}, timeout=60)


def lines(size: int) -> bytes:
    return (b'{"custom_id": "a"}\n' * (size // 19 + 1))[:size]


def test_a_small_form_passes_as_it_is(bridge: httpx.Client, far: FarSide) -> None:
    answer = send(bridge, b"{}\n")
    [seen] = far.seen
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert (seen.method, seen.path) == ("POST", "/v1/files")
    assert b"{}\n" in seen.body
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")


def test_a_large_file_goes_to_s3_and_the_answer_is_the_file(bridge: httpx.Client, far: FarSide) -> None:
    given = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    data = lines(LARGE)
    answer = send(bridge, data, **given)
    assert (answer.status_code, answer.json()) == (200, {**SHAPE, "status": "processed"})
    assert far.announced == {
        "filename": "in.jsonl", "purpose": "batch", "bytes": LARGE,
        "expires_after": {"anchor": "created_at", "seconds": 3600},
    }  # fmt: skip
    assert far.stored == {"/s3/0?signature=x%2Fy": data}


def test_the_key_goes_to_batchyard_and_never_to_s3(bridge: httpx.Client, far: FarSide) -> None:
    bridge.headers["authorization"] = "Bearer sk-of-the-caller"
    send(bridge, lines(LARGE))
    keys = {(each.method, each.path.partition("?")[0]): each.headers.get("authorization") for each in far.seen}
    assert keys.pop(("PUT", "/s3/0")) is None
    assert set(keys.values()) == {f"Bearer {KEY}"}


def test_a_large_file_goes_in_the_parts_that_are_asked_for(bridge: httpx.Client, far: FarSide) -> None:
    far.part = 2_000_000
    data = lines(LARGE)
    assert send(bridge, data).status_code == 200
    assert [len(each) for each in far.stored.values()] == [2_000_000, 2_000_000, 1_000_000]
    assert b"".join(far.stored.values()) == data


def test_a_form_without_a_length_is_taken_small_or_large(bridge: httpx.Client, far: FarSide) -> None:
    for size in (100, LARGE):
        body = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n%b\r\n--b--\r\n'
            % lines(size)
        )
        pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
        answer = bridge.post("/v1/files", content=pieces, headers={"content-type": "multipart/form-data; boundary=b"})
        assert answer.status_code == 200
    assert far.seen[0].headers["content-length"] == str(len(far.seen[0].body))
    assert far.stored == {"/s3/0?signature=x%2Fy": lines(LARGE)}


def test_a_refusal_of_the_file_comes_back_as_it_is(bridge: httpx.Client, far: FarSide) -> None:
    far.presign = 403
    answer = send(bridge, lines(LARGE))
    assert (answer.status_code, answer.headers["x-request-id"]) == (403, "r")
    assert far.paths() == [("POST", "/v1/uploads/presign")]


def test_a_passing_failure_of_s3_is_tried_again(bridge: httpx.Client, far: FarSide) -> None:
    far.puts = [503]
    assert send(bridge, lines(LARGE)).status_code == 200
    assert [method for method, _ in far.paths()].count("PUT") == 2


def test_a_file_that_s3_refuses_is_a_502_and_is_removed(bridge: httpx.Client, far: FarSide, said: list[str]) -> None:
    far.puts = [403]
    answer = send(bridge, lines(LARGE))
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "S3 refused the bytes of the file with status 403."
    assert far.paths()[-1] == ("DELETE", "/v1/files/file-1")
    assert said == ["POST /v1/files: S3 refused the bytes of the file with status 403."]


def test_a_form_that_breaks_off_announces_nothing(bridge: httpx.Client, far: FarSide) -> None:
    host = bridge.base_url.netloc.decode()
    caller = http.client.HTTPConnection(host)
    caller.putrequest("POST", "/v1/files")
    caller.putheader("Content-Type", "multipart/form-data; boundary=b")
    caller.putheader("Content-Length", "9000000")
    caller.endheaders(b"--b\r\n" + bytes(LARGE))
    caller.close()
    assert bridge.get("/v1/batches").status_code == 200
    assert far.paths() == [("GET", "/v1/batches")]


def test_everything_else_passes_unchanged(bridge: httpx.Client, far: FarSide) -> None:
    far.answer = (418, {"content-type": "text/plain", "x-request-id": "7", "retry-after": "3"}, b"tea")
    path = "/v1/batches/b%2Fc/cancel?after=a%20b&x=%7E"
    answer = bridge.post(
        path, content=b'{"a": 1}', headers={"idempotency-key": "k", "content-type": "application/json"}
    )
    [seen] = far.seen
    assert (seen.method, seen.path, seen.body) == ("POST", path, b'{"a": 1}')
    assert (seen.headers["idempotency-key"], seen.headers["authorization"]) == ("k", f"Bearer {KEY}")
    assert seen.headers["host"] == far.url.removeprefix("http://")
    assert (answer.status_code, answer.content) == (418, b"tea")
    assert (answer.headers["x-request-id"], answer.headers["retry-after"]) == ("7", "3")


@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
def test_a_connection_is_kept_for_further_requests(bridge: httpx.Client, far: FarSide, body: bytes) -> None:
    host = bridge.base_url.netloc.decode()
    caller = http.client.HTTPConnection(host)
    for _ in range(3):
        caller.request("POST", "/v1/batches", body)
        answer = caller.getresponse()
        assert (answer.status, answer.read(), answer.getheader("connection")) == (200, b'{"ok":true}', None)
    assert [len(each.body) for each in far.seen] == [len(body)] * 3
    caller.close()


def test_content_elsewhere_is_fetched_without_the_key(bridge: httpx.Client, far: FarSide) -> None:
    with far_side() as s3:
        s3.answer = (206, {"content-range": "bytes 2-4/9", "x-amz-id-2": "x"}, b"cde")
        far.answer = (302, {"location": f"{s3.url}/results?signature=x%2Fy"}, b"")
        answer = bridge.get("/v1/files/file-2/content", headers={"range": "bytes=2-4", "authorization": "Bearer sk"})
        [seen] = s3.seen
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (206, b"cde", "3")
    assert (answer.headers["content-range"], answer.headers.get("x-amz-id-2")) == ("bytes 2-4/9", None)
    assert (seen.path, seen.headers["range"]) == ("/results?signature=x%2Fy", "bytes=2-4")
    assert "authorization" not in seen.headers


def test_content_that_s3_refuses_is_a_502_in_the_shape_of_openai(bridge: httpx.Client, far: FarSide) -> None:
    with far_side() as s3:
        s3.answer = (403, {}, b"<Error/>")
        far.answer = (302, {"location": f"{s3.url}/results"}, b"")
        answer = bridge.get("/v1/files/file-2/content")
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "server_error")


def test_content_that_breaks_off_is_never_passed_off_as_whole(
    bridge: httpx.Client, far: FarSide, said: list[str]
) -> None:
    far.answer, far.breaks = (200, {}, bytes(1_000)), True
    with pytest.raises(httpx.RemoteProtocolError):
        bridge.get("/v1/files/file-2/content")
    assert said == ["GET /v1/files/file-2/content: The answer broke off."]


def test_redirects_without_end_are_not_followed(bridge: httpx.Client, far: FarSide) -> None:
    far.answer = (302, {"location": f"{far.url}/v1/again"}, b"")
    assert bridge.get("/v1/files/file-2/content").status_code == 502
    assert len(far.seen) == 4


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
def test_a_web_page_is_refused(bridge: httpx.Client, far: FarSide, headers: dict[str, str]) -> None:
    answer = bridge.get("/v1/batches", headers=headers)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "invalid_request_error")
    assert far.seen == []


def test_the_bridge_is_no_proxy_for_other_places(bridge: httpx.Client, far: FarSide) -> None:
    caller = http.client.HTTPConnection(bridge.base_url.netloc.decode())
    caller.putrequest("GET", "http://evil.example/v1/batches", skip_host=True)
    caller.putheader("Host", bridge.base_url.netloc.decode())
    caller.endheaders()
    assert caller.getresponse().status == 400
    assert far.seen == []
    caller.close()


def test_where_nobody_answers_a_post_is_not_to_be_sent_again_blindly(said: list[str], tmp_path: Path) -> None:
    server = Server(0, Bridge(RealFarSide("http://127.0.0.1:9/v1", KEY), tmp_path, said.append))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with server:
        base = f"http://127.0.0.1:{server.server_address[1]}"
        got, posted = httpx.get(f"{base}/v1/batches"), httpx.post(f"{base}/v1/batches", json={})
        server.shutdown()
    assert (got.status_code, posted.status_code) == (502, 502)
    assert got.json()["error"]["message"] == "127.0.0.1 did not answer (the connection failed)."
    assert (got.headers.get("x-should-retry"), posted.headers["x-should-retry"]) == (None, "false")


def test_a_disk_that_is_too_small_is_told(far: FarSide, tmp_path: Path) -> None:
    server = Server(0, Bridge(RealFarSide(f"{far.url}/v1", KEY), tmp_path / "gone", print))
    (tmp_path / "gone").touch()  # no file can be made in it
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with server, httpx.Client(base_url=f"http://127.0.0.1:{server.server_address[1]}") as client:
        answer = send(client, lines(LARGE))
        server.shutdown()
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "bridge_disk_full")
    assert far.seen == []


# The command


def started(**given: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "local.bridge"]
    return subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=ROOT, env={**environment(), **given}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("given", "status", "sentence"),
    [
        ({}, 2, "Set BATCHYARD_URL"),
        ({"BATCHYARD_URL": "https://api.example", "BATCHYARD_KEY": "k"}, 2, "as in https://…/v1"),
        ({"BATCHYARD_URL": "http://127.0.0.1:9/v1", "BATCHYARD_KEY": "k", "BRIDGE_PORT": "x"}, 2, "BRIDGE_PORT must"),
        ({"BATCHYARD_URL": "http://127.0.0.1:9/v1", "BATCHYARD_KEY": "k"}, 1, "127.0.0.1 did not answer"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(given: dict[str, str], status: int, sentence: str) -> None:
    with started(**given) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert sentence in err
    assert "Traceback" not in err


def test_a_wrong_key_ends_the_command(far: FarSide) -> None:
    far.answer = (401, {}, b"{}")
    with started(BATCHYARD_URL=f"{far.url}/v1", BATCHYARD_KEY="wrong") as process:
        err = process.communicate(timeout=60)[1]
    assert (process.returncode, err) == (2, "Batchyard refuses the key in BATCHYARD_KEY.\n")


@pytest.mark.parametrize("body", [b"<h1>Welcome</h1>", b'{"ok": true}', b"[]"])
def test_an_address_of_something_else_ends_the_command(far: FarSide, body: bytes) -> None:
    far.answer = (200, {}, body)
    with started(BATCHYARD_URL=f"{far.url}/v1", BATCHYARD_KEY="by_1") as process:
        err = process.communicate(timeout=60)[1]
    assert (process.returncode, err) == (2, "At BATCHYARD_URL no batch API answers.\n")


def peak(pid: int) -> int:
    """Return the most memory that a process has had, in MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found
    return int(found[1]) // 1_000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as Linux tells it")
def test_memory_does_not_grow_with_the_file_and_ctrl_c_ends_the_bridge(far: FarSide) -> None:
    size, far.keeps = 300_000_000, False
    far.answer = (200, {}, b'{"data": []}')
    with started(BATCHYARD_URL=f"{far.url}/v1", BATCHYARD_KEY=KEY) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["base_url"]
        before = peak(process.pid)
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n'
        piece = lines(1_000_000)
        body = (part for part in (head, *[piece] * (size // len(piece)), b"\r\n--b--\r\n"))
        headers = {"content-type": "multipart/form-data; boundary=b"}
        answer = httpx.post(f"{url}/files", content=body, headers=headers, timeout=120)
        after = peak(process.pid)
        os.kill(process.pid, signal.SIGINT)
        err = process.communicate(timeout=30)[1]
    assert (answer.status_code, far.announced["bytes"]) == (200, size)
    assert after - before < 50
    assert (process.returncode, "Traceback" in err) == (0, False)
