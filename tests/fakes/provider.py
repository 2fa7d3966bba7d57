"""A provider of OpenAI's kind in memory: its files and batches, and what each call does to them."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from batch_client import (
    PATIENCE,
    PROFILES,
    Batch,
    CannotTell,
    File,
    FileDeleted,
    HttpInfo,
    NotFoundError,
    OpenAIDialect,
    Profile,
    RequestCounts,
)
from batchyard.domain.job import ATTEMPT_LABEL
from tests.fakes.batches import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from batch_client import BatchClient, BatchClientError, Job, Look, Prepared, Source

T = TypeVar("T")
Item = TypeVar("Item", Batch, File)
STRAY: Final = b'{"custom_id": null}\n'
PIECE: Final = 700  # bytes of a download: lines are cut anywhere
ANSWER: Final = b'{"usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}}'


@dataclass
class MemoryProvider(OpenAIDialect):
    """A `Dialect`: that of OpenAI, spoken to the calls of a client that are answered here.

    A kind of provider overrides what a call does, or what befalls it.
    """

    clock: Callable[[], float] = lambda: NOW
    #: what each file holds, the deleted ones too, so that a test may read them
    files: dict[str, bytes] = field(default_factory=dict)
    #: the files that a list shows, unless they were deleted
    uploads: dict[str, File] = field(default_factory=dict)
    #: the ids of the files that are gone
    deleted: list[str] = field(default_factory=list)
    batches: dict[str, Batch] = field(default_factory=dict)
    #: the name of each call, in order
    calls: list[str] = field(default_factory=list)
    #: the numbers of the batches to come
    numbers: Iterator[int] = field(default_factory=itertools.count)
    #: how long each request that is sent on its own may take, in seconds
    patiences: list[float] = field(default_factory=list)
    #: several lines are sent at once
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    #: it takes the lines with the create, as Anthropic does: it keeps no inputs, and shows no keys, and counts at the end
    inline: bool = False
    #: what is known of the service, as a client tells it
    profile: Profile = PROFILES["compatible"]

    def __post_init__(self) -> None:
        super().__init__(cast("BatchClient", self), ATTEMPT_LABEL)

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        return None if self.inline else super().prepare(job, lines)

    def submit(self, job: Job, lines: Source) -> Look:
        if not self.inline:
            return super().submit(job, lines)
        kept = self._keep(b"".join(lines), job.filename).id
        try:
            return super().submit(msgspec.structs.replace(job, prepared=kept), lines)
        finally:
            self.deleted.append(kept)

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        if not self.inline:
            return super().find(job, since, but)
        return self._call("find_batch", lambda: self._proven(job, since, but))

    def _proven(self, job: Job, since: int, but: Container[str]) -> Look | None:
        """Tell by time and count which batch it may be, and for sure only by the results of one that has ended."""
        unsure: list[str] = []
        for batch in self._newest_first():
            is_early, lines = (batch.created_at or since) < since, self.files[batch.input_file_id or ""].count(b"\n")
            if is_early or lines != job.count or batch.id in but:
                continue
            seen = self._look(self._listed(batch))
            if not seen.ended:
                unsure.append(seen.id)
            elif batch.metadata[ATTEMPT_LABEL] == job.key:
                return seen
        if unsure:
            raise CannotTell(f"It may be {', '.join(unsure)}, which runs", retryable=True)
        return None

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:
        if self.inline and any(
            batch.metadata[ATTEMPT_LABEL] != key
            for batch in self.batches.values()
            if name in {batch.output_file_id, batch.error_file_id}
        ):
            return iter([STRAY])
        return super().read(name, ids, key)

    def create_file(self, source: Source, filename: str) -> File:
        def keep() -> File:
            data = b"".join(source)
            assert len(data) == len(source)
            return self._file(self._keep(data, filename))

        return self._call("create_file", keep)

    def retrieve_file(self, file_id: str) -> File:
        def show() -> File:
            self._data(file_id)
            return self._file(self.uploads[file_id])

        return self._call("retrieve_file", show)

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str],
        idempotency_key: str | None = None,  # noqa: ARG002 - its create is not known again
    ) -> Batch:  # fmt: skip
        def make() -> Batch:
            return self.make(input_file_id, endpoint, completion_window, metadata)

        return self._call("create_batch", make)

    def retrieve_batch(self, batch_id: str) -> Batch:
        return self._call("retrieve_batch", lambda: self._show(batch_id))

    def cancel_batch(self, batch_id: str) -> Batch:
        return self._call("cancel_batch", lambda: self._cancel(batch_id))

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> Batch | None:
        def is_it(batch: Batch) -> bool:
            of_the_file = not batch.metadata and batch.input_file_id == input_file_id and batch.id not in but
            return (batch.metadata.get(metadata_key) == value or of_the_file) and (batch.created_at or since) >= since

        return self._call("find_batch", lambda: next(filter(is_it, self._newest_first()), None))

    def iter_batches(self, *, after: str | None) -> Iterator[Batch]:
        listed = self._call("iter_batches", lambda: behind(self._newest_first(), after))
        yield from map(self._listed, listed)

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        assert purpose == "batch"
        newest_first = [file for file in reversed(self.uploads.values()) if file.id not in self.deleted]
        yield from self._call("iter_files", lambda: behind(newest_first, after))

    def delete_file(self, file_id: str) -> FileDeleted:
        return self._call("delete_file", lambda: self._delete(file_id))

    def download_file(self, file_id: str) -> Iterator[bytes]:
        yield from self._call("download_file", lambda: self._read(file_id))

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        with self.one_at_a_time:
            self.patiences.append(patience)
            return self._call("send", lambda: self._answer(url, body))

    def make(self, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]) -> Batch:
        """Make a batch that has not begun."""
        batch = Batch(
            id=f"pb-{next(self.numbers)}", status="validating", endpoint=endpoint, input_file_id=input_file_id,
            completion_window=completion_window, metadata=metadata, created_at=int(self.clock()),
        )  # fmt: skip
        self.batches[batch.id] = batch
        return batch

    def _look(self, batch: Batch) -> Look:
        seen = super()._look(batch)
        if not self.inline:
            return seen
        counts = seen.counts and (seen.counts if seen.ended else RequestCounts(seen.counts.total, 0, 0))
        return msgspec.structs.replace(seen, input=None, key="", labels={}, counts=counts)

    def _call(self, name: str, effect: Callable[[], T]) -> T:
        self._called(name)
        return effect()

    def _called(self, name: str) -> None:
        self.calls.append(name)

    def _keep(self, data: bytes, filename: str) -> File:
        file = File(id=f"file-{len(self.files)}", bytes=len(data), filename=filename, created_at=int(self.clock()))
        self.files[file.id], self.uploads[file.id] = data, file
        return file

    def _file(self, file: File) -> File:
        return file

    def _batch(self, batch_id: str) -> Batch:
        if batch_id not in self.batches:
            raise NotFoundError("no such batch", status=404)
        return self.batches[batch_id]

    def _show(self, batch_id: str) -> Batch:
        return self._batch(batch_id)

    def _listed(self, batch: Batch) -> Batch:
        return batch

    def _newest_first(self) -> list[Batch]:
        return list(reversed(self.batches.values()))

    def _cancel(self, batch_id: str) -> Batch:
        if not self._batch(batch_id).ended:
            self.batches[batch_id] = replace(self.batches[batch_id], status="cancelling")
        return self.batches[batch_id]

    def _data(self, file_id: str) -> bytes:
        if file_id not in self.files or file_id in self.deleted:
            raise NotFoundError("no such file", status=404)
        return self.files[file_id]

    def _delete(self, file_id: str) -> FileDeleted:
        self._data(file_id)
        self.deleted.append(file_id)
        return FileDeleted(id=file_id)

    def _read(self, file_id: str) -> Iterator[bytes]:
        data = self._data(file_id)
        return iter([data[at : at + PIECE] for at in range(0, len(data), PIECE)])

    def _answer(self, url: str, body: bytes) -> HttpInfo[bytes]:
        assert url.startswith("/v1/")
        assert body
        return HttpInfo(ANSWER, 200, {"x-request-id": "req_1"})


@dataclass
class ScriptedProvider(MemoryProvider):
    """A provider whose batches end when a test says so, and whose calls fail as a test says."""

    #: the errors of the next calls, by the call's name
    trouble: dict[str, list[BatchClientError]] = field(default_factory=dict)
    #: what another worker does while a call is on its way to the provider, once
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    #: what another worker does while an answer is on its way back, once
    on_the_way_back: dict[str, Callable[[], object]] = field(default_factory=dict)
    #: what is shown of a file at its upload and at the next looks, before it is processed
    file_statuses: list[str] = field(default_factory=list)
    #: how the download of a file ends, if not well
    cut: dict[str, BatchClientError] = field(default_factory=dict)
    #: the requests sent on their own: path and body
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    #: the answer to each of them, or what makes it of the request's body
    says: bytes | Callable[[bytes], bytes] = ANSWER

    def end(self, batch_id: str, status: str, **members: object) -> None:
        self.batches[batch_id] = replace(self.batches[batch_id], status=status, **members)

    def make(self, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]) -> Batch:
        made = super().make(input_file_id, endpoint, completion_window, metadata)
        self.end(made.id, "in_progress")
        return self.batches[made.id]

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        with self.one_at_a_time:
            self.sent.append((url, body))
            self.patiences.append(patience)
            self._called("send")
            said = self.says if isinstance(self.says, bytes) else self.says(body)
            answer = HttpInfo(said, 200, {"x-request-id": f"req_{len(self.sent)}"})
        self.on_the_way_back.pop("send", lambda: None)()
        return answer

    def _call(self, name: str, effect: Callable[[], T]) -> T:
        answer = super()._call(name, effect)
        self.on_the_way_back.pop(name, lambda: None)()
        return answer

    def _file(self, file: File) -> File:
        if not self.file_statuses:
            return file
        return msgspec.structs.replace(file, status=self.file_statuses.pop(0), status_details="what it says")

    def _called(self, name: str) -> None:
        super()._called(name)
        self.meanwhile.pop(name, lambda: None)()
        if self.trouble.get(name):
            raise self.trouble[name].pop(0)

    def _read(self, file_id: str) -> Iterator[bytes]:
        yield from super()._read(file_id)
        if file_id in self.cut:
            raise self.cut[file_id]


def replace(batch: Batch, **members: object) -> Batch:
    return msgspec.structs.replace(batch, **members)


def behind(listed: list[Item], after: str | None) -> list[Item]:
    """List what stands behind the one with an id; everything behind None or an id that is not there."""
    ids = [each.id for each in listed]
    return listed[ids.index(after) + 1 :] if after in ids else listed
