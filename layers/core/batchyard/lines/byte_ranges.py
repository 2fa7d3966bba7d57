"""What one attempt uploads: byte ranges of the source, streamed from the bucket as they are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from batchyard.domain.batch import InputObject

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket

# Ranges that are closer than this are read in one request, because a request costs more than the bytes between them.
NEAR: Final = 256 * 1024


class ByteRanges:
    """A body of known length that can be read more than once; it holds one chunk at a time."""

    def __init__(self, bucket: "Bucket", source: InputObject, ranges: list[tuple[int, int]]) -> None:
        """Take byte ranges `[start, stop)` of `source`, which ascend and do not overlap."""
        self._bucket, self._source, self._ranges = bucket, source, ranges

    def __len__(self) -> int:
        """Count the bytes."""
        return sum(stop - start for start, stop in self._ranges)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes of all ranges in order."""
        if self._source.files is not None:
            files = self._bucket.file_list(self._source)
            yield from files.read(self._ranges, lambda part: ByteRanges(self._bucket, part.source, part.ranges))
            return
        for group in near(self._ranges):
            yield from self._group(group)

    def _group(self, ranges: list[tuple[int, int]]) -> Iterator[bytes]:
        at = ranges[0][0]
        waiting = iter(ranges)
        start, stop = next(waiting)
        for chunk in self._bucket.chunks(self._source, at, ranges[-1][1]):
            end = at + len(chunk)
            while start < end:
                yield chunk[max(start, at) - at : min(stop, end) - at]
                if stop > end:
                    break
                start, stop = next(waiting, (end, end))
            at = end


def near(ranges: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Group ranges that are worth reading in one request."""
    group: list[tuple[int, int]] = []
    for start, stop in ranges:
        if group and start - group[-1][1] > NEAR:
            yield group
            group = []
        group.append((start, stop))
    if group:
        yield group
