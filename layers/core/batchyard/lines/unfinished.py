"""Which lines of a shard have no outcome yet, and how many tries each of these lines has used."""

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
    """The ordinals of unfinished lines, ascending, and the tries that each line has used (0 … 255)."""

    def __init__(self, ordinals: "array[int]", tries: bytearray) -> None:
        """Take two sequences of the same length."""
        self.ordinals, self.tries = ordinals, tries

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.ordinals)

    def add(self, ordinal: int, tries: int) -> None:
        """Append a line."""
        self.ordinals.append(ordinal)
        self.tries.append(min(tries, 255))

    def beyond(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield ordinal and tries of every line behind the first `count` lines."""
        return zip(self.ordinals[count:], self.tries[count:], strict=True)

    def pack(self) -> bytes:
        """Encode for storage."""
        return msgspec.msgpack.encode(_Packed(self.ordinals.tobytes(), bytes(self.tries)))

    @classmethod
    def none(cls) -> "Unfinished":
        """Make an empty list."""
        return cls(array("I"), bytearray())

    @classmethod
    def read(cls, bucket: "Bucket", key: str, lines: int) -> "Unfinished":
        """Read the list at `key`; the key "" means all of the shard's `lines`, without a try."""
        if not key:
            return cls(array("I", range(lines)), bytearray(lines))
        packed = msgspec.msgpack.decode(bucket.get(key), type=_Packed)
        return cls(array("I", packed.ordinals), bytearray(packed.tries))
