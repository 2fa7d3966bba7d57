"""Message batches: their state, their shape in the API, and their store with its one queue of requests."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from local.emulator import identifiers
from local.emulator.anthropic.errors import no_such_batch, refused
from local.emulator.clock import Clock
from local.emulator.faults import BatchFault
from local.emulator.ordinals import Ordinals

IN_PROGRESS, CANCELING, ENDED = "in_progress", "canceling", "ended"
ENDS: Final = ("succeeded", "errored", "canceled", "expired")
WINDOW_SECONDS: Final = 86_400
RESULTS_KEPT: Final = 29 * 86_400


@dataclass
class MessageBatch:
    """One message batch."""

    #: Its place among all batches of the emulator, from 1.
    ordinal: int
    created_at: float
    total: int
    #: The file with the custom_ids of the billed requests.
    ledger_path: Path
    #: The file with its results, once it has ended.
    results_path: Path
    id: str = field(default_factory=lambda: "msgbatch_" + identifiers.hex_id("")[:24])
    status: str = IN_PROGRESS
    cancel_initiated_at: float | None = None
    ended_at: float | None = None
    #: How its requests ended, as far as they have; shown when the batch has ended.
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENDS, 0))
    #: The tokens of its succeeded requests.
    usage: dict[str, int] = field(default_factory=dict)
    #: What they cost; None if a model has no price.
    dollars: Decimal | None = Decimal(0)
    #: What the scenario orders for it.
    fault: BatchFault = field(default_factory=BatchFault)
    #: Held while the runner or the API reads or changes the members above.
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def ended(self) -> bool:
        """Tell whether the batch has ended."""
        return self.status == ENDED

    @property
    def has_run(self) -> bool:
        """Tell whether any request has run."""
        return self.counts["succeeded"] + self.counts["errored"] > 0

    @property
    def expires_at(self) -> float:
        """Return the time at which requests expire that have not run."""
        return self.created_at + WINDOW_SECONDS

    def cancel(self, now: float) -> None:
        """Begin to cancel; refuse it if the batch has ended, and change nothing if it is being cancelled."""
        with self.lock:
            if self.ended:
                raise refused(400, f"Batch {self.id} cannot be canceled because it has already ended processing.")
            if self.cancel_initiated_at is None:
                self.status, self.cancel_initiated_at = CANCELING, now

    def end(self, now: float) -> None:
        """Show the counts and the results."""
        with self.lock:
            self.status, self.ended_at = ENDED, now

    def is_archived(self, now: float) -> bool:
        """Tell whether its results are gone."""
        return self.ended and now >= self.created_at + RESULTS_KEPT

    def wire(self, address: str, now: float) -> dict[str, Any]:
        """Return the MessageBatch of the API, below the `address` of the service."""
        with self.lock:
            archived = self.is_archived(now)
            return {
                "id": self.id,
                "type": "message_batch",
                "processing_status": self.status,
                "request_counts": self._shown_counts(),
                "created_at": _moment(self.created_at),
                "expires_at": _moment(self.expires_at),
                "ended_at": _moment(self.ended_at),
                "cancel_initiated_at": _moment(self.cancel_initiated_at),
                "archived_at": _moment(self.created_at + RESULTS_KEPT) if archived else None,
                "results_url": f"{address}/{self.id}/results" if self.ended and not archived else None,
            }

    def _shown_counts(self) -> dict[str, int]:
        """Return the counts, which are frozen until the whole batch has ended."""
        if not self.ended:
            return {"processing": self.total, **dict.fromkeys(ENDS, 0)}
        return {"processing": 0, **self.counts}


class MessageBatchStore:
    """Hold all message batches by id, in the order of their creation; threads may share the store."""

    def __init__(self, directory: Path, clock: Clock, ordinals: Ordinals) -> None:
        self._directory = directory
        self._clock = clock
        self._ordinals = ordinals
        self._batches: dict[str, MessageBatch] = {}
        self._deleted: list[MessageBatch] = []
        self._lock = threading.Lock()

    def add(self, total: int, queue: int | None) -> MessageBatch:
        """Keep a new batch; refuse it if the queue, which all batches share, has no room for its requests."""
        with self._lock:
            waiting = sum(batch.total for batch in self._batches.values() if not batch.ended)
            if queue is not None and waiting + total > queue:
                message = (
                    f"This would exceed your organization's limit of {queue:,} batch requests in the processing queue."
                )
                raise refused(429, message)
            ordinal = self._ordinals.take()
            billed, results = (self._directory / f"{name}-{ordinal}.jsonl" for name in ("billed", "results"))
            batch = MessageBatch(ordinal, self._clock.now(), total, billed, results)
            self._batches[batch.id] = batch
        return batch

    def get(self, batch_id: str) -> MessageBatch:
        """Return a batch; raise ApiError 404 if the id is unknown."""
        batch = self.find(batch_id)
        if batch is None:
            raise no_such_batch(batch_id)
        return batch

    def find(self, batch_id: str) -> MessageBatch | None:
        """Return a batch or None."""
        with self._lock:
            return self._batches.get(batch_id)

    def delete(self, batch: MessageBatch) -> None:
        """Forget a batch that has ended, with its results; refuse one that has not."""
        if not batch.ended:
            raise refused(400, f"Batch {batch.id} cannot be deleted while it is in progress; cancel it first.")
        with self._lock:
            self._batches.pop(batch.id, None)
            self._deleted.append(batch)
        batch.results_path.unlink(missing_ok=True)

    def newest_first(self) -> list[MessageBatch]:
        """Return every batch that is not deleted, the newest first."""
        with self._lock:
            return list(reversed(self._batches.values()))

    def ever_made(self) -> list[MessageBatch]:
        """Return every batch, deleted ones too, the oldest first: a bill forgets none."""
        with self._lock:
            return sorted([*self._deleted, *self._batches.values()], key=lambda batch: batch.ordinal)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
