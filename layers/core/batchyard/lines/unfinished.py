"""Which lines of a shard still wait for their outcome, and how many tries each has used."""

from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchyard.adapters.bucket import Bucket


class _Packed(msgspec.Struct, frozen=True):
    ordinals: bytes
    tries: bytes


class Unfinished:
    """Ordinals of lines in their shard, ascending, and beside each the tries it has used (0 … 255)."""

    def __init__(self, ordinals: "array[int]", tries: bytearray) -> None:
        """Take two sequences of one length."""
        self.ordinals, self.tries = ordinals, tries

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.ordinals)

    def add(self, ordinal: int, tries: int) -> None:
        """Append a line."""
        self.ordinals.append(ordinal)
        self.tries.append(min(tries, 255))

    def beyond(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield ordinal and tries of every line behind the first so many."""
        return zip(self.ordinals[count:], self.tries[count:], strict=True)

    def pack(self) -> bytes:
        """Encode for storage."""
        return msgspec.msgpack.encode(_Packed(self.ordinals.tobytes(), bytes(self.tries)))

    @classmethod
    def none(cls) -> "Unfinished":
        """Begin an empty list."""
        return cls(array("I"), bytearray())

    @classmethod
    def read(cls, bucket: "Bucket", key: str, lines: int) -> "Unfinished":
        """Read the list at `key`; the key "" means all of the shard's `lines`, untried."""
        if not key:
            return cls(array("I", range(lines)), bytearray(lines))
        packed = msgspec.msgpack.decode(bucket.get(key), type=_Packed)
        return cls(array("I", packed.ordinals), bytearray(packed.tries))
