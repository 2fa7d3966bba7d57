"""Which lines of a shard have no outcome yet, how many tries each has used, and in how many lost batches it was."""

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket


class _Packed(msgspec.Struct, frozen=True):
    ordinals: bytes
    tries: bytes
    lost: bytes


class Unfinished:
    """The ordinals of unfinished lines, ascending; of each line, the tries that it has used (0 … 255).

    `lost` counts provider batches that may have run the line, and left no answer of it (0 … 255): these are no tries.
    """

    def __init__(self, ordinals: "array[int]", tries: bytearray, lost: bytearray) -> None:
        """Take sequences of the same length."""
        self.ordinals, self.tries, self.lost = ordinals, tries, lost

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.ordinals)

    def add(self, ordinal: int, tries: int, lost: int) -> None:
        """Append a line."""
        self.ordinals.append(ordinal)
        self.tries.append(min(tries, 255))
        self.lost.append(min(lost, 255))

    def beyond(self, count: int) -> Iterator[tuple[int, int, int]]:
        """Yield ordinal, tries and `lost` of every line behind the first `count` lines."""
        return zip(self.ordinals[count:], self.tries[count:], self.lost[count:], strict=True)

    def pack(self) -> bytes:
        """Encode for storage."""
        return msgspec.msgpack.encode(_Packed(self.ordinals.tobytes(), bytes(self.tries), bytes(self.lost)))

    @classmethod
    def none(cls) -> "Unfinished":
        """Make an empty list."""
        return cls(array("I"), bytearray(), bytearray())

    @classmethod
    def read(cls, bucket: "Bucket", key: str, lines: int) -> "Unfinished":
        """Read the list at `key`; the key "" means all of the shard's `lines`, without a try."""
        if not key:
            return cls(array("I", range(lines)), bytearray(lines), bytearray(lines))
        packed = msgspec.msgpack.decode(bucket.get(key), type=_Packed)
        return cls(array("I", packed.ordinals), bytearray(packed.tries), bytearray(packed.lost))
