"""AWS as moto plays it, on a port of this machine, for a function that runs as a process of its own."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.botocore_stubber import BotocoreStubber

from tests.fakes.moto import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPE: Final = re.compile(rf"Credential=[^/]+/\d+/{REGION}/([a-z0-9]+)/aws4_request")
QUEUED: Final[tuple[int, dict[str, str], bytes]] = (202, {}, b"")  # Lambda takes an asynchronous invocation in


class _Answers(BaseHTTPRequestHandler):
    """Answer each call as moto answers the same call of this process; the signature names the service."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        (service,) = SCOPE.findall(self.headers["authorization"])
        status, headers, answer = QUEUED if service == "lambda" else self._ask_moto(service, body)
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        named = {name.lower(): value for name, value in headers.items()}
        # the head of an object tells of bytes that are not sent
        self.send_header("content-length", named["content-length"] if self.command == "HEAD" else str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - the names that http.server looks for

    def _ask_moto(self, service: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        host, headers = f"{service}.{REGION}.amazonaws.com", HTTPHeaders()
        for name, value in self.headers.items():
            headers[name] = host if name.lower() == "host" else value
        url = f"https://{host}{self.path}"
        request = AWSPreparedRequest(self.command, url, headers, body, stream_output=False)
        answered = BotocoreStubber().process_request(request)
        assert answered is not None, f"moto knows nothing of {self.command} {url}"
        status, answer_headers, answer = answered
        return status, dict(answer_headers), answer.encode() if isinstance(answer, str) else answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a process that is ended leaves its connection open


@contextmanager
def moto_server() -> Iterator[str]:
    """Serve the AWS that this process mocks, and yield its address."""
    with _Server(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
