"""A far side that does as a test orders: Batchyard and S3 on one port, which keeps what it gets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

KEY = "by_made_up"
SHAPE = {"id": "file-1", "object": "file", "filename": "in.jsonl", "purpose": "batch"}


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FarSide:
    """What came, and what is to be answered."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    #: How long the parts are for which addresses are given.
    part: int = 10**12
    #: Statuses of the next PUTs; then 200.
    puts: list[int] = field(default_factory=list)
    #: Whether bodies of PUTs are kept.
    keeps: bool = True
    stored: dict[str, bytes] = field(default_factory=dict)
    received: int = 0
    announced: dict[str, Any] = field(default_factory=dict)
    #: An answer for every other request: status, headers, body. A body that is longer than its Content-Length breaks off.
    answer: tuple[int, dict[str, str], bytes] = (200, {"content-type": "application/json"}, b'{"ok":true}')
    presign: int = 200
    breaks: bool = False

    def paths(self) -> list[tuple[str, str]]:
        return [(each.method, each.path) for each in self.seen]


class Handler(BaseHTTPRequestHandler):
    """Answers by what stands in the far side of its server."""

    protocol_version = "HTTP/1.1"
    far: ClassVar[FarSide]

    def _do(self) -> None:
        data, left = bytearray(), int(self.headers.get("content-length") or 0)
        while left and (piece := self.rfile.read(min(left, 1 << 18))):
            left -= len(piece)
            self.far.received += len(piece)
            if self.far.keeps or self.command != "PUT":
                data += piece
        named = {name.lower(): value for name, value in self.headers.items()}
        self.far.seen.append(Seen(self.command, self.path, named, bytes(data)))
        status, headers, body = self._chosen(bytes(data))
        self.send_response_only(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.far.breaks else body)
        self.close_connection = self.far.breaks

    do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - the standard library's names

    def _chosen(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        if self.path == "/v1/uploads/presign":
            return self._presigned(data)
        if self.command == "PUT":
            self.far.stored[self.path] = data
            return (self.far.puts.pop(0) if self.far.puts else 200), {}, b"<Xml/>"
        if self.command == "GET" and self.path == "/v1/files/file-1":
            there = self.far.received >= self.far.announced["bytes"]
            return 200, {}, json.dumps({**SHAPE, "status": "processed" if there else "uploaded"}).encode()
        return self.far.answer

    def _presigned(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        self.far.announced = json.loads(data)
        size = self.far.announced["bytes"]
        parts = [
            {"url": f"{self.far.url}/s3/{start}?signature=x%2Fy", "bytes": min(self.far.part, size - start)}
            for start in range(0, size, self.far.part)
        ]
        upload = {"headers": {"If-None-Match": "*"}, "parts": parts}
        return self.far.presign, {"x-request-id": "r"}, json.dumps({**SHAPE, "upload": upload}).encode()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def far_side() -> Iterator[FarSide]:
    """Yield a far side that listens."""
    far = FarSide()
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"far": far})) as server:
        far.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield far
        finally:
            server.shutdown()
