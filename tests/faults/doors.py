"""Several providers with one set of books: each is a door that shows what was sent through it, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from batch_client import PROFILES, OpenAIDialect, Profile
from batchyard.domain.job import ATTEMPT_LABEL
from tests.fakes.failures import never_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from batch_client import Batch, BatchClient, BatchClientError, File, FileDeleted, HttpInfo, Source
    from tests.faults.provider import FatesProvider


def settings_of(models: dict[str, list[str]], **members: Any) -> str:
    """Write the setting Providers: the patterns of the models that each one gets, by its name."""
    described = {
        name: {"base_url": f"http://{name}.invalid/v1", "profile": "openai", "models": patterns, **members}
        for name, patterns in models.items()
    }
    return json.dumps(described)


def doors_of(models: dict[str, list[str]], books: FatesProvider) -> dict[str, Door]:
    """Make the doors of these providers, by their names."""
    return {name: Door(name, books, partial(_any, patterns)) for name, patterns in models.items()}


def _any(patterns: list[str], model: str) -> bool:
    return any(fnmatchcase(model, pattern) for pattern in patterns)


@dataclass
class Door(OpenAIDialect):
    """OpenAI's dialect, over the books that all doors share; a call for what another door made breaks a promise."""

    name: str
    books: FatesProvider
    #: tells whether a model may be sent here
    takes: Callable[[str], bool]
    own: set[str] = field(default_factory=set)
    #: until this time no call reaches it
    down_until: float = 0.0
    #: what every call is answered with
    refusal: BatchClientError | None = None
    calls: list[str] = field(default_factory=list)
    #: what is known of the service, as a client tells it
    profile: Profile = PROFILES["openai"]

    def __post_init__(self) -> None:
        super().__init__(cast("BatchClient", self), ATTEMPT_LABEL)

    def create_file(self, source: Source, filename: str) -> File:
        self._reach("create_file")
        known = set(self.books.files)
        try:
            return self.books.create_file(source, filename)
        finally:  # its answer may be lost
            made = set(self.books.files) - known
            self.own |= made
            lines = [json.loads(line) for each in made for line in self.books.files[each].splitlines()]
            wrong = {line["body"]["model"] for line in lines if not self.takes(line["body"]["model"])}
            self.books.wrongs += [f"{model} was sent to {self.name}" for model in wrong]

    def retrieve_file(self, file_id: str) -> File:
        self._reach("retrieve_file", file_id)
        return self.books.retrieve_file(file_id)

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str],
        idempotency_key: str | None = None,
    ) -> Batch:  # fmt: skip
        self._reach("create_batch", input_file_id)
        known = set(self.books.batches)
        try:
            return self.books.create_batch(
                input_file_id=input_file_id,
                endpoint=endpoint,
                completion_window=completion_window,
                metadata=metadata,
                idempotency_key=idempotency_key,
            )
        finally:  # its answer may be lost
            self.own |= set(self.books.batches) - known

    def retrieve_batch(self, batch_id: str) -> Batch:
        self._reach("retrieve_batch", batch_id)
        return self._shown(self.books.retrieve_batch(batch_id))

    def cancel_batch(self, batch_id: str) -> Batch:
        self._reach("cancel_batch", batch_id)
        return self._shown(self.books.cancel_batch(batch_id))

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> Batch | None:
        self._reach("find_batch")
        found = self.books.find_batch(metadata_key, value, since, input_file_id=input_file_id, but=but)
        return None if found is None or found.id not in self.own else self._shown(found)

    def iter_batches(self, *, after: str | None) -> Iterator[Batch]:
        self._reach("iter_batches")
        return (self._shown(each) for each in self.books.iter_batches(after=after) if each.id in self.own)

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        self._reach("iter_files")
        return (each for each in self.books.iter_files(purpose=purpose, after=after) if each.id in self.own)

    def delete_file(self, file_id: str) -> FileDeleted:
        self._reach("delete_file", file_id)
        return self.books.delete_file(file_id)

    def download_file(self, file_id: str) -> Iterator[bytes]:
        self._reach("download_file", file_id)
        return self.books.download_file(file_id)

    def send(self, url: str, body: bytes, patience: float = 240.0) -> HttpInfo[bytes]:
        self._reach("send")
        if not self.takes(model := json.loads(body)["model"]):
            self.books.wrongs.append(f"{model} was sent to {self.name} on its own")
        return self.books.send(url, body, patience)

    def _reach(self, call: str, *ids: str) -> None:
        self.calls.append(call)
        if self.refusal is not None:
            raise self.refusal
        if self.books.clock() < self.down_until:
            raise never_sent()
        self.books.wrongs += [
            f"{call} of {each} at {self.name}, which never made it" for each in ids if each not in self.own
        ]

    def _shown(self, batch: Batch) -> Batch:
        """Return the batch; its results belong to this door, too."""
        held = self.books.batches[batch.id]
        files = (held.output_file_id, held.error_file_id, batch.output_file_id, batch.error_file_id)
        self.own |= {each for each in files if each}
        return batch
