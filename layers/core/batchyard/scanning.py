"""Find the lines in a stream of bytes, holding no more than one of them."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

BLOCK: Final = 128 * 1024


class Found(NamedTuple):
    """A line where it stands: `offset` and `size` in bytes with its line end; `text` is None if it was too long to hold."""

    number: int
    offset: int
    size: int
    text: bytes | None


def scan(chunks: Iterable[bytes], longest: int) -> Iterator[Found]:
    r"""Yield each line that is not blank, numbered from 1 as an editor numbers them; lines end at "\n" only.

    The text keeps its line end. A line of more than `longest` bytes comes with text None.
    """
    offset = 0
    for number, (text, size) in enumerate(_lines(chunks, longest), start=1):
        if text is None or not text.isspace():
            yield Found(number, offset, size, text)
        offset += size


def blocks(chunks: Iterable[bytes], longest: int) -> Iterator[tuple[bytes | None, int]]:
    """Yield the bytes as blocks of whole lines, small enough to stay in the processor's cache, each with its size.

    A line of more than `longest` bytes comes alone, with None for its bytes; one that is longer than a block comes alone.
    """
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        start = chunk.find(b"\n") + 1 if size else 0
        if size:
            begun = chunk[:start] if start else chunk
            size += len(begun)
            held = [*held, begun] if size <= longest else []
            if not start:
                continue
            yield (b"".join(held) if size <= longest else None), size
        while stop := _block_end(chunk, start):
            yield (chunk[start:stop] if stop - start <= max(longest, BLOCK) else None), stop - start
            start = stop
        held, size = [chunk[start:]], len(chunk) - start
    if size:
        yield (b"".join(held) if size <= longest else None), size


def _block_end(chunk: bytes, start: int) -> int:
    """Find where the block that begins at `start` ends: behind the last line end within its size, or the first after it."""
    return chunk.rfind(b"\n", start, start + BLOCK) + 1 or chunk.find(b"\n", start) + 1


def _lines(chunks: Iterable[bytes], longest: int) -> Iterator[tuple[bytes | None, int]]:
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            size += len(piece) + 1
            yield (b"".join([*held, piece, b"\n"]) if size <= longest else None), size
            held, size = [], 0
        if rest:
            size += len(rest)
            held = [*held, rest] if size <= longest else []
    if size:
        yield (b"".join(held) if size <= longest else None), size
