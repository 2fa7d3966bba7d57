"""How much waits in a gather folder: the files that no batch has yet."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from batchyard.adapters.object_join import GatheredFile
from batchyard.domain import object_keys
from batchyard.domain.batch import InputObject
from batchyard.domain.errors import NotFound
from batchyard.gathering import folder
from batchyard.services import Services

READERS: Final = 8  # files at a time
Counts = dict[str, int]


class Waiting(msgspec.Struct, frozen=True):
    """What waits in a folder."""

    files: int
    bytes: int
    #: 0 where they were not counted.
    lines: int
    #: When the first of them came, in Unix seconds; None where none waits.
    since: int | None


def look(services: Services, prefix: str, *, count_lines: bool, only_new: bool = False) -> Waiting:
    """Return what waits in the folder `gather/<tenant>/<name>/`; to count lines, each file is read once.

    `only_new` leaves out the files of batches that were refused: they would most likely be refused again.
    """
    owner = object_keys.owner_of_folder(prefix)
    if owner is None:
        raise ValueError(f"{prefix} is no gather folder")
    files = [each.file for each in folder.waiting(services, *owner) if not (only_new and each.over)]
    lines = _lines(services, prefix, files) if count_lines else 0
    return Waiting(len(files), sum(each.size for each in files), lines, min((each.at for each in files), default=None))


def _lines(services: Services, prefix: str, files: Iterable[GatheredFile]) -> int:
    """Count lines that are not blank; what was counted once is kept beside the work of batches."""
    kept = object_keys.counted_lines(prefix)
    try:
        known = msgspec.msgpack.decode(services.bucket.get(kept), type=Counts)
    except NotFound:
        known = {}
    names = {f"{each.name}\0{each.version_id or each.etag}": each for each in files}
    new = {name: each for name, each in names.items() if name not in known}
    with ThreadPoolExecutor(READERS) as readers:
        counted = dict(zip(new, readers.map(lambda each: _count(services, prefix, each), new.values()), strict=True))
    counts = {name: known[name] if name in known else counted[name] for name in names}
    if counted:
        services.bucket.put(kept, msgspec.msgpack.encode(counts))
    return sum(counts.values())


def _count(services: Services, prefix: str, file: GatheredFile) -> int:
    source = InputObject(services.bucket.bucket, prefix + file.name, file.etag, file.size, file.version_id)
    lines, rest = 0, b""
    try:
        for chunk in services.bucket.chunks(source):
            *whole, rest = (rest + chunk).split(b"\n")
            lines += sum(1 for line in whole if line.strip())
    except NotFound:
        return 0  # it was replaced or removed meanwhile
    return lines + bool(rest.strip())
