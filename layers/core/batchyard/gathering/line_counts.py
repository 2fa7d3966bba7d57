"""The lines that wait in a gather folder, counted by reading each file once; what was counted is kept."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from batchyard.adapters.file_list import GatheredFile
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound
from batchyard.domain.numbers import MINUTE
from batchyard.lines import file_kinds
from batchyard.services import Services

READERS: Final = 8  # files at a time
COUNTED_TOGETHER: Final = 2_000  # files between two notes of the counts
LONGEST_COUNT: Final = 5 * MINUTE  # of one call, as a batch is to be made behind it; the next one goes on


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """How far the lines of a file are counted."""

    #: Those that have ended and are not blank.
    ended: int = 0
    #: The byte from which the counting goes on.
    read: int = 0
    #: Whether the line that has not ended is more than blank.
    begun: bool = False

    def behind(self, chunk: bytes) -> "Counted":
        """Count the lines of the next bytes; no line is held, as it may be endless."""
        first, *others = chunk.split(b"\n")
        begun = self.begun or bool(first.strip())
        if not others:
            return Counted(self.ended, self.read + len(chunk), begun)
        *whole, rest = others
        ended = self.ended + begun + sum(1 for line in whole if line.strip())
        return Counted(ended, self.read + len(chunk), bool(rest.strip()))


def count_lines(
    services: Services, prefix: str, files: Iterable[GatheredFile], there: set[str] | None
) -> tuple[int, bool]:
    """Count lines that are not blank, and tell whether some are left; what was counted is kept beside the work of batches.

    `there` names all files that wait: what was counted of others is of no use any more. None if not all are known.
    """
    kept, until = object_keys.counted_lines(prefix), services.clock() + LONGEST_COUNT
    counts = {name: counted for name, counted in _known(services, kept).items() if there is None or name in there}
    names = {name_of(each): each for each in files}
    left = [name for name, each in names.items() if counts.get(name, Counted()).read < each.size]
    for first in range(0, len(left), COUNTED_TOGETHER):
        some = left[first : first + COUNTED_TOGETHER]
        with ThreadPoolExecutor(READERS) as readers:
            found = readers.map(lambda name: _count(services, prefix, names[name], counts.get(name), until), some)
            counts.update(zip(some, found, strict=True))
        services.bucket.put(kept, msgspec.msgpack.encode(counts))
        if services.clock() >= until:
            break
    so_far = [(counts.get(name, Counted()), each.size) for name, each in names.items()]
    lines = sum(counted.ended + (counted.begun and counted.read >= size) for counted, size in so_far)
    return lines, any(counted.read < size for counted, size in so_far)


def _known(services: Services, kept: str) -> dict[str, Counted]:
    try:
        return msgspec.msgpack.decode(services.bucket.get(kept), type=dict[str, Counted])
    except (NotFound, msgspec.ValidationError):  # nothing is counted yet, or by a version that counted otherwise
        return {}


def name_of(file: GatheredFile) -> str:
    """Name a version of a file."""
    return f"{file.name}\0{file.version_id or file.etag}"


def _count(services: Services, prefix: str, file: GatheredFile, counted: Counted | None, until: float) -> Counted:
    """Go on counting the lines of a file, until its end or this time; what would be set aside has none."""
    source = InputObject(services.bucket.bucket, prefix + file.name, file.etag, file.size, file.version_id)
    counted = counted or Counted()
    if services.clock() >= until:
        return counted
    try:
        for chunk in services.bucket.chunks(source, counted.read):
            if not counted.read and file_kinds.why_set_aside(chunk, file.size) is not None:
                return Counted(read=file.size)
            counted = counted.behind(chunk)
            if services.clock() >= until:
                break
    except NotFound:
        return Counted(read=file.size)  # it was replaced or removed meanwhile
    return counted
