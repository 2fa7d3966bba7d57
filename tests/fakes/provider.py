"""The provider, in memory."""

import threading
from collections.abc import Callable, Container, Iterator

import msgspec

from batch_client import APIConnectionError, BatchClientError, File, FileDeleted, HttpInfo, NotFoundError
from batch_client import Batch as ProviderBatch
from batchyard.lines.byte_ranges import ByteRanges
from tests.fakes.batches import NOW


def never_sent() -> APIConnectionError:
    """Make the error of a request that no byte of has left."""
    error = APIConnectionError("refused at the door")
    error.sent = False
    return error


def is_it(
    made: ProviderBatch, since: int, metadata_key: str, value: str, input_file_id: str | None, but: Container[str]
) -> bool:
    """Tell whether a provider's batch is the one that `find_batch` is asked for."""
    of_the_file = not made.metadata and made.input_file_id == input_file_id and made.id not in but
    return (made.metadata.get(metadata_key) == value or of_the_file) and (made.created_at or since) >= since


class MemoryProvider:
    """The Protocol of `batchyard.services.Provider`; what it is to do wrong stands in `trouble`, by method.

    `meanwhile` is what another worker does while a call is on its way there, `on_the_way_back` while its answer is; once.
    """

    def __init__(self, clock: Callable[[], float] = lambda: NOW) -> None:
        self.clock = clock
        self.files: dict[str, bytes] = {}
        self.uploads: dict[str, File] = {}
        self.deleted: list[str] = []  # a test may read what it held all the same
        self.batches: dict[str, ProviderBatch] = {}
        self.sent: list[tuple[str, bytes]] = []
        self._one_at_a_time = threading.Lock()
        self.says = b'{"usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}'
        self.calls: list[str] = []
        self.trouble: dict[str, list[BatchClientError]] = {}
        self.cut: dict[str, BatchClientError] = {}  # how a file's download ends, when not well
        self.meanwhile: dict[str, Callable[[], object]] = {}
        self.on_the_way_back: dict[str, Callable[[], object]] = {}

    def create_file(self, source: ByteRanges, filename: str) -> File:
        self._called("create_file")
        file = File(id=f"file-{len(self.files)}", filename=filename, created_at=int(self.clock()))
        self.files[file.id], self.uploads[file.id] = b"".join(source), file
        return file

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> ProviderBatch:
        self._called("create_batch")
        batch = ProviderBatch(
            id=f"pb-{len(self.batches)}", status="in_progress", endpoint=endpoint, input_file_id=input_file_id,
            completion_window=completion_window, metadata=metadata, created_at=int(self.clock()),
        )  # fmt: skip
        self.batches[batch.id] = batch
        self.on_the_way_back.pop("create_batch", lambda: None)()
        return batch

    def retrieve_batch(self, batch_id: str) -> ProviderBatch:
        self._called("retrieve_batch")
        if batch_id not in self.batches:
            raise NotFoundError("no such batch", status=404)
        seen = self.batches[batch_id]
        self.on_the_way_back.pop("retrieve_batch", lambda: None)()
        return seen

    def cancel_batch(self, batch_id: str) -> ProviderBatch:
        self._called("cancel_batch")
        if not self.batches[batch_id].ended:
            self.batches[batch_id] = msgspec.structs.replace(self.batches[batch_id], status="cancelling")
        return self.batches[batch_id]

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> ProviderBatch | None:
        self._called("find_batch")
        given = since, metadata_key, value, input_file_id, but
        return next((batch for batch in self.batches.values() if is_it(batch, *given)), None)

    def iter_batches(self, *, after: str | None) -> Iterator[ProviderBatch]:
        self._called("iter_batches")
        newest_first = list(reversed(self.batches.values()))
        begin = next((at + 1 for at, batch in enumerate(newest_first) if batch.id == after), 0)
        yield from newest_first[begin:]

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        self._called("iter_files")
        assert purpose == "batch"
        newest_first = list(reversed(self.uploads.values()))
        begin = next((at + 1 for at, file in enumerate(newest_first) if file.id == after), 0)
        yield from newest_first[begin:]

    def delete_file(self, file_id: str) -> FileDeleted:
        self._called("delete_file")
        if file_id not in self.files or file_id in self.deleted:
            raise NotFoundError("no such file", status=404)
        self.deleted.append(file_id)
        self.uploads.pop(file_id, None)
        return FileDeleted(id=file_id)

    def download_file(self, file_id: str) -> Iterator[bytes]:
        self._called("download_file")
        data = self.files[file_id]
        self.on_the_way_back.pop("download_file", lambda: None)()
        yield data
        if file_id in self.cut:
            raise self.cut[file_id]

    def send(self, url: str, body: bytes) -> HttpInfo[bytes]:
        with self._one_at_a_time:  # several lines are under way at once
            self.sent.append((url, body))
            self._called("send")
        self.on_the_way_back.pop("send", lambda: None)()
        return HttpInfo(self.says, 200, {"x-request-id": f"req_{len(self.sent)}"})

    def end(self, batch_id: str, status: str, **members: object) -> None:
        self.batches[batch_id] = msgspec.structs.replace(self.batches[batch_id], status=status, **members)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        self.meanwhile.pop(name, lambda: None)()
        if self.trouble.get(name):
            raise self.trouble[name].pop(0)
