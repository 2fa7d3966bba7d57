"""Cut a stream of bytes into lines, holding no more than one chunk and one line."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import NamedTuple


class LineBlock(NamedTuple):
    """Neighbouring lines of a stream."""

    #: With their line ends; a line that was too long to hold is empty.
    lines: list[bytes]
    #: The true size of each line in bytes.
    sizes: list[int]

    def part(self, first: int, count: int) -> "LineBlock":
        """Take some of the lines."""
        return LineBlock(self.lines[first : first + count], self.sizes[first : first + count])


def blocks(chunks: Iterable[bytes], longest: int) -> Iterator[LineBlock]:
    """Yield the lines that end in each chunk; a line of more than `longest` bytes may come empty."""
    begun: list[bytes] = []
    size = 0
    for chunk in chunks:
        lines = BytesIO(chunk).readlines()  # the fastest way there is to cut bytes at line ends
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if lines and size:
            yield _one([*begun, lines.pop(0)], size + chunk.index(b"\n") + 1, longest)
            begun, size = [], 0
        if lines:
            yield LineBlock(lines, list(map(len, lines)))
        size += len(rest)
        begun = [*begun, rest] if size <= longest else []
        del chunk, lines, rest  # else the next chunk needs memory beside them
    if size:
        yield _one(begun, size, longest)


def _one(pieces: list[bytes], size: int, longest: int) -> LineBlock:
    return LineBlock([b"".join(pieces) if size <= longest else b""], [size])
