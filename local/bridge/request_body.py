"""The body of a caller's request, read as it comes."""

import re
from collections.abc import Iterator, Sequence
from email.message import Message
from http import HTTPStatus
from typing import Protocol

from local.bridge.errors import BridgeError, CallerGone

CHUNK = 256 * 1024  # bytes
_LONGEST_LINE, _MOST_TRAILERS = 4_096, 100
_MOST_DRAINED = 4_000_000_000  # bytes: a caller reads the answer only after it has sent everything


class Stream(Protocol):
    """The reading side of a connection."""

    def read(self, size: int, /) -> bytes:
        """Return `size` bytes, or fewer at the end."""

    def readline(self, size: int, /) -> bytes:
        """Return a line of at most `size` bytes."""


class RequestBody:
    """Bytes that come one after the other, and only once."""

    def __init__(self, stream: Stream, length: int | None) -> None:
        """Read `length` bytes of the stream, or chunks up to the last one if the length is None."""
        self._stream = stream
        #: How many bytes the body has; None if it comes in chunks.
        self.length = length
        self._pieces = self._known(length) if length is not None else self._chunks()
        #: Whether all of it was read.
        self.ended = length == 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield what was not read yet; raises CallerGone if the caller breaks off."""
        yield from self._pieces
        self.ended = True

    def start(self, most: int) -> bytes:
        """Read the whole body if it has at most `most` bytes, else a little more than these."""
        read = bytearray()
        while len(read) <= most:
            piece = next(self._pieces, None)
            if piece is None:
                self.ended = True
                break
            read += piece
        return bytes(read)

    def drain(self) -> None:
        """Read the rest and forget it, within bounds."""
        left = _MOST_DRAINED
        for piece in self:
            left -= len(piece)
            if left < 0:
                raise CallerGone("the body has no end")

    def _known(self, left: int) -> Iterator[bytes]:
        while left:
            piece = self._read(min(CHUNK, left))
            left -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := self._chunk_size():
            yield from self._known(size)
            self._line()
        for _ in range(_MOST_TRAILERS):
            if not self._line():
                return
        raise BridgeError(HTTPStatus.BAD_REQUEST, "The body ends with too many trailers.")

    def _chunk_size(self) -> int:
        text = self._line().partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", text):
            raise BridgeError(HTTPStatus.BAD_REQUEST, "The body is not chunked as its headers say.")
        return int(text, 16)

    def _line(self) -> bytes:
        try:
            line = self._stream.readline(_LONGEST_LINE)
        except OSError as error:
            raise CallerGone(str(error)) from error
        if not line.endswith(b"\n"):
            raise CallerGone("the body breaks off")
        return line.rstrip(b"\r\n")

    def _read(self, size: int) -> bytes:
        try:
            piece = self._stream.read(size)
        except OSError as error:
            raise CallerGone(str(error)) from error
        if not piece:
            raise CallerGone("the body breaks off")
        return piece


def body_of(stream: Stream, headers: Message) -> RequestBody:
    """Return the body that these headers announce; raises BridgeError 400 if they contradict themselves."""
    lengths: Sequence[str] = headers.get_all("content-length", [])
    codings: Sequence[str] = headers.get_all("transfer-encoding", [])
    if not codings and not lengths:
        return RequestBody(stream, 0)
    if [each.strip().lower() for each in codings] == ["chunked"] and not lengths:
        return RequestBody(stream, None)
    if codings or len(set(lengths)) != 1 or not re.fullmatch(r"\d{1,18}", lengths[0].strip(), re.ASCII):
        raise BridgeError(HTTPStatus.BAD_REQUEST, "The headers do not say how long the body is.")
    return RequestBody(stream, int(lengths[0]))
