"""A store that a service reads and writes by itself, in a dictionary."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Final

from batch_client import NotFoundError, Stored

ROLE: Final = "arn:aws:iam::123456789012:role/batches"


class MemoryObjects:
    """Objects by their addresses, each written a second after the one before; read in pieces of `piece` bytes."""

    def __init__(self, role: str = ROLE, piece: int = 7) -> None:
        self.role, self._piece, self._clock = role, piece, count(1_790_000_000)
        self.stored: dict[str, bytes] = {}
        self.times: dict[str, int] = {}

    def put(self, name: str, chunks: Iterable[bytes]) -> str:
        return self.store(f"s3://bucket/p/{name}", b"".join(chunks))

    def store(self, address: str, data: bytes) -> str:
        """Write an object as the service does."""
        self.stored[address], self.times[address] = data, next(self._clock)
        return address

    def read(self, address: str) -> Iterator[bytes]:
        if address not in self.stored:
            raise NotFoundError(address, status=404)
        data = self.stored[address]
        yield from (data[at : at + self._piece] for at in range(0, len(data), self._piece))

    def delete(self, address: str) -> bool:
        return self.stored.pop(address, None) is not None

    def list(self, folder: str = "") -> Iterator[Stored]:
        below = f"{folder.rstrip('/')}/" if folder else ""
        found = [each for each in self.stored if each.startswith(below)]
        yield from (Stored(each, self.times[each]) for each in found)
