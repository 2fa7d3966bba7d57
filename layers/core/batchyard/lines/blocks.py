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
        if lines:
            sizes = list(map(len, lines))
            if size:
                sizes[0] += size
                lines[0] = b"".join([*begun, lines[0]]) if sizes[0] <= longest else b""
                begun, size = [], 0
            yield LineBlock(lines, sizes)
        size += len(rest)
        begun = [*begun, rest] if size <= longest else []
        del chunk, lines, rest  # else the next chunk needs memory beside them
    if size:
        yield LineBlock([b"".join(begun)], [size])
