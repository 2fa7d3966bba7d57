"""A door as Lambda runs it: a process under Lambda's own runtime client, which asks for one event after another."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import IO, TYPE_CHECKING, Any, Final

from tests.system.processes import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INVOCATION: Final = "/2018-06-01/runtime/invocation"
SECONDS: Final = 60


class _RuntimeApi(ThreadingHTTPServer):
    """Lambda's runtime API: the events of one door, and what it answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.events: Queue[bytes] = Queue()
        self.answers: Queue[tuple[str, bytes]] = Queue()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        event = self.server.events.get()  # the process waits for the next event until the test ends it
        deadline = str(int((time.time() + 600) * 1_000))
        told = {"Aws-Request-Id": "r-1", "Deadline-Ms": deadline, "Invoked-Function-Arn": "a"}
        self._say(200, event, {f"Lambda-Runtime-{name}": value for name, value in told.items()})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._say(202, b"{}", {})
        self.server.answers.put((self.path.rpartition("/")[2], body))

    def _say(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        # without a content type, the runtime client dies of a segmentation fault
        for name, value in {**headers, "content-type": "application/json", "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Door:
    """One function, running."""

    def __init__(self, api: _RuntimeApi, log: IO[str]) -> None:
        self._api, self._log = api, log

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return what the function answers; AssertionError with its log if it fails."""
        self._api.events.put(json.dumps(event).encode())
        kind, body = self._answer()
        assert kind == "response", self.printed()
        return json.loads(body)

    def fail(self, event: object) -> str:
        """Return the type of the error that the function fails with."""
        self._api.events.put(json.dumps(event).encode())
        kind, body = self._answer()
        assert kind == "error", body
        return str(json.loads(body)["errorType"])

    def _answer(self) -> tuple[str, bytes]:
        try:
            return self._api.answers.get(timeout=SECONDS)
        except Empty as error:
            raise AssertionError(f"no answer after {SECONDS} seconds: {self.printed()}") from error

    def printed(self) -> str:
        """Return all that the process has printed."""
        self._log.seek(0)
        return self._log.read()


@contextmanager
def running(name: str, variables: Mapping[str, str], log: IO[str]) -> Iterator[Door]:
    """Run the door of this name with these variables; all that it prints goes to `log`."""
    layers = ":".join(str(ROOT / "layers" / layer) for layer in ("client", "core"))
    with _RuntimeApi() as api:
        threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True).start()
        given = environment(
            AWS_LAMBDA_RUNTIME_API=f"127.0.0.1:{api.server_port}", AWS_LAMBDA_FUNCTION_NAME=name,
            AWS_LAMBDA_FUNCTION_VERSION="1", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512", **variables,
        )  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", "handler.handler"],
            cwd=ROOT / "functions" / name, env={**given, "PYTHONPATH": layers}, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield Door(api, log)
        finally:
            process.kill()
            process.wait()
            api.shutdown()
