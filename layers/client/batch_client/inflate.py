"""Undo gzip and deflate piece by piece, and tell whether the stream was whole."""

import zlib
from collections.abc import Iterator

from .errors import ProtocolError

_PIECE_BYTES = 256 * 1024  # a small body can inflate a thousandfold, so it is given in pieces
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Inflater:
    """Inflate one body.

    Raises ProtocolError for another encoding, and a retryable ProtocolError for a garbled stream.
    """

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in _WINDOW_BITS:
            raise ProtocolError("The content comes in an encoding that was not asked for")
        self._bits = _WINDOW_BITS[encoding]
        self._stream = zlib.decompressobj(self._bits)

    @property
    def ended(self) -> bool:
        """Tell whether the stream has come to its end mark."""
        return self._stream.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the content of `chunk`."""
        while chunk:
            if self._stream.eof:  # gzip allows several streams, one after the other
                self._stream = zlib.decompressobj(self._bits)
            try:
                piece = self._stream.decompress(chunk, _PIECE_BYTES)
            except zlib.error as error:
                raise ProtocolError("The compressed content is garbled", retryable=True) from error
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if piece:
                yield piece
