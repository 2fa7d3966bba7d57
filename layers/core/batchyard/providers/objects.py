"""The folder of the data bucket in which a provider reads inputs and writes results by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_client import NotFoundError, Stored
from batchyard.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from batchyard.adapters.bucket import Bucket


class BucketFolder:
    """Objects below one prefix of the data bucket, as `batch_client.Objects`; the bucket is asked for when it is needed."""

    def __init__(self, bucket: Callable[[], Bucket], prefix: str, role: str) -> None:
        """Keep the arguments; `role` is the ARN of the role with which the provider comes."""
        self._bucket, self._prefix, self.role = bucket, prefix, role

    def put(self, name: str, chunks: Iterable[bytes]) -> str:
        """Write an object as its chunks come, and return its address; what breaks off leaves nothing."""
        bucket = self._bucket()
        with bucket.writer(f"{self._prefix}{name}", hashing=False) as writer:
            for chunk in chunks:
                writer.write(chunk)
        return f"{self._root}{self._prefix}{name}"

    def read(self, address: str) -> Iterator[bytes]:
        """Yield the bytes of an object as it was when the reading began; NotFoundError says that it is gone, also meanwhile."""
        bucket, key = self._bucket(), self._key(address)
        try:
            yield from bucket.chunks(bucket.head(key)[0])
        except NotFound as error:
            raise NotFoundError(f"There is no {address[:200]}", status=404) from error

    def delete(self, address: str) -> bool:
        """Remove an object; False if it was gone already."""
        bucket, key = self._bucket(), self._key(address)
        try:
            bucket.head(key)
        except NotFound:
            return False
        bucket.remove(key)
        return True

    def list(self, folder: str = "") -> Iterator[Stored]:
        """List the objects below the address of a folder, or all of the provider's."""
        prefix = f"{self._key(folder).rstrip('/')}/" if folder else self._prefix
        for key, at in self._bucket().listed(prefix):
            yield Stored(f"{self._root}{key}", int(at.timestamp()))

    @property
    def _root(self) -> str:
        return f"s3://{self._bucket().bucket}/"

    def _key(self, address: str) -> str:
        """Return the key of an address; raises NotFoundError for one outside the folder, which is not ours to touch."""
        key = address.removeprefix(self._root)
        if key == address or not key.startswith(self._prefix) or "/../" in f"/{key}/":
            raise NotFoundError(f"{address[:200]} lies outside {self._root}{self._prefix}", status=404)
        return key
