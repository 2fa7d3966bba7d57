"""What an object holds: its bytes, packed where they are many, or the URL where they are."""

import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from batchyard.domain.batch import InputObject

GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS  # zlib's number for gzip
# Text packs to a fifth or a tenth. What cannot fit when it is packed is not read for nothing.
MOST_READ: Final = 40_000_000  # bytes
NO_WEIGHT: Final = r"q=0(\.0{0,3})?"


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a file or report, as it is handed out."""

    #: The name by which a client saves it.
    filename: str
    #: The bytes, as gzip if `packed`; None if they are at `url`.
    data: bytes | None = None
    #: Whether the bytes are gzip that the client unpacks by itself.
    packed: bool = False
    #: Where the bytes are, for an hour; None if they are in `data`.
    url: str | None = None


def takes_gzip(accept_encoding: str | None) -> bool:
    """Tell whether a client that sends this header unpacks gzip by itself."""
    weights: dict[str, str] = {}
    for each in (accept_encoding or "").lower().split(","):
        name, _, weight = each.partition(";")
        weights[name.strip()] = weight.strip()
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "q=0")))
    return not re.fullmatch(NO_WEIGHT, weight)


def pack(data: bytes) -> bytes:
    """Pack bytes as gzip."""
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    return packer.compress(data) + packer.flush()


def large(
    chunks: Callable[[InputObject], Iterator[bytes]], found: InputObject, link: Callable[[], str], filename: str,
    most: int,
) -> Content:  # fmt: skip
    """Return a large object as gzip of at most `most` bytes, or its URL if it is larger even so, or too large to try."""
    packed = _packed(chunks(found), most) if found.size <= MOST_READ else None
    if packed is None:
        return Content(filename=filename, url=link())
    return Content(filename=filename, data=packed, packed=True)


def _packed(chunks: Iterator[bytes], most: int) -> bytes | None:
    """Pack bytes as they come; None as soon as they are more than `most`."""
    packer, packed = zlib.compressobj(wbits=GZIP_WINDOW), bytearray()
    for chunk in chunks:
        packed += packer.compress(chunk)
        if len(packed) > most:
            return None
    packed += packer.flush()
    return bytes(packed) if len(packed) <= most else None
