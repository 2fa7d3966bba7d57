"""S3 and an event bus on 127.0.0.1, as far as the emulator of Bedrock asks: the objects are those of a bucket of memory."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.fakes.batches import BUCKET
from tests.fakes.bucket import MemoryBucket

if TYPE_CHECKING:
    from collections.abc import Iterator

PUT_EVENTS = "AWSEvents.PutEvents"


class S3Server:
    """A bucket that processes can reach, and the events they sent; another `bucket` may take its place at any time."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.events: list[dict[str, Any]] = []
        #: Keys that nobody may read or write.
        self.denied: set[str] = set()
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: S3Server

    def do_GET(self) -> None:
        key, stored = self._key(), self.served.bucket.stored
        if key not in stored or key in self.served.denied:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
            return
        self._answer(200, stored[key])

    def do_PUT(self) -> None:
        key, body = self._key(), self._body()
        if key in self.served.denied:
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
            return
        self.served.bucket.put(key, body)
        self._answer(200, b"")

    def do_POST(self) -> None:
        assert self.headers["X-Amz-Target"] == PUT_EVENTS
        entries = json.loads(self._body())["Entries"]
        self.served.events += entries
        self._answer(200, json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "e"}] * len(entries)}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _key(self) -> str:
        return unquote(self.path.partition("?")[0].removeprefix(f"/{BUCKET}/"))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"made-up"')
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Serve a bucket until the block ends."""
    served = S3Server()
    handler = type("Handler", (_Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        served.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()
