"""How much waits in a gather folder: the files that no batch has yet."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from batchyard.adapters.file_list import GatheredFile
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound
from batchyard.domain.numbers import MINUTE
from batchyard.gathering import folder
from batchyard.services import Services

READERS: Final = 8  # files at a time
COUNTED_TOGETHER: Final = 2_000  # files between two notes of the counts
# One look counts no longer than this, as the batch is to be made behind it; the next look goes on.
LONGEST_COUNT: Final = 5 * MINUTE


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


class Waiting(msgspec.Struct, frozen=True):
    """What waits in a folder."""

    files: int
    bytes: int
    #: 0 where they were not counted.
    lines: int
    #: When the first of them came, in Unix seconds; None where none waits.
    since: int | None
    #: Whether there may be more lines: the next look goes on counting.
    uncounted: bool = False


def look(services: Services, prefix: str, *, count_lines: bool, only_new: bool = False) -> Waiting:
    """Return what waits in the folder `gather/<tenant>/<name>/`; to count lines, each file is read once.

    `only_new` leaves out the files of batches that were refused: they would most likely be refused again.
    """
    owner = object_keys.owner_of_folder(prefix)
    if owner is None:
        raise ValueError(f"{prefix} is no gather folder")
    every = folder.waiting(services, *owner)
    files = [each.file for each in every if not (only_new and each.over)]
    lines, uncounted = (
        _lines(services, prefix, files, {_name(each.file) for each in every}) if count_lines else (0, False)
    )
    since = min((each.at for each in files), default=None)
    return Waiting(len(files), sum(each.size for each in files), lines, since, uncounted)


def _lines(services: Services, prefix: str, files: Iterable[GatheredFile], every: set[str]) -> tuple[int, bool]:
    """Count lines that are not blank, and tell whether some are left; what was counted is kept beside the work of batches."""
    kept, until = object_keys.counted_lines(prefix), services.clock() + LONGEST_COUNT
    counts = {name: counted for name, counted in _known(services, kept).items() if name in every}
    names = {_name(each): each for each in files}
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


def _name(file: GatheredFile) -> str:
    return f"{file.name}\0{file.version_id or file.etag}"


def _count(services: Services, prefix: str, file: GatheredFile, counted: Counted | None, until: float) -> Counted:
    """Go on counting the lines of a file, until its end or this time."""
    source = InputObject(services.bucket.bucket, prefix + file.name, file.etag, file.size, file.version_id)
    counted = counted or Counted()
    if services.clock() >= until:
        return counted
    try:
        for chunk in services.bucket.chunks(source, counted.read):
            counted = counted.behind(chunk)
            if services.clock() >= until:
                break
    except NotFound:
        return Counted(read=file.size)  # it was replaced or removed meanwhile
    return counted
