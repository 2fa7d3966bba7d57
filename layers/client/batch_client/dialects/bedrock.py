"""The dialect of Amazon Bedrock's own batch jobs: records in a bucket in, one model a job, records in the bucket out.

A job has a token, so a create whose answer was lost is made again by itself; its name carries the key for persons and events.
An id is the last part of the job's ARN. What maps to what is in docs/providers.md.
"""

from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from .. import nesting
from ..address import path_id
from ..client import BatchClient
from ..dialect import Input, Job, Look, Prepared, State
from ..direct import Direct
from ..errors import (
    CreateOutcomeUnknown,
    InvalidArgumentError,
    NotFoundError,
    ProtocolError,
    RequestOutcomeUnknown,
)
from ..http_info import HttpInfo
from ..json_fields import object_from, text_from
from ..objects import Objects
from ..paging import MOST_PAGES, query_of
from ..sources import Source
from ..transport import JSON, Call
from ..unknown_outcome import known_or_raise, never_sent
from .bedrock_errors import refused, refused_create
from .bedrock_jobs import counts_of, id_of, look_from, usage_of
from .bedrock_lines import records_of, results_of
from .bedrock_names import model_and_type, name_of, token_of
from .refusals import hours_of, stopped_or_seen
from .stored import MANIFEST, RESULT, Store

_JOBS: Final = "/model-invocation-job"
_TYPES: Final = {"invoke": "InvokeModel", "converse": "Converse"}
_LEAST_HOURS, _MOST_HOURS = 24, 168
_PAGE: Final = 100
_LARGEST_MANIFEST: Final = 64 * 1024


