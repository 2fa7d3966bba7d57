"""Several providers with one set of books: each is a door that shows what was sent through it, and nothing else."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from batch_client import PATIENCE
from tests.fakes.failures import never_sent

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from batch_client import BatchClientError, HttpInfo, Input, Job, Look, Prepared, Source
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
class Door:
    """A `Dialect` over the books that all doors share; a call for what another door made breaks a promise."""

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

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        self._reach("prepare")
        self._look_for_strangers(lines)
        with self._owning():
            return self.books.prepare(job, lines)

    def prepared(self, input_id: str) -> Prepared:
        self._reach("prepared", input_id)
        return self.books.prepared(input_id)

    def submit(self, job: Job, lines: Source) -> Look:
        self._reach("submit", *([job.prepared] if job.prepared else []))
        self._look_for_strangers(lines)
        with self._owning():
            return self._shown(self.books.submit(job, lines))

    def look(self, job_id: str) -> Look:
        self._reach("look", job_id)
        return self._shown(self.books.look(job_id))

    def stop(self, job_id: str) -> Look:
        self._reach("stop", job_id)
        return self._shown(self.books.stop(job_id))

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        self._reach("find")
        found = self.books.find(job, since, but)
        return None if found is None or found.id not in self.own else self._shown(found)

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:
        self._reach("read", name)
        return self.books.read(name, ids, key)

    def forget(self, name: str) -> bool:
        self._reach("forget", name)
        return self.books.forget(name)

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        self._reach("jobs")
        return (self._shown(each) for each in self.books.jobs(after) if each.id in self.own)

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        self._reach("inputs")
        return (each for each in self.books.inputs(after) if each.id in self.own)

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        self._reach("send")
        self._note_stranger(json.loads(body)["model"])
        return self.books.send(url, body, patience)

    @contextmanager
    def _owning(self) -> Iterator[None]:
        """Own what the block makes, though its answer may be lost."""
        known = {*self.books.files, *self.books.batches}
        try:
            yield
        finally:
            self.own |= {*self.books.files, *self.books.batches} - known

    def _look_for_strangers(self, lines: Source) -> None:
        for line in b"".join(lines).splitlines():
            self._note_stranger(json.loads(line)["body"]["model"])

    def _note_stranger(self, model: str) -> None:
        if not self.takes(model):
            self.books.wrongs.append(f"{model} was sent to {self.name}")

    def _reach(self, call: str, *ids: str) -> None:
        self.calls.append(call)
        if self.refusal is not None:
            raise self.refusal
        if self.books.clock() < self.down_until:
            raise never_sent()
        self.books.wrongs += [
            f"{call} of {each} at {self.name}, which never made it" for each in ids if each not in self.own
        ]

    def _shown(self, seen: Look) -> Look:
        """Return what was seen of a job; its results belong to this door, too."""
        held = self.books.batches[seen.id]
        self.own |= {each for each in (held.output_file_id, held.error_file_id, *seen.results) if each}
        return seen
