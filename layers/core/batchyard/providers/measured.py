"""Measure the calls to the provider: how long each kind takes, and how it fails."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from batch_client import (
    PATIENCE,
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
    from collections.abc import Callable, Container, Iterator, Sequence

    from batch_client import Dialect, HttpInfo, Input, Job, Look, Prepared, Source

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

    def __init__(self, dialect: Dialect) -> None:
        """Measure the provider that speaks this dialect."""
        self._dialect = dialect

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        """Lay the input down; that takes as long as reading it from S3, too."""
        return _measured("upload", lambda: self._dialect.prepare(job, lines))

    def prepared(self, input_id: str) -> Prepared:
        """Look at an input."""
        return _measured("look", lambda: self._dialect.prepared(input_id))

    def submit(self, job: Job, lines: Source) -> Look:
        """Make a provider batch."""
        return _measured("create", lambda: self._dialect.submit(job, lines))

    def look(self, job_id: str) -> Look:
        """Look at a provider batch."""
        return _measured("look", lambda: self._dialect.look(job_id))

    def stop(self, job_id: str) -> Look:
        """Cancel a provider batch."""
        return _measured("cancel", lambda: self._dialect.stop(job_id))

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        """Find the provider batch that carries our key."""
        return _measured("list", lambda: self._dialect.find(job, since, but))

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:
        """Read a result to its very end."""
        return _measured_stream("download", self._dialect.read(name, ids, key))

    def forget(self, name: str) -> bool:
        """Delete an input or a result."""
        return _measured("delete", lambda: self._dialect.forget(name))

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        """List the provider batches behind one of them."""
        return _measured_stream("list", self._dialect.jobs(after))

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the inputs behind one of them."""
        return _measured_stream("list", self._dialect.inputs(after))

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        """Have one request answered at once."""
        return _measured("send", lambda: self._dialect.send(url, body, patience))


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
