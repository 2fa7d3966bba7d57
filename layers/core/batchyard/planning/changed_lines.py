"""The lines of a retry that are sent with changed bodies: one work object, which the shards read in place of the input."""

from types import TracebackType
from typing import Final, Self

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError, InputObject
from batchyard.domain.errors import NotFound
from batchyard.lines.merge_patch import BodyPatch
from batchyard.planning.decompress import COUNTED_TOGETHER, TooMuch, no_room
from batchyard.planning.progress import PlanProgress
from batchyard.services import Services

CHANGED: Final = "changed.jsonl"


class ChangedLines:
    """Change lines and write those that are sent. They count toward what the tenant stores, until the batch has ended.

    Of a dry run nothing is written.
    """

    def __init__(self, services: Services, batch: Batch, progress: PlanProgress) -> None:
        """Go on from the progress, and keep it up to date but for what is written."""
        self._services, self._batch, self._retry = services, batch, progress.retry
        self._patch = BodyPatch(msgspec.json.decode(batch.retry_body or "{}"))
        key = object_keys.plan(batch.batch_id, CHANGED)
        self._counted_before = progress.retry.changed_counted
        writes = not batch.dry_run and progress.retry.changed is None
        self._writer = services.bucket.writer(key, hashing=False, begun=progress.retry.changing) if writes else None

    @property
    def offset(self) -> int:
        """Return the byte of the object at which the next line will stand."""
        return self._retry.changed_bytes

    def changed(self, text: bytes) -> bytes:
        """Return a line of the input with its body changed; a line that has none stays, for its check to say so."""
        try:
            return self._patch.changed(text)
        except (ValueError, RecursionError):  # nothing bounds a short line that breaks off
            return text

    def write(self, text: bytes) -> None:
        """Append a changed line; raises TooMuch if there is no room for so many."""
        self._retry.changed_bytes += len(text)
        if self._writer is None:
            return
        if self._retry.changed_bytes > self._services.settings.max_unpacked_bytes:
            raise TooMuch(_too_large(self._services.settings.max_unpacked_bytes))
        self._writer.write(text)
        if self._retry.changed_bytes - self._retry.changed_counted >= COUNTED_TOGETHER:
            self._count()

    def suspend(self) -> None:
        """Leave what is written to another process."""
        if self._writer is not None:
            self._retry.changing, self._writer = self._writer.suspend(), None

    def complete(self) -> None:
        """Complete the object and record it; the record names it for the sweep, also if the batch has ended meanwhile."""
        if self._writer is None:
            return
        self._count()
        with self._writer as writer:
            key = writer.key
        kept: InputObject = self._services.bucket.head(key)[0]
        self._services.batch_store.keep_copy(self._batch.batch_id, changed=kept)
        self._retry.changing, self._retry.changed, self._writer = None, kept, None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing of an object whose batch is refused; after any other error, what a checkpoint names."""
        writer, self._writer = self._writer, None
        if writer is None or error_type is None:
            return
        refused = issubclass(error_type, ValueError | NotFound)
        try:
            if refused:
                writer.discard()
            else:
                writer.__exit__(error_type, error, trace)
        finally:
            if issubclass(error_type, Exception):
                self._give_back(0 if refused else self._counted_before)

    def _give_back(self, kept: int) -> None:
        """Count `kept` bytes and no more toward what the tenant stores."""
        less, self._retry.changed_counted = self._retry.changed_counted - kept, kept
        self._services.quota_store.give_back(self._batch.tenant, less, self._services.now())

    def _count(self) -> None:
        """Count what is written toward what the tenant stores; raises TooMuch."""
        quotas, more = self._services.quota_store, self._retry.changed_bytes - self._retry.changed_counted
        if more and not quotas.add(self._batch.tenant, more, self._services.now()):
            what = f"The changed lines have {self._retry.changed_bytes:,} bytes or more"
            raise TooMuch(no_room(what, quotas.most_bytes, "retry fewer lines", "body"))
        self._retry.changed_counted = self._retry.changed_bytes


def _too_large(most: int) -> BatchError:
    message = f"The changed lines have more than {most:,} bytes (MaxUnpackedBytes). Retry fewer lines, or change less."
    return BatchError("file_too_large", message, "body")
