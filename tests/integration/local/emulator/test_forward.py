"""Lines run on a real server: a small one of our own that answers, refuses and dawdles as the request says."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.integration.local.emulator.running import Emulator, chat_line, jsonl, started


class Model(BaseHTTPRequestHandler):
    """A model server that notes what it was asked."""

    seen: ClassVar[list[tuple[str, str | None]]] = []
    running: ClassVar[int] = 0
    most: ClassVar[int] = 0
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        """Answer, refuse or dawdle as `user` says."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.lock:
            Model.running += 1
            Model.most = max(Model.most, Model.running)
            self.seen.append((self.path, self.headers["authorization"]))
        time.sleep(2 if body.get("user") == "slow" else 0.05)
        with self.lock:
            Model.running -= 1
        self._answer(body)

    def _answer(self, body: dict[str, Any]) -> None:
        refused = body.get("user") == "refused"
        answer = {"error": {"message": "no"}} if refused else {"usage": {"prompt_tokens": 2, "completion_tokens": 3}}
        content = b"oops" if body.get("user") == "text" else json.dumps(answer).encode()
        self.send_response(422 if refused else 200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # a test may have the emulator stop waiting
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    options = ("--forward", url, "--forward-concurrency", "4", "--forward-timeout", "0.5", "--seconds-per-batch", "0")
    try:
        with started(*options, env={**os.environ, "FORWARD_API_KEY": "model-key"}) as emulator:
            yield emulator
    finally:
        server.shutdown()
        server.server_close()


def run(emulator: Emulator, *lines: dict[str, Any]) -> dict[str, Any]:
    return emulator.wait(emulator.create(emulator.upload(jsonl(list(lines)))["id"])["id"])


def test_answers_of_the_real_server_become_lines(emulator: Emulator) -> None:
    batch = run(emulator, chat_line("good"), chat_line("bad", user="refused"), chat_line("late", user="slow"))
    assert batch["request_counts"] == {"total": 3, "completed": 1, "failed": 2}
    assert (batch["usage"]["input_tokens"], batch["usage"]["output_tokens"]) == (2, 3)
    (good,) = emulator.lines(batch["output_file_id"])
    assert good["response"]["body"] == {"usage": {"prompt_tokens": 2, "completion_tokens": 3}}
    failed = {line["custom_id"]: line for line in emulator.lines(batch["error_file_id"])}
    assert failed["bad"]["response"]["status_code"] == 422
    assert failed["late"]["error"]["code"] == "request_timeout"


def test_the_lines_url_and_the_servers_own_key_are_used(emulator: Emulator) -> None:
    run(emulator, chat_line("a"))
    assert Model.seen[-1] == ("/v1/chat/completions", "Bearer model-key")


def test_only_so_many_requests_run_at_a_time(emulator: Emulator) -> None:
    while Model.running:  # a slow one that an earlier test has given up
        time.sleep(0.01)
    Model.most = 0
    files = [emulator.upload(jsonl([chat_line(f"a-{n}") for n in range(20)]))["id"] for _ in range(2)]
    for batch_id in [emulator.create(file_id)["id"] for file_id in files]:
        assert emulator.wait(batch_id)["request_counts"]["completed"] == 20
    assert Model.most == 4


def test_an_answer_that_is_no_json_is_kept_as_an_error_message(emulator: Emulator) -> None:
    batch = run(emulator, chat_line("a", user="text"))
    (line,) = emulator.lines(batch["output_file_id"])
    assert "no JSON object" in line["response"]["body"]["error"]["message"]


def test_a_server_that_is_not_there_is_a_503_line() -> None:
    with started("--forward", "http://127.0.0.1:9", "--seconds-per-batch", "0") as emulator:
        (line,) = emulator.lines(emulator.run(1)["error_file_id"])
        assert line["response"]["status_code"] == 503
