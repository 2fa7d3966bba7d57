"""Send a file in one request of known length, in constant memory."""

import os
from collections.abc import Iterable, Iterator, Mapping

from .errors import SourceError
from .sources import CHUNK_BYTES, Source


class StreamedBody:
    """The body of one request: what comes before a source, the source, and what comes behind it.

    The body has a length and an iterator, but no `read`. So requests sends each chunk as it comes with an exact
    Content-Length, and starts from the first byte when the body must be sent again.
    """

    def __init__(self, head: bytes, source: Source, tail: bytes) -> None:
        self._head, self._source, self._tail = head, source, tail
        self._size = len(source)

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield from gathered(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        yield self._head
        left = self._size
        for chunk in chunks_of(self._source):
            left -= len(chunk)
            if left < 0:  # more bytes than the Content-Length would be read as another request
                raise SourceError(f"The source gives more than the {self._size} bytes it said")
            yield chunk
        if left:
            raise SourceError(f"The source gives {self._size - left} of the {self._size} bytes it said")
        yield self._tail


class UploadBody(StreamedBody):
    """The body of one multipart request."""

    def __init__(self, source: Source, filename: str, fields: Mapping[str, str]) -> None:
        boundary = os.urandom(16).hex()
        parts = [_field(boundary, name, value) for name, value in fields.items()]
        head = ("".join(parts) + _file_head(boundary, filename)).encode()
        super().__init__(head, source, f"\r\n--{boundary}--\r\n".encode())
        self.content_type = f"multipart/form-data; boundary={boundary}"


def chunks_of(source: Source) -> Iterator[bytes]:
    """Yield the chunks of a source; raises SourceError, in place of whatever the source raises."""
    chunks = iter(source)
    while True:
        try:
            chunk = next(chunks, None)
        except SourceError:
            raise
        except Exception as error:  # the source is the caller's, and may raise anything
            raise SourceError(f"The source broke: {type(error).__name__}", retryable=True) from error
        if chunk is None:
            return
        yield _own_bytes(chunk)


def _own_bytes(chunk: object) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    if isinstance(chunk, bytearray | memoryview):
        return bytes(chunk)  # a source may use its buffer again while we still hold the chunk
    raise SourceError(f"The source gives {type(chunk).__name__} instead of bytes")


def gathered(chunks: Iterable[bytes], size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Join small chunks to `size` bytes at most, so that short lines do not cost a system call each."""
    waiting: list[bytes] = []
    held = 0
    for chunk in chunks:
        if waiting and held + len(chunk) > size:
            yield b"".join(waiting)
            waiting, held = [], 0
        waiting.append(chunk)
        held += len(chunk)
    if waiting:
        yield b"".join(waiting)


def _field(boundary: str, name: str, value: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def _file_head(boundary: str, filename: str) -> str:
    safe = filename.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{safe}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
