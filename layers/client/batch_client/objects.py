"""A store of objects that a service reads and writes by itself, where it takes addresses of such in place of uploads."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec


class Stored(msgspec.Struct, frozen=True):
    """Show an object as the store lists it."""

    #: Such as `s3://bucket/folder/name`.
    address: str
    #: Unix seconds.
    created_at: int


class Objects(Protocol):
    """A place in a store, such as a folder of a bucket of S3. What fails raises what the store raises."""

    @property
    def role(self) -> str:
        """Return the ARN of the role by which the service reads and writes the objects; empty if none is known."""
        ...

    def put(self, name: str, chunks: Iterable[bytes]) -> str:
        """Write an object in the place of any of this name, as the chunks come, and return its address."""
        ...

    def read(self, address: str) -> Iterator[bytes]:
        """Yield an object to its very end. Raises NotFoundError."""
        ...

    def delete(self, address: str) -> bool:
        """Delete an object; False if it was gone already."""
        ...

    def list(self, folder: str = "") -> Iterator[Stored]:
        """List the objects below the address of a folder, or all of them, in no order."""
        ...
