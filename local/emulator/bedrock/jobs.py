"""Bedrock's jobs: their state, their shape in the API, and their store, which knows each token again."""

import secrets
import string
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from local.emulator.batches import Usage
from local.emulator.bedrock.aws import ACCOUNT, REGION
from local.emulator.bedrock.errors import CONFLICT, QUOTA, no_such_job, refused
from local.emulator.clock import Clock
from local.emulator.faults import BatchFault
from local.emulator.ordinals import Ordinals

SUBMITTED, VALIDATING, SCHEDULED, IN_PROGRESS, STOPPING = (
    "Submitted",
    "Validating",
    "Scheduled",
    "InProgress",
    "Stopping",
)
COMPLETED, PARTIAL, FAILED, STOPPED, EXPIRED = "Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"
ENDS: Final = frozenset({COMPLETED, PARTIAL, FAILED, STOPPED, EXPIRED})
_HOUR: Final = 3_600
_ID: Final = string.ascii_lowercase + string.digits
_COUNTS: Final = ("totalRecordCount", "processedRecordCount", "successRecordCount", "errorRecordCount")


@dataclass(frozen=True)
class JobRequest:
    """A checked body of CreateModelInvocationJob."""

    name: str
    token: str
    model: str
    #: `InvokeModel` or `Converse`.
    kind: str
    role: str
    #: The addresses of the input and of the folder of results.
    source: str
    target: str
    hours: int


@dataclass
class Job:
    """One job."""

    request: JobRequest
    #: Its place among all batches of the emulator, from 1.
    ordinal: int
    created_at: float
    #: The file with the ids of the billed records.
    ledger_path: Path
    id: str = field(default_factory=lambda: "".join(secrets.choice(_ID) for _ in range(12)))
    status: str = SUBMITTED
    message: str = ""
    changed_at: float = 0.0
    ended_at: float | None = None
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    #: What the counts were, and when: they are shown late.
    history: list[tuple[float, tuple[int, int, int]]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    #: What its succeeded records cost; None if its model has no price.
    dollars: Decimal | None = Decimal(0)
    #: What the scenario orders for it.
    fault: BatchFault = field(default_factory=BatchFault)
    #: Held while the runner or the API reads or changes the members above.
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def arn(self) -> str:
        """Return its name for AWS."""
        return f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/{self.id}"

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in ENDS

    @property
    def stopping(self) -> bool:
        """Tell whether its user has asked to stop it, and it has not stopped yet."""
        return self.status == STOPPING

    @property
    def expires_at(self) -> float:
        """Return the time at which it ends by itself."""
        return self.created_at + self.request.hours * _HOUR

    @property
    def folder(self) -> str:
        """Return the address of the folder with its results."""
        return f"{self.request.target.rstrip('/')}/{self.id}"

    def enter(self, status: str, now: float) -> bool:
        """Set the status, and tell whether it changed: an ended job stays, and a stopping one takes only a final status."""
        with self.lock:
            if self.ended or (self.stopping and status not in ENDS):
                return False
            self.status, self.changed_at = status, now
            self.ended_at = now if self.ended else None
            return True

    def stop(self, now: float) -> None:
        """Begin to stop; refuse it if the job has ended, and change nothing if it is being stopped."""
        with self.lock:
            if self.ended:
                raise refused(CONFLICT, f"The job cannot be stopped: its status is {self.status}.")
            if not self.stopping:
                self.enter(STOPPING, now)

    def count(self, now: float, *, succeeded: bool) -> None:
        """Count one record."""
        with self.lock:
            self.succeeded += succeeded
            self.failed += not succeeded
            self.history.append((now, (self.total, self.succeeded, self.failed)))

    def counts(self, at: float) -> tuple[int, int, int]:
        """Return how many records there are, succeeded and failed, as of a time."""
        with self.lock:
            return next((counts for when, counts in reversed(self.history) if when <= at), (0, 0, 0))

    def wire(self, counted_at: float) -> dict[str, Any]:
        """Return the job of the API, with the counts as of a time."""
        total, succeeded, failed = self.counts(counted_at)
        with self.lock:
            shown = {
                "jobArn": self.arn, "jobName": self.request.name, "modelId": self.request.model,
                "clientRequestToken": self.request.token, "roleArn": self.request.role, "status": self.status,
                "submitTime": moment(self.created_at), "lastModifiedTime": moment(self.changed_at or self.created_at),
                "jobExpirationTime": moment(self.expires_at), "timeoutDurationInHours": self.request.hours,
                "modelInvocationType": self.request.kind,
                "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": self.request.source}},
                "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": self.request.target}},
                **dict(zip(_COUNTS, (total, succeeded + failed, succeeded, failed), strict=True)),
            }  # fmt: skip
            more = {"endTime": self.ended_at and moment(self.ended_at), "message": self.message}
            return {**shown, **{name: value for name, value in more.items() if value}}

    def manifest(self) -> dict[str, int]:
        """Return what stands beside its results."""
        counts = (self.total, self.succeeded + self.failed, self.succeeded, self.failed)
        tokens = {"inputTokenCount": self.usage.input_tokens, "outputTokenCount": self.usage.output_tokens}
        return {**dict(zip(_COUNTS, counts, strict=True)), **tokens}


class JobStore:
    """Hold all jobs by id, in the order of their creation; threads may share the store."""

    def __init__(self, directory: Path, clock: Clock, ordinals: Ordinals) -> None:
        self._directory, self._clock, self._ordinals = directory, clock, ordinals
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def add(self, wanted: JobRequest, most_at_once: int | None) -> tuple[Job, bool]:
        """Keep a new job, or return the earlier one with its token, and tell which; refuse it where there is no room."""
        with self._lock:
            if earlier := next((job for job in self._jobs.values() if job.request.token == wanted.token), None):
                if earlier.request != wanted:
                    raise refused(CONFLICT, "Another request with this clientRequestToken had other parameters.")
                return earlier, False
            running = sum(job.request.model == wanted.model and not job.ended for job in self._jobs.values())
            if most_at_once is not None and running >= most_at_once:
                message = f"Sum of in-progress and submitted batch inference jobs using {wanted.model}: {most_at_once} at most."
                raise refused(QUOTA, message)
            ordinal = self._ordinals.take()
            job = Job(wanted, ordinal, self._clock.now(), self._directory / f"billed-{ordinal}.jsonl")
            self._jobs[job.id] = job
        return job, True

    def get(self, identifier: str) -> Job:
        """Return the job with this id or ARN; raise ApiError 404 if there is none."""
        job = self.find(identifier)
        if job is None:
            raise no_such_job(identifier)
        return job

    def find(self, identifier: str) -> Job | None:
        """Return the job with this id or ARN, or None."""
        with self._lock:
            return self._jobs.get(identifier.rpartition("/")[2])

    def newest_first(self) -> list[Job]:
        """Return every job, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))


def moment(seconds: float) -> str:
    """Write a time as AWS does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
