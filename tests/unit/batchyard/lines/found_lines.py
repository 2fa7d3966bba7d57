"""Lines with the place where they stand, as tests compare them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from batchyard.lines.blocks import blocks


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
    offset = number = 0
    for block in blocks(chunks, longest):
        for text, size in zip(*block, strict=True):
            number += 1
            if size > longest or not text.isspace():
                yield Found(number, offset, size, text if size <= longest else None)
            offset += size
