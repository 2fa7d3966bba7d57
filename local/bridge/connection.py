"""One connection of a caller: what the bridge does itself, and what it passes on."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from local import callers
from local.bridge import form, passing
from local.bridge.errors import BridgeError, CallerGone, FarSideError
from local.bridge.far_side import FarSide, Pairs
from local.bridge.request_body import CHUNK, RequestBody, body_of
from local.bridge.upload import Refused, explained, upload

_MOST_THROUGH = 4_500_000  # bytes of a body that Batchyard itself takes
_IDLE_SECONDS = 60
_NO_BODY = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True)
class Bridge:
    """What every connection needs."""

    #: Batchyard and S3.
    far_side: FarSide
    #: Where large files lie while they come.
    folder: Path
    #: Tells the user of a failure.
    say: Callable[[str], None]


class Connection(BaseHTTPRequestHandler):
    """The requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def __init__(self, bridge: Bridge, *arguments: Any) -> None:  # noqa: ANN401 - as in the standard library
        self._bridge = bridge
        self._begun = False
        self._body: RequestBody | None = None
        super().__init__(*arguments)

    def _serve(self) -> None:
        self._begun, self._body = False, None
        try:
            self._answer()
        except CallerGone:
            self.close_connection = True
        except BridgeError as error:
            self._fail(error)
        if self._unread():
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the standard library's names

    def _answer(self) -> None:
        headers = list(self.headers.items())
        if callers.is_foreign([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]):
            raise BridgeError(HTTPStatus.FORBIDDEN, callers.REFUSED)
        if not self.path.startswith("/"):
            raise BridgeError(HTTPStatus.BAD_REQUEST, "The bridge is no proxy: give the path of the API alone.")
        self._body = body = body_of(self.rfile, self.headers)
        if (self.command, urlsplit(self.path).path.rstrip("/")) == ("POST", "/v1/files"):
            self._upload(body, headers)
        else:
            self._pass(headers, self._whole(body) if body.length is None else _Sized(body))

    def _pass(self, headers: Pairs, body: "_Sized | bytes") -> None:
        far_side = self._bridge.far_side
        with far_side.call(self.command, self.path, passing.to_batchyard(headers), body) as response:
            led = self.command == "GET" and response.is_redirect
            final = far_side.follow(response, passing.to_s3(headers)) if led else response
            with final:
                if led:
                    _check_content(final)
                self._send(final.status_code, passing.back(final, of_s3=led), passing.pieces(final))

    def _whole(self, body: RequestBody, start: bytes | None = None) -> bytes:
        whole = body.start(_MOST_THROUGH) if start is None else start
        if not body.ended:
            message = f"The body has more than {_MOST_THROUGH} bytes, and is no form with a file."
            raise BridgeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, "file_too_large")
        return whole

    def _upload(self, body: RequestBody, headers: Pairs) -> None:
        start = body.start(_MOST_THROUGH)
        boundary = form.boundary_of(self.headers.get("content-type"))
        if body.ended or boundary is None:
            self._pass(headers, self._whole(body, start))
            return
        try:
            self._upload_large([start], body, boundary)
        except OSError as error:
            if isinstance(error, ConnectionError | TimeoutError):
                raise
            raise explained(error) from error

    def _upload_large(self, begun: list[bytes], body: RequestBody, boundary: bytes) -> None:
        self._check_room(body.length)
        with tempfile.TemporaryFile(dir=self._bridge.folder, buffering=CHUNK) as spool:
            received = form.receive(_rest(begun, body), boundary, spool)
            body.drain()  # what may stand behind the last boundary
            try:
                response = upload(self._bridge.far_side, received, spool)
            except Refused as refused:
                response = refused.response
        with response:
            self._send(response.status_code, passing.back(response, of_s3=False), [response.content])

    def _check_room(self, needed: int | None) -> None:
        free = shutil.disk_usage(self._bridge.folder).free
        if needed is not None and needed > free:
            message = f"The bridge keeps a large file on disk while it comes: {needed:,} bytes, and {free:,} are free."
            raise BridgeError(HTTPStatus.INSUFFICIENT_STORAGE, message, "bridge_disk_full")

    def _fail(self, error: BridgeError) -> None:
        path = urlsplit(self.path).path
        if isinstance(error, FarSideError):
            self._bridge.say(f"{self.command} {path[:200]}: {error}")
        if self._begun:  # the caller sees that the body is short
            self.close_connection = True
            return
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(error.body)))]
        if self.command == "POST" and path != "/v1/files" and isinstance(error, FarSideError):
            headers.append(("x-should-retry", "false"))  # it may have been carried out
        if error.status == HTTPStatus.INSUFFICIENT_STORAGE:
            headers.append(("x-should-retry", "false"))
        self._drain()
        self._send(error.status, headers, [error.body])

    def _drain(self) -> None:
        """Read what the caller still sends, else the caller would never read the answer."""
        if self._body is not None:
            try:
                self._body.drain()
            except (CallerGone, BridgeError):
                self.close_connection = True

    def _send(self, status: int, headers: Sequence[tuple[str, str]], pieces: Iterable[bytes]) -> None:
        empty = self.command == "HEAD" or status in _NO_BODY
        sized = any(name.lower() == "content-length" for name, _ in headers)
        chunked = not (empty or sized) and self.request_version == "HTTP/1.1"
        self._begun = True
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self._close_if_needed(unsized=not (empty or sized or chunked))
        self.end_headers()
        if not empty:
            self._write(pieces, chunked=chunked)

    def _unread(self) -> bool:
        """Tell whether bytes may lie on the connection that are no request."""
        return self._body is None or not self._body.ended

    def _close_if_needed(self, *, unsized: bool) -> None:
        server: Any = self.server
        if unsized or server.crowded or self._unread():
            self.send_header("Connection", "close")  # which also sets close_connection

    def _write(self, pieces: Iterable[bytes], *, chunked: bool) -> None:
        for piece in pieces:
            if piece:
                self._write_out(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self._write_out(b"0\r\n\r\n")

    def _write_out(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
        except OSError as error:
            raise CallerGone(str(error)) from error

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no proper request in OpenAI's shape, and close the connection."""
        error = BridgeError(HTTPStatus(code), message or explain or HTTPStatus(code).phrase)
        self.request_version = getattr(self, "request_version", "HTTP/1.1")
        self.command = getattr(self, "command", None) or "GET"
        self._body = None
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(error.body)))]
        self._send(code, headers, [error.body])

    def log_message(self, *_: object) -> None:
        """Say nothing: what goes well needs no line."""


class _Sized:
    """The body of a caller that is passed on as it comes."""

    def __init__(self, body: RequestBody) -> None:
        self._body = body

    def __len__(self) -> int:
        return self._body.length or 0

    def __iter__(self) -> Any:  # noqa: ANN401 - an iterator of bytes
        return iter(self._body)


def _rest(begun: list[bytes], body: RequestBody) -> Iterable[bytes]:
    """Yield what was read already, and then the rest; what was read is forgotten as soon as it is yielded."""
    while begun:
        yield begun.pop()
    yield from body


def _check_content(response: requests.Response) -> None:
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise BridgeError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The content has no such range.")
        raise FarSideError(f"S3 refused the content with status {response.status_code}.")
