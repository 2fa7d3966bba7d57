"""A batch that can be waited for, stored by its id, and taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .answers import Answers, rates_of
from .delivering import Delivered, alone, deliver, lines_of, proved, results_of, source_of
from .inputs import check_out
from .job_record import JobRecord, key_of, stem_of
from .ordering import with_gaps
from .watching import watch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from .front import Front
    from .inputs import Input
    from .service import View


class Job:
    """A batch; its `id` is all that a program needs to keep."""

    def __init__(self, front: Front, batch_id: str, source: Input | None = None) -> None:
        """Take up a batch; `source` is its input, without which answers have no rows."""
        self._front = front
        #: The id of the batch, as the service knows it.
        self.id = batch_id
        record = front.records.of_batch(batch_id)
        self._source = source if source is not None else source_of(record)
        self._record = record

    def __repr__(self) -> str:
        return f"Job({self.id!r})"

    def status(self) -> View:
        """Look how the batch stands, without waiting."""
        with self._front.words():
            return self._front.patience.run(lambda: self._front.service.retrieve(self.id))

    def watch(self) -> View:
        """Wait until the batch has ended, and show its progress."""
        front = self._front
        with front.words(), front.screen.bar("Running", None) as bar:
            return watch(front.service, front.patience, self.id, bar, front.sleep)

    def results(self) -> Answers:
        """Wait for the end, and return the answers in the order of the rows."""
        view = self.watch()
        front, source = self._front, self._source
        with front.words(), alone(front, view):
            source = None if source is None else proved(front, view, source)
            results = results_of(front, view, front.home.path(f"results/{self.id}/."))
        rates = rates_of(view.cost)

        def lines() -> Iterator[bytes | None]:
            if source is not None:
                found = lines_of(results, source)
                return with_gaps(found) if source.is_table else found
            return (line for path in (results.output, results.errors) for line in path.open("rb"))

        rows = None if source is None else source.rows
        skips = source is not None and (source.recipe or {}).get("nulls") == "skip"
        needed = source.made_recipe().columns if source is not None and skips else ()
        return Answers(lines, rows, rates, view.counts.total, view.counts.failed, view.usd, needed=needed)

    def fetch(self, out: str | Path) -> Delivered:
        """Wait for the end, and write the results: a folder, a `.jsonl`, or a table with its answers."""
        if self._source is not None:
            check_out(self._source, str(out))
        view = self.watch()
        with self._front.words():
            return deliver(self._front, view, self._source, str(out))

    def cancel(self) -> View:
        """Cancel the batch; what is finished is kept."""
        with self._front.words():
            return self._front.patience.run(lambda: self._front.service.cancel(self.id))

    def resume(self) -> View:
        """Have a batch that waits try at once."""
        with self._front.words():
            return self._front.service.resume(self.id)

    def retry(self, body: dict[str, Any] | None = None, nonce: str = "") -> Job:
        """Make a batch of the rows without success; the same call again gives the same batch."""
        front, asked = self._front, body or {}
        stem = stem_of(front.place.base_url, f"retry of {self.id}", asked)
        key = key_of(stem, nonce)
        with front.words():
            view = front.patience.run(lambda: front.service.retry(self.id, key, asked))
        record = self._record or JobRecord(stem=stem, key=key, base_url=front.place.base_url)
        front.records.keep_batch(msgspec.structs.replace(record, batch_id=view.id, key=key))
        return Job(front, view.id, self._source)

    def __await__(self) -> Generator[Any, None, Answers]:
        """Wait without blocking the event loop, and return the answers."""
        import asyncio  # noqa: PLC0415 - only programs that await have it

        return asyncio.to_thread(self.results).__await__()
