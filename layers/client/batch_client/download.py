"""Download a file whole, or raise an error.

Content-Length, chunked framing or the gzip trailer tells whether a body is whole. Without these the size in the file's
description tells. A Range request continues a short body. If the service answers with the whole content instead, the
bytes that were given before are compared by checksum and left out.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing

import requests

from .address import path_id
from .body import Body, is_plain, length_of
from .errors import APIConnectionError, APIStatusError, BatchClientError, DownloadIncomplete, ProtocolError
from .http_info import HttpInfo
from .transport import Call, Transport

# An answer with this many new bytes starts the count of retries anew, so the size of the file bounds the retries.
_PROGRESS_BYTES = 64 * 1024
_CONTENT_RANGE = r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)"


class Download:
    """Give the content of one file once, from one or more answers."""

    def __init__(
        self,
        transport: Transport,
        file_id: str,
        size_of: Callable[[str], int | None],
        path: str | None = None,
        given: int = 0,
        checksum: int = 0,
    ) -> None:
        self._transport = transport
        self._file_id = file_id
        self._path = path or f"/files/{path_id(file_id)}/content"
        self._size_of = size_of
        self._opened: requests.Response | None = None
        self._given = given  # bytes, by an earlier download too
        self._checksum = checksum
        self._size: int | None = None
        self._etag: str | None = None
        self._may_continue = True

    def with_http_info(self) -> HttpInfo[Iterator[bytes]]:
        """Open the first answer now, and return its status and headers with the content."""
        response = self._transport.retrier.run(self._open, lambda error: error.retryable)
        self._opened = response
        return HttpInfo(self.chunks(), response.status_code, response.headers)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content."""
        retrier = self._transport.retrier
        started, retry = retrier.clock.monotonic(), 0
        while True:
            before = self._given
            try:
                yield from self._one_answer()
            except BatchClientError as error:
                if self._given - before >= _PROGRESS_BYTES:
                    started, retry = retrier.clock.monotonic(), 0
                retry += 1
                if error.retryable and retrier.wait(retry - 1, error, started):
                    continue
                if not isinstance(error, APIConnectionError):
                    raise
                raise self._incomplete(error) from error
            else:
                return

    def _incomplete(self, error: BatchClientError) -> DownloadIncomplete:
        of = "" if self._size is None else f" of {self._size}"
        return DownloadIncomplete(
            f"{self._file_id} ended after {self._given}{of} bytes: {error.message}", retryable=error.retryable
        )

    def _one_answer(self) -> Iterator[bytes]:
        response, self._opened = self._opened or self._open(), None
        with closing(response):
            again = self._start(response)
            body = Body(response, self._transport.address.host)
            if body.inflater:
                self._may_continue = False  # a range would count compressed bytes
            for chunk in self._fresh(body.chunks(), again):
                self._given += len(chunk)
                self._checksum = zlib.crc32(chunk, self._checksum)
                yield chunk
        self._check_end(body)

    def _open(self) -> requests.Response:
        headers = {"Accept": "application/binary", "Accept-Encoding": "identity"}
        if self._given and self._may_continue:
            headers["Range"] = f"bytes={self._given}-"
            if self._etag:
                headers["If-Range"] = self._etag
        try:
            return self._transport.open(Call(method="GET", path=self._path, headers=headers, may_leave=True))
        except APIStatusError as error:
            if error.status != 416:
                raise
            self._may_continue = False
            raise APIConnectionError("The service does not continue the content", status=416) from error

    def _start(self, response: requests.Response) -> int:
        """Check the headers of an answer, and return how many of its bytes were given before."""
        if response.status_code == 206:
            return self._continued(response)
        length = length_of(response) if is_plain(response) else None
        if self._size is not None and length is not None and length != self._size:
            raise self._changed()
        self._size = self._size if length is None else length
        etag = response.headers.get("etag", "")
        self._etag = etag if etag.startswith('"') else None  # a weak tag does not promise equal bytes
        return self._given

    def _continued(self, response: requests.Response) -> int:
        found = re.fullmatch(_CONTENT_RANGE, response.headers.get("content-range", ""))
        total = self._size if not found or found[2] == "*" else int(found[2])
        if not found or int(found[1]) != self._given or total is None or not is_plain(response) or not self._given:
            self._may_continue = False
            raise APIConnectionError("The service continues the content otherwise than asked", status=206)
        if self._size not in (None, total):
            raise self._changed()
        self._size = total
        return 0

    def _fresh(self, chunks: Iterator[bytes], again: int) -> Iterator[bytes]:
        checksum = 0
        for chunk in chunks:
            old, new = chunk[:again], chunk[again:]
            again -= len(old)
            checksum = zlib.crc32(old, checksum)
            if old and not again and checksum != self._checksum:
                raise self._changed()
            if new:
                yield new
        if again:
            raise APIConnectionError("The content ended before the point it had reached")

    def _check_end(self, body: Body) -> None:
        if self._size is None and body.proves_its_end:
            return
        if self._size is None:
            size = self._size_of(self._file_id)
            if size is None or size < self._given:
                raise APIConnectionError("nothing tells whether that is all", retryable=False)
            self._size = size
        if self._given < self._size:
            raise APIConnectionError("The content ended short")
        if self._given > self._size:
            raise self._changed()

    def _changed(self) -> ProtocolError:
        return ProtocolError(f"The content of {self._file_id} is not what it was when the download began")
