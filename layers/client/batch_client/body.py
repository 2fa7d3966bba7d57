"""Read the body of one answer, and tell whether the body is whole."""

import re
from collections.abc import Iterator

import requests

from .errors import APIConnectionError
from .inflate import Inflater
from .transport_errors import TRANSPORT_ERRORS, translate

_READ_BYTES = 256 * 1024


class Body:
    """Read the body of one answer, and tell whether its framing proves that the body is whole."""

    def __init__(self, response: requests.Response, host: str) -> None:
        self._raw = response.raw
        self._host = host
        self._length = length_of(response)
        self.inflater = None if is_plain(response) else Inflater(response.headers["content-encoding"])
        self._chunked = is_chunked(response)

    @property
    def proves_its_end(self) -> bool:
        """Tell whether a body that was read to its end is certainly whole."""
        return self._chunked or self._length is not None or (self.inflater is not None and self.inflater.ended)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content without its compression; raise APIConnectionError if the compression shows a cut."""
        received = 0
        while chunk := self._read():
            received += len(chunk)
            if self.inflater:
                yield from self.inflater.pieces(chunk)
            else:
                yield chunk
        if received and self.inflater and not self.inflater.ended:
            raise APIConnectionError(f"The compressed body ended after {received} bytes")

    def _read(self) -> bytes:
        try:
            chunk: bytes = self._raw.read(_READ_BYTES, decode_content=False)
        except TRANSPORT_ERRORS as error:
            raise translate(error, self._host) from error
        return chunk


def is_plain(response: requests.Response) -> bool:
    """Tell whether the body is the content itself, without compression."""
    return response.headers.get("content-encoding", "").strip().lower() in ("", "identity")


def is_chunked(response: requests.Response) -> bool:
    """Tell whether the body is sent in chunks, of which the last one marks the end."""
    return "chunked" in response.headers.get("transfer-encoding", "").lower()  # chunks override a length


def length_of(response: requests.Response) -> int | None:
    """Return the number of bytes that the headers announce; None if they announce none."""
    text = response.headers.get("content-length", "")
    return int(text) if not is_chunked(response) and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None
