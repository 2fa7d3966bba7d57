"""The dialect of OpenAI and of the services that speak as OpenAI does: files in, batches, files out, lines untouched."""

from collections.abc import Container, Iterator, Sequence
from typing import Final

import msgspec

from ..client import BatchClient
from ..dialect import PATIENCE, Input, Job, Look, Prepared, State
from ..errors import NotFoundError
from ..http_info import HttpInfo
from ..models import Batch, BatchError, File
from ..profiles import Facts
from ..refusals import NO_MONEY
from ..sources import Source

PENDING, UNUSABLE = "pending", "error"  # statuses of a file
_STATES: Final = {
    "validating": State.WAITING, "in_progress": State.RUNNING, "finalizing": State.ENDING, "cancelling": State.ENDING,
    "completed": State.ENDED, "failed": State.ENDED, "expired": State.ENDED, "cancelled": State.ENDED,
}  # fmt: skip
_PARTIAL: Final = frozenset({"expired", "cancelled"})
_UNEXPLAINED: Final = BatchError("batch_failed", "The provider failed the batch and did not say why.")


class OpenAIDialect:
    """Speak as `Dialect` says, through a BatchClient. A job's key and labels are the metadata of its batch."""

    def __init__(self, client: BatchClient, key_label: str, objects: object = None) -> None:  # noqa: ARG002 - as of each
        """Take the client, and the member of the metadata that holds the key of a job; files lie at the service itself."""
        self._client, self._key_label = client, key_label

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        """Upload the input; there always is one."""
        return _prepared(self._client.create_file(lines, job.filename))

    def prepared(self, input_id: str) -> Prepared:
        """Read the file."""
        return _prepared(self._client.retrieve_file(input_id))

    def submit(self, job: Job, lines: Source) -> Look:  # noqa: ARG002 - the lines are in the input
        """Create the batch."""
        return self._look(self._created(self._client, job))

    def _created(self, client: BatchClient, job: Job) -> Batch:
        return client.create_batch(
            input_file_id=job.prepared or "", endpoint=job.endpoint, completion_window=job.window,
            metadata={self._key_label: job.key, **self._free(job.labels)}, idempotency_key=job.key,
        )  # fmt: skip

    def look(self, job_id: str) -> Look:
        """Retrieve the batch."""
        return self._look(self._client.retrieve_batch(job_id))

    def stop(self, job_id: str) -> Look:
        """Cancel the batch."""
        return self._look(self._client.cancel_batch(job_id))

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        """Find the batch with the key; or one without any metadata, of the same input."""
        found = self._client.find_batch(self._key_label, job.key, since, input_file_id=job.prepared, but=but)
        return None if found is None else self._look(found)

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:  # noqa: ARG002 - in the lines
        """Download an output or error file, whose lines have their custom_ids."""
        return self._client.download_file(name)

    def forget(self, name: str) -> bool:
        """Delete a file."""
        try:
            self._client.delete_file(name)
        except NotFoundError:
            return False
        return True

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        """List the batches."""
        return map(self._look, self._client.iter_batches(after=after))

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the files of batches."""
        for file in self._client.iter_files(purpose="batch", after=after):
            yield Input(file.id, file.filename, file.created_at)

    def send(self, url: str, body: bytes, patience: float = PATIENCE) -> HttpInfo[bytes]:
        """Send a request to its endpoint."""
        return self._client.send(url, body, patience)

    @property
    def _facts(self) -> Facts:
        return self._client.profile.facts

    def _free(self, labels: dict[str, str]) -> dict[str, str]:
        """Leave out the labels that mean something to the service."""
        return {name: text for name, text in labels.items() if name not in self._facts.reserved_metadata}

    def _problem(self, error: BatchError) -> BatchError:
        """Put OpenAI's word for want of money in place of the service's own."""
        is_purse = any(sign.shows(None, {error.code}, error.message or "") for sign in self._facts.purse_empty)
        return msgspec.structs.replace(error, code=NO_MONEY) if is_purse else error

    def _look(self, batch: Batch) -> Look:
        failed, counts = batch.status == "failed", batch.request_counts
        labels = {name: text for name, text in batch.metadata.items() if name != self._key_label}
        return Look(
            id=batch.id, state=_STATES.get(batch.status, State.UNKNOWN), status=batch.status, counts=counts,
            results=tuple(filter(None, (batch.output_file_id, batch.error_file_id))),
            whole=bool(batch.output_file_id) or not (counts and counts.completed), input=batch.input_file_id,
            problems=tuple(map(self._problem, batch.errors or (_UNEXPLAINED,))) if failed else (),
            partial=batch.status in _PARTIAL, usage=batch.usage, created_at=batch.created_at, expires_at=batch.expires_at,
            key=batch.metadata.get(self._key_label, ""), labels=labels,
        )  # fmt: skip


def _prepared(file: File) -> Prepared:
    said = file.status_details or "the service says 'error' of it, and no more"
    return Prepared(file.id, file.status == PENDING, said if file.status == UNUSABLE else None)
