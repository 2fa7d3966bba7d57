"""Provider batches: their state, their shape in the API, and their store."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.emulator import identifiers
from local.emulator.clock import Clock
from local.emulator.errors import ApiError, no_such_batch
from local.emulator.faults import BatchFault
from local.emulator.ordinals import Ordinals

WINDOW_SECONDS = 86_400
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_MOMENTS = (
    "in_progress_at",
    "expires_at",
    "finalizing_at",
    "completed_at",
    "failed_at",
    "expired_at",
    "cancelling_at",
    "cancelled_at",
)


@dataclass(frozen=True)
class BatchRequest:
    """A checked body of `POST /batches`."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] | None
    #: The seconds after which output and error files expire.
    output_lifetime: int
    #: In whose shape its lines are written.
    service: str = "openai"
    #: The model of lines that name none.
    model: str | None = None
    #: The seconds after which it expires.
    seconds: int = WINDOW_SECONDS


@dataclass
class Usage:
    """The sum of the tokens of the answered lines."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, usage: object) -> None:
        """Add the `usage` of one answer, with the members of chat completions, of responses or of messages."""
        if not isinstance(usage, dict):
            return
        given = usage.get("input_tokens_details") or usage.get("prompt_tokens_details") or {}
        written = usage.get("output_tokens_details") or usage.get("completion_tokens_details") or {}
        self.input_tokens += usage.get("input_tokens") or usage.get("prompt_tokens") or 0
        self.output_tokens += usage.get("output_tokens") or usage.get("completion_tokens") or 0
        self.cached_tokens += given.get("cached_tokens") or 0
        read = usage.get("cache_read_input_tokens") or 0  # messages count these two beside `input_tokens`
        self.input_tokens += read + (usage.get("cache_creation_input_tokens") or 0)
        self.cached_tokens += read
        self.reasoning_tokens += written.get("reasoning_tokens") or 0

    def wire(self) -> dict[str, Any]:
        """Return the batch's `usage` member."""
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.input_tokens + self.output_tokens,
        }


@dataclass
class Batch:
    """One provider batch."""

    request: BatchRequest
    #: Its place among all batches of the emulator, from 1.
    ordinal: int
    created_at: int
    #: The file with the custom_ids of the billed lines.
    ledger_path: Path
    id: str = field(default_factory=lambda: identifiers.hex_id("batch_"))
    status: str = "validating"
    model: str | None = None
    errors: list[dict[str, Any]] | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    #: The times in Unix seconds, such as `expires_at`.
    moments: dict[str, int] = field(default_factory=dict)
    total: int = 0
    completed: int = 0
    failed: int = 0
    #: The prompt tokens of its lines, which count for the limit of its model until it ends.
    enqueued_tokens: int = 0
    usage: Usage | None = None
    #: What the scenario orders for it.
    fault: BatchFault = field(default_factory=BatchFault)
    #: Held while the runner or the API reads or changes the members above.
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.moments["expires_at"] = self.created_at + self.request.seconds

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in ENDED

    @property
    def cancelling(self) -> bool:
        """Tell whether the user has asked to cancel, and the batch is not cancelled yet."""
        return self.status == "cancelling"

    def enter(self, status: str, now: int) -> None:
        """Set the status and its time; an ended batch stays as it is, and a cancelling one takes only a final status."""
        with self.lock:
            if self.ended or (self.cancelling and status not in ENDED):
                return
            self.status = status
            self.moments[f"{status}_at"] = now

    def cancel(self, now: int) -> None:
        """Begin to cancel; raise ApiError 409 if the batch has ended otherwise, and change nothing if it is cancelled."""
        with self.lock:
            if self.ended and self.status != "cancelled":
                raise ApiError(409, f"Cannot cancel a batch with status '{self.status}'.")
            if self.status not in ("cancelled", "cancelling"):
                self.enter("cancelling", now)

    def wire(self) -> dict[str, Any]:
        """Return the Batch object of the API; an optional member without a value is null."""
        with self.lock:
            return {
                "id": self.id,
                "object": "batch",
                "endpoint": self.request.endpoint,
                "model": self.model,
                "errors": None if self.errors is None else {"object": "list", "data": self.errors},
                "input_file_id": self.request.input_file_id,
                "completion_window": self.request.completion_window,
                "status": self.status,
                "output_file_id": self.output_file_id,
                "error_file_id": self.error_file_id,
                "created_at": self.created_at,
                **{moment: self.moments.get(moment) for moment in _MOMENTS},
                "request_counts": {"total": self.total, "completed": self.completed, "failed": self.failed},
                "usage": None if self.usage is None else self.usage.wire(),
                "metadata": self.request.metadata,
            }


class BatchStore:
    """Hold all batches by id, in the order of their creation; threads may share the store."""

    def __init__(self, directory: Path, clock: Clock, ordinals: Ordinals) -> None:
        self._directory = directory
        self._clock = clock
        self._ordinals = ordinals
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()

    def add(self, request: BatchRequest) -> Batch:
        """Keep a new batch in `validating`; its ordinal counts from 1."""
        with self._lock:
            ordinal = self._ordinals.take()
            batch = Batch(request, ordinal, self._clock.seconds(), self._directory / f"billed-{ordinal}.jsonl")
            self._batches[batch.id] = batch
        return batch

    def get(self, batch_id: str) -> Batch:
        """Return a batch; raise ApiError 404 if the id is unknown."""
        batch = self.find(batch_id)
        if batch is None:
            raise no_such_batch(batch_id)
        return batch

    def find(self, batch_id: str) -> Batch | None:
        """Return a batch or None."""
        with self._lock:
            return self._batches.get(batch_id)

    def admit(self, batch: Batch, tokens: int, limit: int | None) -> bool:
        """Enqueue the prompt tokens of a validated batch; return False if the limit of its model has no room for them."""
        with self._lock:
            others = [other for other in self._batches.values() if other.model == batch.model and not other.ended]
            enqueued = sum(other.enqueued_tokens for other in others if other is not batch)
            if limit is not None and enqueued + tokens > limit:
                return False
            batch.enqueued_tokens = tokens
            return True

    def newest_first(self) -> list[Batch]:
        """Return every batch, the newest first."""
        with self._lock:
            return list(reversed(self._batches.values()))