class BedrockDialect(Direct):
    """Speak as `Dialect` says. The key and the labels of a job are in its token."""

    def __init__(self, client: BatchClient, key_label: str = "", objects: Objects | None = None) -> None:  # noqa: ARG002 - as of each
        """Take the client, and the objects that the service reads and writes."""
        self._transport, self._store = client.transport.with_refusals(refused), Store(objects)

    def prepare(self, job: Job, lines: Source) -> Prepared | None:
        """Write the records into the bucket."""
        return self._store.prepare(job.filename, records_of(lines))

    def prepared(self, input_id: str) -> Prepared:
        """Say that an object is ready as soon as it is written."""
        return Prepared(input_id)

    def submit(self, job: Job, lines: Source) -> Look:  # noqa: ARG002 - the lines are in the bucket
        """Create the job; another create with its token answers the first one."""
        model, kind = _named(job.endpoint)
        source = job.prepared or ""
        body = msgspec.json.encode({
            "jobName": name_of(job.key), "clientRequestToken": token_of(job.key, job.labels), "roleArn": self._store.role(),
            "modelId": model, "modelInvocationType": _TYPES[kind], "timeoutDurationInHours": _hours(job.window),
            "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": source}},
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": source.rpartition("/")[0] + "/"}},
        })  # fmt: skip
        call = Call(method="POST", path=_JOBS, headers=JSON, body=body)
        transport = self._transport.with_refusals(refused_create)
        made = known_or_raise(
            lambda: transport.call(call, lambda answer: id_of(object_from(answer, "job")), never_sent),
            CreateOutcomeUnknown, "The job",
        )  # fmt: skip
        return Look(
            id=made.data, state=State.WAITING, status="Submitted", input=job.prepared, key=job.key, labels=job.labels
        )

    def look(self, job_id: str) -> Look:
        """Read the job; once it has ended, what it left in the bucket, too."""
        seen = self._read_job(job_id)
        return self._with_results(seen) if seen.ended and self._store.is_given else seen

    def stop(self, job_id: str) -> Look:
        """Stop the job."""
        call = Call(method="POST", path=f"{_JOBS}/{path_id(job_id)}/stop", headers=JSON)

        def stop() -> Look:
            self._transport.call(call, lambda answer: answer, never_sent)
            return self.look(job_id)

        return stopped_or_seen(stop, lambda: self.look(job_id))

    def find(self, job: Job, since: int, but: Container[str] = ()) -> Look | None:
        """Find the job by its token, among those with its name."""
        token, after = token_of(job.key, job.labels), _moment(since)
        for fields in self._listed(nameContains=name_of(job.key), submitTimeAfter=after):
            seen = look_from(fields)
            if (seen.key == job.key or fields.get("clientRequestToken") == token) and seen.id not in but:
                return seen
        return None

    def read(self, name: str, ids: Sequence[str] = (), key: str = "") -> Iterator[bytes]:  # noqa: ARG002 - numbers tell
        """Read the records of a result, in whatever order they are."""
        return results_of(self._store.objects.read(name), ids)

    def forget(self, name: str) -> bool:
        """Delete an object."""
        return self._store.forget(name)

    def jobs(self, after: str | None = None) -> Iterator[Look]:
        """List the jobs; those behind one begin with the time of that one."""
        if after is None:
            yield from map(look_from, self._listed())
            return
        mark = self._read_job(after).created_at or 0
        before, passed = _moment(mark + 1), False
        for seen in map(look_from, self._listed(submitTimeBefore=before)):
            if seen.id != after and (passed or (seen.created_at or 0) < mark):
                yield seen
            passed = passed or seen.id == after

    def inputs(self, after: str | None = None) -> Iterator[Input]:
        """List the inputs in the bucket."""
        return self._store.inputs(after)

    def send(self, url: str, body: bytes, patience: float = 240.0) -> HttpInfo[bytes]:
        """Send a request to the model that its url names."""
        model, kind = _named(url)
        path = f"/model/{path_id(model)}/{kind}"
        call = Call(method="POST", path=path, headers=JSON, body=body, patience=patience, ordinary=True)
        return known_or_raise(lambda: self._whole(call), RequestOutcomeUnknown, "The answer")

    def _read_job(self, job_id: str) -> Look:
        call = Call(method="GET", path=f"{_JOBS}/{path_id(job_id)}")
        return self._transport.call(call, lambda answer: look_from(object_from(answer, "job"))).data

    def _listed(self, **query: str) -> Iterator[Mapping[str, object]]:
        token: str | None = None
        for _ in range(MOST_PAGES):
            asked = query_of(maxResults=_PAGE, sortBy="CreationTime", sortOrder="Descending", nextToken=token, **query)
            call = Call(method="GET", path=f"{_JOBS}s", query=asked)
            page = self._transport.call(call, lambda answer: object_from(answer, "list")).data
            found, before, token = page.get("invocationJobSummaries"), token, text_from(page.get("nextToken"))
            yield from (object_from(each, "job") for each in (found if isinstance(found, list) else ()))
            if token is None:
                return
            if token == before:
                break
        raise ProtocolError("The list says that there are more, but gives no way to them")

    def _with_results(self, seen: Look) -> Look:
        """Name the results that are there, and take the final counts and the tokens from the manifest beside them."""
        (named,) = seen.results or ("",)
        folder = named.rpartition("/")[0]
        results = self._store.results(folder, RESULT)
        manifest = self._manifest(f"{folder}/{MANIFEST}") if results else {}
        counts = counts_of(manifest) or seen.counts
        whole = bool(results) or not (counts and counts.completed)
        return msgspec.structs.replace(seen, results=results, counts=counts, usage=usage_of(manifest), whole=whole)

    def _manifest(self, address: str) -> Mapping[str, object]:
        """Read a manifest; what cannot be read counts as absent."""
        text = bytearray()
        try:
            for chunk in self._store.objects.read(address):
                text += chunk
                if len(text) > _LARGEST_MANIFEST:
                    return {}
            return object_from(nesting.decode(bytes(text)), "manifest")
        except (NotFoundError, ProtocolError, ValueError):
            return {}


def _named(url: str) -> tuple[str, str]:
    found = model_and_type(url)
    if found is None:
        raise InvalidArgumentError(
            f"{url[:64]!r} is no url of Bedrock, such as /model/anthropic.claude-haiku-4-5/invoke"
        )
    return found


def _hours(window: str) -> int:
    """Return how long a job may take: a day at least, and a week at most."""
    return min(max(hours_of(window), _LEAST_HOURS), _MOST_HOURS)


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
