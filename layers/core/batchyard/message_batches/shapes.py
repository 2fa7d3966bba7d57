"""A batch as Anthropic's API shows it: a `MessageBatch`, with what it does not know in one member of ours."""

from datetime import UTC, datetime
from typing import Any, Final

from batchyard.domain import statuses
from batchyard.domain.batch import Batch
from batchyard.domain.batch import shape as of_openai
from batchyard.lines.messages import MESSAGES

BATCHES: Final = f"{MESSAGES}/batches"
PREFIX: Final = "msg"  # before our own id, which begins with `batch_`
OURS: Final = "batchyard"
# What is shown in our member, in the words of `GET /v1/batches/{id}`.
SHOWN: Final = (
    "status",
    "errors",
    "usage",
    "cost",
    "paused",
    "metadata",
    "input_file_id",
    "output_file_id",
    "error_file_id",
)


def shown_id(batch_id: str) -> str:
    """Name a batch as Anthropic does."""
    return f"{PREFIX}{batch_id}"


def batch_id_of(message_batch_id: str) -> str:
    """Return our own id of a message batch; our own id is taken, too."""
    return message_batch_id.removeprefix(PREFIX)


def shape(batch: Batch, origin: str) -> dict[str, Any]:
    """Shape a `MessageBatch`; `origin` is the address of this API, without a path."""
    ended_at = batch.completed_at or batch.failed_at or batch.cancelled_at
    name = shown_id(batch.batch_id)
    whole = of_openai(batch)
    return {
        "id": name,
        "type": "message_batch",
        "processing_status": _status(batch),
        "request_counts": _counts(batch),
        "created_at": _moment(batch.created_at),
        "expires_at": _moment(batch.expires_at),
        "ended_at": _moment(ended_at) if batch.ended else None,
        "cancel_initiated_at": _moment(batch.cancelling_at),
        "archived_at": None,
        "results_url": f"{origin}{BATCHES}/{name}/results" if batch.messages_file_id else None,
        OURS: {
            "batch_id": batch.batch_id,
            **{member: whole[member] for member in SHOWN if whole.get(member) is not None},
        },
    }


def deleted(batch: Batch) -> dict[str, Any]:
    """Shape the answer to a delete."""
    return {"id": shown_id(batch.batch_id), "type": "message_batch_deleted"}


def page(batches: list[Batch], origin: str, *, more: bool) -> dict[str, Any]:
    """Shape a page of a list."""
    data = [shape(batch, origin) for batch in batches]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"data": data, "has_more": more, "first_id": first, "last_id": last}


def _status(batch: Batch) -> str:
    if batch.ended:
        return "ended"
    return "canceling" if batch.status == statuses.CANCELLING else "in_progress"


def _counts(batch: Batch) -> dict[str, int]:
    """Count the requests; they always sum up to all of them. The counts rise while the batch runs, unlike Anthropic's."""
    counts = batch.counts
    rest = max(0, counts.total - counts.completed - counts.failed)
    waiting = 0 if batch.ended else rest
    canceled = rest if batch.status == statuses.CANCELLED else 0
    errored = counts.failed + rest - waiting - canceled  # of a batch that failed before it ran, all
    return {
        "processing": waiting,
        "succeeded": counts.completed,
        "errored": errored,
        "canceled": canceled,
        "expired": 0,
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
