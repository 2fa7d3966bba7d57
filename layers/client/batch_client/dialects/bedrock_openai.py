"""The dialect of OpenAI's batches on Amazon Bedrock: as OpenAI's, but inputs and results are objects of a bucket.

The service has no files: the id of an input is its address, and results lie in a folder beside it that has the batch's id.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from ..client import BatchClient
from ..dialect import Input, Job, Look, Prepared
from ..models import Batch
from ..objects import Objects
from ..sources import Source
from ..upload import chunks_of
from .bedrock_errors import refused, refused_create
from .openai import OpenAIDialect
from .stored import ERRORS, INPUT, RESULT, Store, folder_of

_ROLE, _MODEL = "X-Amzn-Bedrock-RoleArn", "X-Amzn-Bedrock-ModelId"
_ENDS: Final = (RESULT, ERRORS)


class BedrockOpenAIDialect(OpenAIDialect):
    """Speak as `Dialect` says. A job's key and labels are the metadata of its batch."""

    def __init__(self, client: BatchClient, key_label: str, objects: Objects | None = None) -> None:
        """Take the client, the member of the metadata that holds the key of a job, and the objects."""
        super().__init__(client.over(client.transport.with_refusals(refused)), key_label)
        self._store = Store(objects)

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        """Write the lines into the bucket, as they are."""
        return self._store.prepare(job.filename, chunks_of(lines))

    def prepared(self, input_id: str) -> Prepared:
        """Say that an object is ready as soon as it is written."""
        return Prepared(input_id)

    def submit(self, job: Job, lines: Source) -> Look:  # noqa: ARG002 - the lines are in the bucket
        """Create the batch, for the one model of the job."""
        headers = {_ROLE: self._store.role(), _MODEL: job.model}
        client = self._client.over(self._client.transport.with_refusals(refused_create, **headers))
        return self._look(self._created(client, job))

    def look(self, job_id: str) -> Look:
        """Retrieve the batch; once it has ended, tell what it left in the bucket."""
        return self._with_results(self._client.retrieve_batch(job_id))

    def stop(self, job_id: str) -> Look:
        """Cancel the batch."""
        return self._with_results(self._client.cancel_batch(job_id))

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:  # noqa: ARG002 - the lines hold them
        """Read a result."""
        return self._store.objects.read(name)

    def forget(self, name: str) -> bool:
        """Delete an object."""
        return self._store.forget(name)

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the inputs in the bucket."""
        return self._store.inputs(after)

    def _look(self, batch: Batch) -> Look:
        """Name the results as the service does; where it names none, as they are called by its rule."""
        seen = super()._look(batch)
        if seen.results or not seen.ended or not seen.input:
            return seen
        folder, name = folder_of(seen.input, seen.id), seen.input.rpartition("/")[2].removesuffix(INPUT)
        return msgspec.structs.replace(seen, results=tuple(f"{folder}/{name}{end}" for end in _ENDS))

    def _with_results(self, batch: Batch) -> Look:
        """Name the results that are there: where there were no errors, there is no file of errors."""
        seen = self._look(batch)
        if not seen.ended or not self._store.is_given:
            return seen
        results = self._store.results(folder_of(seen.input, seen.id), *_ENDS) or super()._look(batch).results
        completed = seen.counts.completed if seen.counts else 0
        return msgspec.structs.replace(seen, results=results, whole=bool(results) or not completed)
