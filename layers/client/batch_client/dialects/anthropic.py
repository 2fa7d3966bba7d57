"""The dialect of Anthropic's Message Batches: requests go with the create, and results are read line by line.

The service keeps no key of ours, shows no progress, and names requests by ids of few characters. What maps to what is in
docs/providers.md.
"""

from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from typing import Final

import requests

from ..address import path_id
from ..body import Body
from ..client import BatchClient
from ..decode import page_from
from ..dialect import Input, Job, Look, Prepared
from ..direct import Direct
from ..errors import (
    APIConnectionError,
    BatchClientError,
    CannotTell,
    CreateOutcomeUnknown,
    DownloadIncomplete,
    InvalidArgumentError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
)
from ..models import Page
from ..paging import ListEnd, all_items, query_of
from ..retry import harmless
from ..sources import CHUNK_BYTES, Source
from ..transport import JSON, Call
from ..unknown_outcome import known_or_raise, never_sent
from ..upload import StreamedBody
from .anthropic_errors import refused
from .anthropic_jobs import look_from
from .anthropic_lines import HEAD, LONGEST_LINE, TAIL, Requests, decode, id_of, mark_of
from .lines import lines_of
from .refusals import stopped_or_seen, without_room

_BATCHES: Final = "/messages/batches"
_PAGE: Final = 100
_NAMED: Final = 5  # jobs that an error names


