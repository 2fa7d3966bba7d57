"""An HTTP server on loopback that plays one prepared step a request, down to the bytes and the way it hangs up."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import msgspec


class Seen(msgspec.Struct, frozen=True):
    """A request as it came over the wire; header names are lower-cased."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    connection: int


class Wire(BaseHTTPRequestHandler):
    """Give a step the request and the socket."""

    protocol_version = "HTTP/1.1"
    server: "ScriptedServer"
    seen: Seen

    def handle_one_request(self) -> None:
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.server.next_step()(self)
        except OSError:
            self.close_connection = True  # the client has hung up, which some scripts make it do

    def take(self) -> Seen:
        """Read the request's body and remember the request."""
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.seen = Seen(self.command, url.path, dict(parse_qsl(url.query)), headers, body, self.client_address[1])
        self.server.seen.append(self.seen)
        return self.seen

    def send(self, *lines: str, body: bytes = b"") -> None:
        """Write a head of `lines` and a body, as they are."""
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    def hang_up(self) -> None:
        """Close in an orderly way, as at the end of a body."""
        self.close_connection = True

    def reset(self) -> None:
        """Break the connection with a RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name http.server gives it
        """Say nothing."""


Step = Callable[[Wire], None]


class ScriptedServer(ThreadingHTTPServer):
    """Play the steps one by one; the last one stays."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *steps: Step) -> None:
        super().__init__(("127.0.0.1", 0), Wire)
        self.steps = list(steps)
        self.seen: list[Seen] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def next_step(self) -> Step:
        with self._lock:
            return self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]


@contextmanager
def serving(*steps: Step) -> Iterator[ScriptedServer]:
    """Run a server for as long as the block lasts."""
    with ScriptedServer(*steps) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(timeout=5)


def says(data: object, status: int = 200, *head: str) -> Step:
    """Answer with JSON."""
    return plays(json.dumps(data).encode(), status, "Content-Type: application/json", *head)


def plays(body: bytes, status: int = 200, *head: str, length: int | None = None) -> Step:
    """Answer with a body under a Content-Length, which may lie."""

    def step(wire: Wire) -> None:
        wire.take()
        said = len(body) if length is None else length
        wire.send(f"HTTP/1.1 {status} Some", f"Content-Length: {said}", *head, body=body)
        if said > len(body):
            wire.hang_up()

    return step


def resets(wire: Wire) -> None:
    """Take the request and break the connection instead of answering."""
    wire.take()
    wire.reset()


def resets_in_body(body: bytes, length: int) -> Step:
    """Break the connection in the middle of the body."""

    def step(wire: Wire) -> None:
        wire.take()
        wire.send("HTTP/1.1 200 OK", f"Content-Length: {length}", body=body)
        time.sleep(0.05)  # let the body arrive: a RST may overtake it
        wire.reset()

    return step


def dribbles(body: bytes, pause: float, *head: str) -> Step:
    """Answer byte by byte."""

    def step(wire: Wire) -> None:
        wire.take()
        wire.send("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *head)
        for index in range(len(body)):
            wire.wfile.write(body[index : index + 1])
            wire.wfile.flush()
            time.sleep(pause)

    return step


def until_close(body: bytes, *head: str) -> Step:
    """Answer without a length: the body ends where the connection does."""

    def step(wire: Wire) -> None:
        wire.take()
        wire.send("HTTP/1.1 200 OK", "Connection: close", *head, body=body)
        wire.hang_up()

    return step


def chunks(body: bytes, *, whole: bool = True, size: int = 1000) -> Step:
    """Answer in chunks; without the last one unless `whole`."""

    def step(wire: Wire) -> None:
        wire.take()
        wire.send("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
        for start in range(0, len(body), size):
            part = body[start : start + size]
            wire.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if whole:
            wire.wfile.write(b"0\r\n\r\n")
        else:
            wire.hang_up()

    return step
