"""Measure the calls to the provider: how long each kind takes, and how it fails."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from batch_client import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BatchClientError,
    InvalidArgumentError,
    NotFoundError,
    OutcomeUnknown,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    ServerError,
    TokenLimitError,
)
from batchyard.domain.errors import KeyMissing
from batchyard.observability import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from batch_client import Batch as ProviderBatch
    from batch_client import File, FileDeleted, HttpInfo, Source
    from batchyard.domain.provider import Provider

T = TypeVar("T")
# The kind of an error is that of the first class it belongs to.
KINDS: Final[tuple[tuple[tuple[type[BatchClientError], ...], str], ...]] = (
    ((TokenLimitError,), "token_limit"),
    ((RateLimitError,), "rate_limit"),
    ((QuotaError,), "money"),
    ((AuthenticationError, PermissionDeniedError, InvalidArgumentError), "key"),
    ((NotFoundError,), "not_found"),
    ((ServerError,), "server"),
    ((OutcomeUnknown,), "answer_lost"),
    ((APIConnectionError,), "connection"),
    ((APIStatusError,), "refused"),
    ((BatchClientError,), "other"),
)


class MeasuredProvider:
    """Make the calls of a provider, and publish of each what it took; what `batch_client` repeats is one call.

    A call that is answered in pieces takes as long as its first piece takes to come.
    """

    def __init__(self, provider: Provider) -> None:
        """Measure this provider."""
        self._provider = provider

    def create_file(self, source: Source, filename: str) -> File:
        """Upload the input of a provider batch; that takes as long as reading the input from S3, too."""
        return _measured("upload", lambda: self._provider.create_file(source, filename))

    def retrieve_file(self, file_id: str) -> File:
        """Read how far the provider has processed an upload."""
        return _measured("look", lambda: self._provider.retrieve_file(file_id))

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> ProviderBatch:
        """Create a provider batch."""
        return _measured("create", lambda: self._provider.create_batch(
            input_file_id=input_file_id, endpoint=endpoint, completion_window=completion_window, metadata=metadata,
        ))  # fmt: skip

    def retrieve_batch(self, batch_id: str) -> ProviderBatch:
        """Read a provider batch."""
        return _measured("look", lambda: self._provider.retrieve_batch(batch_id))

    def cancel_batch(self, batch_id: str) -> ProviderBatch:
        """Cancel a provider batch."""
        return _measured("cancel", lambda: self._provider.cancel_batch(batch_id))

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> ProviderBatch | None:
        """Find the provider batch that carries our key."""
        return _measured("list", lambda: self._provider.find_batch(
            metadata_key, value, since, input_file_id=input_file_id, but=but
        ))  # fmt: skip

    def iter_batches(self, *, after: str | None) -> Iterator[ProviderBatch]:
        """List the provider batches behind one of them."""
        return _measured_stream("list", self._provider.iter_batches(after=after))

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        """List the files behind one of them."""
        return _measured_stream("list", self._provider.iter_files(purpose=purpose, after=after))

    def delete_file(self, file_id: str) -> FileDeleted:
        """Delete a file."""
        return _measured("delete", lambda: self._provider.delete_file(file_id))

    def download_file(self, file_id: str) -> Iterator[bytes]:
        """Read an output or error file to its very end."""
        return _measured_stream("download", self._provider.download_file(file_id))

    def send(self, url: str, body: bytes, *patience: float) -> HttpInfo[bytes]:
        """Have one request answered at once."""
        return _measured("send", lambda: self._provider.send(url, body, *patience))


def _measured(call: str, make: Callable[[], T]) -> T:
    with _told(call):
        return make()


def _measured_stream(call: str, pieces: Iterator[T]) -> Iterator[T]:
    with _told(call):
        first = list(_one(pieces))
    with _errors_told(call):
        yield from first
        yield from pieces


def _one(pieces: Iterator[T]) -> Iterator[T]:
    for piece in pieces:
        yield piece
        return


@contextmanager
def _told(call: str) -> Iterator[None]:
    """Publish how long the block took, and how it failed; nothing where the provider was not asked, for want of a key."""
    began = time.perf_counter()
    try:
        with _errors_told(call):
            yield
    except KeyMissing:
        raise
    except BatchClientError:
        _publish_time(call, began)
        raise
    _publish_time(call, began)


@contextmanager
def _errors_told(call: str) -> Iterator[None]:
    try:
        yield
    except KeyMissing:  # nobody was asked, and a stack that was just deployed is in order
        raise
    except BatchClientError as error:
        publish({"ProviderCallErrors": 1}, call=call, error=kind_of(error))
        raise


def _publish_time(call: str, began: float) -> None:
    publish({"ProviderCallTime": (time.perf_counter() - began) * 1_000}, call=call)


def kind_of(error: BatchClientError) -> str:
    """Name the kind of an error, one of few."""
    return next(kind for classes, kind in KINDS if isinstance(error, classes))
