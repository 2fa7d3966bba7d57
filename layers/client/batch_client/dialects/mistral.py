"""The dialect of Mistral: files as OpenAI has them, and jobs in words of its own.

Its lines have neither method nor url, its lists go on by numbers of pages, and it finds a job by our key in its metadata.
What maps to what is in docs/mistral.md.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from itertools import chain
from typing import Final, TypeVar

import msgspec

from ..address import path_id
from ..client import BatchClient
from ..decode import page_from
from ..dialect import Input, Job, Look, Prepared, State
from ..errors import (
    BadRequestError,
    CannotTell,
    CreateOutcomeUnknown,
    ProtocolError,
    RateLimitError,
)
from ..json_fields import LONGEST_STATUS, id_from, int_from, object_from, required_id, text_from, time_from
from ..models import BatchError, RequestCounts
from ..paging import MOST_PAGES, query_of
from ..sizes import TOO_LARGE, is_too_large
from ..sources import Source
from ..statuses import NO_STATUS, words_of
from ..transport import JSON, Call
from ..unknown_outcome import known_or_raise, never_sent
from .mistral_lines import Requests
from .openai import OpenAIDialect
from .refusals import hours_of, stopped_or_seen, without_room

T = TypeVar("T")

_JOBS: Final = "/batch/jobs"
_STATES: Final = {
    "queued": State.WAITING, "running": State.RUNNING, "cancellation_requested": State.ENDING,
    "success": State.ENDED, "failed": State.ENDED, "timeout_exceeded": State.ENDED, "cancelled": State.ENDED,
}  # fmt: skip
_FAILED: Final = "failed"
_PARTIAL: Final = frozenset({"timeout_exceeded", "cancelled"})
_UNEXPLAINED: Final = BatchError("batch_failed", "The provider failed the job and did not say why.")
_COUNTS: Final = ("total_requests", "succeeded_requests", "failed_requests")
_SERVICE: Final = "mistral"  # the source of a file that it has made
_PAGE: Final = 100
_MOST_ERRORS, _MOST_METADATA = 1_000, 100


class MistralDialect(OpenAIDialect):
    """Speak as `Dialect` says. A job's key and labels are its metadata; its input and its results are files."""

    def __init__(self, client: BatchClient, key_label: str, objects: object = None) -> None:
        """Take the client, and the member of the metadata that holds the key of a job."""
        super().__init__(client, key_label, objects)
        self._transport = client.transport

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        """Upload the requests, each as it is read."""
        return super().prepare(job, Requests(lines))

    def submit(self, job: Job, lines: Source) -> Look:  # noqa: ARG002 - the lines are in the input
        """Create the job; its hours are those of the window."""
        members = {
            "endpoint": job.endpoint, "input_files": [job.prepared or ""], "model": job.model,
            "metadata": {self._key_label: job.key, **self._free(job.labels)}, "timeout_hours": hours_of(job.window),
        }  # fmt: skip
        call = Call(method="POST", path=_JOBS, headers=JSON, body=msgspec.json.encode(members))
        try:
            made = known_or_raise(
                lambda: self._transport.call(call, self._seen, never_sent), CreateOutcomeUnknown, "The job"
            )
        except RateLimitError as error:
            if (full := without_room(error)) is None:
                raise
            raise full from error
        return made.data

    def look(self, job_id: str) -> Look:
        """Retrieve the job."""
        return self._transport.call(Call(method="GET", path=_path(job_id)), self._seen).data

    def stop(self, job_id: str) -> Look:
        """Cancel the job."""
        call = Call(method="POST", path=f"{_path(job_id)}/cancel", headers=JSON)
        return stopped_or_seen(
            lambda: self._transport.call(call, self._seen, never_sent).data, lambda: self.look(job_id)
        )

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        """Find the job with the key, or one without any metadata of the same input.

        The service selects by the key; where it shows none, the whole list since the time decides, because a selection
        that the service took otherwise than meant would have a job made twice.
        """
        try:
            for seen in chain(self._selected(job.key), self._made_since(since)):
                of_input = seen.input is not None and seen.input == job.prepared
                if seen.key == job.key or (of_input and not seen.key and not seen.labels and seen.id not in but):
                    return seen
        except ProtocolError as error:
            told = f"The list of jobs is not to be trusted: {error.message}"
            raise CannotTell(told, retryable=error.retryable) from error
        return None

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        """List the jobs."""
        return _behind(self._listed, lambda seen: seen.id, after)

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the files of batches that the service has not made itself."""

        def uploaded() -> Iterator[Input]:
            files = self._pages("/files", _file_from, lambda each: each[0].id, purpose="batch")
            return (file for file, made in files if not made)

        return _behind(uploaded, lambda each: each.id, after)

    def _listed(self, **selected: str) -> Iterator[Look]:
        return self._pages(_JOBS, self._seen, lambda seen: seen.id, order_by="-created", **selected)

    def _selected(self, key: str) -> Iterator[Look]:
        """List what the service selects by a key; nothing where it refuses to."""
        try:
            yield from self._listed(**{self._key_label: key})
        except BadRequestError:
            return

    def _made_since(self, since: int) -> Iterator[Look]:
        first = (
            None  # if the service lists the oldest first all the same, none is older than the first, and all are read
        )
        for seen in self._listed():
            if seen.created_at is not None:
                first = first or seen.created_at
                if seen.created_at < since and seen.created_at < first:
                    return
            yield seen

    def _pages(self, path: str, read: Callable[[object], T], id_of: Callable[[T], str], **selected: str) -> Iterator[T]:
        """Yield the items of all pages, each once. Raises ProtocolError if an item may have been missed."""
        known, total = set[str](), None
        for number in range(MOST_PAGES):
            call = Call(method="GET", path=path, query=query_of(page=number, page_size=_PAGE, **selected))
            items, there = self._transport.call(call, lambda answer: _page_from(answer, read)).data
            if there is not None and total is not None and there < total:
                raise ProtocolError("An item was deleted while the list was read", retryable=True)
            total = there
            fresh = [item for item in items if id_of(item) not in known]
            yield from fresh
            known.update(map(id_of, fresh))
            if not items or (total is not None and len(known) >= total):
                return
            if not fresh:
                raise ProtocolError("The list says that there are more, but gives no way to them")
        raise ProtocolError(f"The list has more than {MOST_PAGES} pages")

    def _seen(self, answer: object) -> Look:
        """Read a job; whatever a member says that cannot be read counts as absent."""
        fields = object_from(answer, "job")
        status = words_of(fields.get("status"))[:LONGEST_STATUS] or NO_STATUS
        counts, metadata = _counts(fields), _metadata(fields.get("metadata"))
        output, errors = id_from(fields, "output_file"), id_from(fields, "error_file")
        files = fields.get("input_files")
        return Look(
            id=required_id(fields, "job"), state=_STATES.get(status, State.UNKNOWN), status=status, counts=counts,
            results=tuple(filter(None, (output, errors))), whole=bool(output) or not (counts and counts.completed),
            input=text_from(files[0]) if isinstance(files, list) and len(files) == 1 else None,
            problems=tuple(map(self._problem, _problems(fields.get("errors")))) if status == _FAILED else (),
            partial=status in _PARTIAL,
            created_at=time_from(fields.get("created_at")), key=metadata.pop(self._key_label, ""), labels=metadata,
        )  # fmt: skip


def _path(job_id: str) -> str:
    return f"{_JOBS}/{path_id(job_id)}"


def _behind(listed: Callable[[], Iterator[T]], id_of: Callable[[T], str], after: str | None) -> Iterator[T]:
    """Yield what is listed behind the item with an id; all of it if that one is not there any more."""
    passed = after is None
    for item in listed():
        if passed:
            yield item
        passed = passed or id_of(item) == after
    if not passed:
        yield from listed()


def _page_from(answer: object, read: Callable[[object], T]) -> tuple[tuple[T, ...], int | None]:
    """Read the items of a page, and how many there are on all pages; a page without items may have no `data`."""
    fields = object_from(answer, "list")
    page = page_from({**fields, "data": fields.get("data") or []}, read)
    return page.data, int_from(fields.get("total"))


def _file_from(answer: object) -> tuple[Input, bool]:
    """Read a file, and whether the service has made it."""
    fields = object_from(answer, "file")
    name, created = text_from(fields.get("filename")) or "", time_from(fields.get("created_at"))
    return Input(required_id(fields, "file"), name, created), fields.get("source") == _SERVICE


def _counts(fields: Mapping[str, object]) -> RequestCounts | None:
    found = [int_from(fields.get(name)) for name in _COUNTS]
    known = [count for count in found if count is not None and count >= 0]
    return RequestCounts(*known) if len(known) == len(_COUNTS) else None


def _metadata(value: object) -> dict[str, str]:
    members = list(value.items())[:_MOST_METADATA] if isinstance(value, dict) else []
    return {name: text for name, text in members if isinstance(text, str)}


def _problems(value: object) -> tuple[BatchError, ...]:
    entries = value[:_MOST_ERRORS] if isinstance(value, list) else []
    told = [text for each in entries if isinstance(each, dict) and (text := text_from(each.get("message")))]
    codes = (TOO_LARGE if is_too_large(None, message) else _UNEXPLAINED.code for message in told)
    return tuple(map(BatchError, codes, told)) or (_UNEXPLAINED,)
