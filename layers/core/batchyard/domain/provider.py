"""What we ask of a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from batch_client import Batch as ProviderBatch
    from batch_client import File, FileDeleted, HttpInfo, Source

CLOCK_SKEW: Final = 300  # seconds by which the provider's clock may differ from ours
# Members of the metadata of every provider batch: our key, by which the answer to a lost create is found, and our stack.
ATTEMPT_KEY: Final = "batchyard_attempt"
STACK_KEY: Final = "batchyard_stack"


class Provider(Protocol):
    """The calls that we make; `batch_client.BatchClient` makes them, and says what each call raises."""

    def create_file(self, source: Source, filename: str) -> File:
        """Upload the input of a provider batch."""
        ...

    def retrieve_file(self, file_id: str) -> File:
        """Read how far the provider has processed an upload."""
        ...

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> ProviderBatch:
        """Create a provider batch."""
        ...

    def retrieve_batch(self, batch_id: str) -> ProviderBatch:
        """Read a provider batch."""
        ...

    def cancel_batch(self, batch_id: str) -> ProviderBatch:
        """Cancel a provider batch; one that has ended is returned as it is."""
        ...

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> ProviderBatch | None:
        """Find the provider batch that carries our key; or one that carries no key at all, and was made of this file."""
        ...

    def iter_batches(self, *, after: str | None) -> Iterator[ProviderBatch]:
        """List the provider batches behind one of them."""
        ...

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        """List the files behind one of them."""
        ...

    def delete_file(self, file_id: str) -> FileDeleted:
        """Delete a file."""
        ...

    def download_file(self, file_id: str) -> Iterator[bytes]:
        """Read an output or error file to its very end."""
        ...

    def send(self, url: str, body: bytes, patience: float = ...) -> HttpInfo[bytes]:
        """Have one request answered at once; the request is sent again only if it was surely not run."""
        ...
