"""Find the lines in a stream of bytes, holding no more than a chunk and one of them."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import NamedTuple


class Found(NamedTuple):
    """A line where it stands: `offset` and `size` in bytes with its line end; `text` is None if it was too long to hold."""

    number: int
    offset: int
    size: int
    text: bytes | None


class Block(NamedTuple):
    """Neighbouring lines with their line ends, and their sizes; a line that was too long to hold is empty."""

    lines: list[bytes]
    sizes: list[int]

    def part(self, first: int, count: int) -> "Block":
        """Take some of the lines."""
        return Block(self.lines[first : first + count], self.sizes[first : first + count])


def scan(chunks: Iterable[bytes], longest: int) -> Iterator[Found]:
    r"""Yield each line that is not blank, numbered from 1 as an editor numbers them; lines end at "\n" only.

    The text keeps its line end. A line of more than `longest` bytes comes with text None.
    """
    offset = number = 0
    for block in blocks(chunks, longest):
        for text, size in zip(*block, strict=True):
            number += 1
            if size > longest or not text.isspace():
                yield Found(number, offset, size, text if size <= longest else None)
            offset += size


def blocks(chunks: Iterable[bytes], longest: int) -> Iterator[Block]:
    """Yield the lines that end in each chunk; a line of more than `longest` bytes may come without them."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        lines = BytesIO(chunk).readlines()  # the fastest way there is to cut bytes at line ends
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if lines and size:
            yield _one([*begun, lines.pop(0)], size + chunk.index(b"\n") + 1, longest)
            begun, size = [], 0
        if lines:
            yield Block(lines, list(map(len, lines)))
        size += len(rest)
        begun = [*begun, rest] if size <= longest else []
    if size:
        yield _one(begun, size, longest)


def _one(pieces: list[bytes], size: int, longest: int) -> Block:
    return Block([b"".join(pieces) if size <= longest else b""], [size])