class AnthropicDialect(Direct):
    """Speak as `Dialect` says. The key of a job goes as a mark into the ids of its requests; labels go nowhere."""

    def __init__(self, client: BatchClient, key_label: str = "", objects: object = None) -> None:  # noqa: ARG002 - as of each
        """Take the client; there is no metadata that could have the member `key_label`."""
        self._transport = client.transport.with_refusals(refused)
        self._no_money = client.profile.facts.purse_empty

    def prepare(self, job: Job, lines: Source) -> Prepared | None:  # noqa: ARG002 - nothing is laid down
        """Do nothing: the lines go with `submit`."""
        return None

    def prepared(self, input_id: str) -> Prepared:
        """Refuse: there are no inputs."""
        raise InvalidArgumentError(f"{input_id[:64]!r} is no input: this service has none")

    def submit(self, job: Job, lines: Source) -> Look:
        """Create the batch, with its requests as they are read."""
        body = StreamedBody(HEAD, Requests(lines, mark_of(job.key)), TAIL)
        call = Call(method="POST", path=_BATCHES, headers=JSON, body=body)
        try:
            made = known_or_raise(
                lambda: self._transport.call(call, look_from, never_sent), CreateOutcomeUnknown, "The batch"
            )
        except RateLimitError as error:
            if (full := without_room(error)) is None:
                raise
            raise full from error
        return made.data

    def look(self, job_id: str) -> Look:
        """Retrieve the batch."""
        return self._transport.call(Call(method="GET", path=_path(job_id)), look_from).data

    def stop(self, job_id: str) -> Look:
        """Cancel the batch."""
        call = Call(method="POST", path=f"{_path(job_id)}/cancel", headers=JSON)
        return stopped_or_seen(
            lambda: self._transport.call(call, look_from, never_sent).data, lambda: self.look(job_id)
        )

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        """Find the batch by its time and size, and prove it by the ids in its results.

        Raises CannotTell while a batch runs that may be the one: its results will tell, and adopting another's batch would
        have a request paid for twice.
        """
        unsure: list[Look] = []
        for seen in self._made_since(since):
            if (seen.counts is not None and seen.counts.total != job.count) or seen.id in but:
                continue
            proof = self._is_of(job, seen)
            if proof:
                return seen
            unsure += [seen] if proof is None else []
        if unsure:
            named = ", ".join(seen.id for seen in unsure[:_NAMED])
            message = f"It may be {named}: only the results of a batch that has ended tell whose it is"
            raise CannotTell(message, retryable=not all(seen.ended for seen in unsure))
        return None

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:
        """Read the results of the batch, of which those with the mark of the job answer it.

        Results that break off are read again, in whatever order they come, without what was given.
        """
        given, retrier, mark = bytearray(len(ids)), self._transport.retrier, mark_of(key)
        started, retry = retrier.clock.monotonic(), 0
        while True:
            before = sum(given)
            try:
                yield from self._results(name, ids, mark, given)
            except BatchClientError as error:
                if sum(given) > before:
                    started, retry = retrier.clock.monotonic(), 0
                retry += 1
                if error.retryable and retrier.wait(retry - 1, error, started):
                    continue
                if not isinstance(error, APIConnectionError):
                    raise
                message = f"The results of {name} ended after {sum(given)} of {len(ids)}: {error.message}"
                raise DownloadIncomplete(message, retryable=error.retryable) from error
            else:
                return

    def forget(self, name: str) -> bool:
        """Delete the batch, with its results; the service refuses that of one that has not ended."""
        try:
            self._transport.call(Call(method="DELETE", path=_path(name), headers=JSON), lambda answer: answer)
        except NotFoundError:
            return False
        return True

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        """List the batches."""
        return all_items(self._page, lambda seen: seen.id, after)

    def inputs(self, after: str | None = None) -> Iterator[Input]:  # noqa: ARG002 - there are none behind any
        """List nothing: there are no inputs."""
        return iter(())

    def _page(self, after: str | None) -> Page[Look]:
        call = Call(method="GET", path=_BATCHES, query=query_of(limit=_PAGE, after_id=after))
        return self._transport.call(call, lambda answer: page_from(answer, look_from)).data

    def _made_since(self, since: int) -> Iterator[Look]:
        """Yield the batches since a time. Raises CannotTell if the list is not whole: a later one may be."""
        end, jobs = ListEnd(since), self.jobs()
        while True:
            try:
                seen = next(jobs, None)
            except ProtocolError as error:
                message = f"The list of batches is not to be trusted: {error.message}"
                raise CannotTell(message, retryable=error.retryable) from error
            if seen is None or end.passed(seen.created_at):
                return
            if seen.created_at is None or seen.created_at >= since:
                yield seen

    def _is_of(self, job: Job, seen: Look) -> bool | None:
        """Tell by the first of its results whether a batch is that of a job; None while nothing tells."""
        try:
            first = self._transport.retrier.run(lambda: self._first_id(seen), harmless) if seen.results else None
        except NotFoundError:
            return None
        return None if first is None else first.startswith(f"{mark_of(job.key)}-")

    def _first_id(self, seen: Look) -> str | None:
        with closing(self._opened(seen.id)) as response:
            lines = lines_of(Body(response, self._transport.address.host).chunks(), LONGEST_LINE)
            return id_of(next(lines, b""))

    def _opened(self, job_id: str) -> requests.Response:
        headers = {"Accept": "application/x-jsonl, application/binary", "Accept-Encoding": "identity"}
        return self._transport.open(
            Call(method="GET", path=f"{_path(job_id)}/results", headers=headers, may_leave=True)
        )

    def _results(self, name: str, ids: Sequence[str], mark: str, given: bytearray) -> Iterator[bytes]:
        """Yield in chunks the lines of one answer that no earlier answer gave, and mark them in `given`."""
        held: list[bytes] = []
        size = 0
        try:
            for line in self._lines(name, ids, mark, given):
                held.append(line)
                size += len(line)
                if size >= CHUNK_BYTES:
                    yield b"".join(held)
                    held, size = [], 0
        except BatchClientError:
            yield b"".join(held)  # they came whole, and are marked
            raise
        yield b"".join(held)

    def _lines(self, name: str, ids: Sequence[str], mark: str, given: bytearray) -> Iterator[bytes]:
        before, again = bytes(given), any(given)  # strays come with the first answer alone
        with closing(self._opened(name)) as response:
            body = Body(response, self._transport.address.host)
            for result in lines_of(body.chunks(), LONGEST_LINE):
                number, line = decode(result, ids, mark, self._no_money)
                if number is not None and not before[number]:
                    given[number] = 1
                    yield line
                elif number is None and not again:
                    yield line
        if not body.proves_its_end and not all(given):
            raise APIConnectionError("nothing tells whether that is all")


def _path(job_id: str) -> str:
    return f"{_BATCHES}/{path_id(job_id)}"
