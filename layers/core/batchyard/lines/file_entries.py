"""What the report says of each file of a gathered batch, one file a line of an object, and where in it some of them stand."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket

EVERY: Final = 100  # entries, of which the first has its place in the index


class FileIndex(msgspec.Struct):
    """Where the entries stand, so that a page of them is read and no more."""

    #: How many there are.
    files: int
    #: The byte at which the first, the hundred-and-first, … entry begins, and at last all bytes.
    starts: list[int]


def write_entries(bucket: "Bucket", batch: Batch, entries: Iterable[dict[str, Any]]) -> str:
    """Write the entries and their index; return the key of the entries. Another call writes the same bytes."""
    key = object_keys.result(batch.tenant, batch.batch_id, object_keys.FILE_ENTRIES)
    size, count, starts = 0, 0, list[int]()
    with bucket.writer(key, hashing=False) as writer:
        for count, entry in enumerate(entries, 1):
            if count % EVERY == 1:
                starts.append(size)
            line = msgspec.json.encode(entry) + b"\n"
            writer.write(line)
            size += len(line)
    index = object_keys.result(batch.tenant, batch.batch_id, object_keys.FILE_INDEX)
    bucket.put(index, msgspec.json.encode(FileIndex(count, [*starts, size])))
    return key


def read_index(bucket: "Bucket", batch: Batch) -> FileIndex:
    """Read where the entries stand; raises NotFound before they are written, and once they are removed."""
    key = object_keys.result(batch.tenant, batch.batch_id, object_keys.FILE_INDEX)
    return msgspec.json.decode(bucket.get(key), type=FileIndex)


def read_entries(bucket: "Bucket", batch: Batch, index: FileIndex, first: int, count: int) -> list[bytes]:
    """Read entries, as JSON, from the place `first` on, and nothing far behind them; raises NotFound."""
    stop = min(first + count, index.files)
    if first >= stop:
        return []
    source, _ = bucket.head(object_keys.result(batch.tenant, batch.batch_id, object_keys.FILE_ENTRIES))
    begin, end = index.starts[first // EVERY], index.starts[(stop - 1) // EVERY + 1]
    data = b"".join(bucket.chunks(source, begin, end))
    return data.splitlines()[first % EVERY : first % EVERY + stop - first]
