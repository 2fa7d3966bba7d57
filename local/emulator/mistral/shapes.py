"""Jobs, files and lines of results as Mistral shows them."""

from collections import Counter
from decimal import Decimal
from typing import Any, Final

import msgspec

from local.emulator.batches import Batch
from local.emulator.files import StoredFile

NAME: Final = "mistral"
HALF: Final = Decimal("0.5")  # of the full price is that of a batch without a price of its own
_WORDS: Final = {
    "validating": "QUEUED", "in_progress": "RUNNING", "finalizing": "RUNNING", "completed": "SUCCESS", "failed": "FAILED",
    "expired": "TIMEOUT_EXCEEDED", "cancelling": "CANCELLATION_REQUESTED", "cancelled": "CANCELLED",
}  # fmt: skip
_ENDS: Final = ("completed_at", "failed_at", "expired_at", "cancelled_at")


def job(batch: Batch, words: dict[str, str]) -> dict[str, Any]:
    """Return the job of the API; `words` are other words for statuses."""
    told = batch.wire()
    counts, status = told["request_counts"], told["status"]
    errors = Counter(str(each["message"]) for each in batch.errors or [])
    return {
        "id": batch.id, "object": "batch", "input_files": [batch.request.input_file_id], "endpoint": told["endpoint"],
        "model": batch.request.model or batch.model, "agent_id": None, "metadata": told["metadata"],
        "errors": [{"message": message, "count": count} for message, count in errors.items()],
        "status": words.get(status, _WORDS[status]), "created_at": told["created_at"], "started_at": told["in_progress_at"],
        "completed_at": next((told[end] for end in _ENDS if told[end]), None), "total_requests": counts["total"],
        "completed_requests": counts["completed"] + counts["failed"], "succeeded_requests": counts["completed"],
        "failed_requests": counts["failed"], "output_file": told["output_file_id"], "error_file": told["error_file_id"],
        "outputs": None,
    }  # fmt: skip


def file(stored: StoredFile) -> dict[str, Any]:
    """Return the file of the API, which has no status."""
    made = stored.purpose == "batch_output"
    sort = (
        "batch_request" if not made else "batch_error" if stored.filename.endswith("_error.jsonl") else "batch_result"
    )
    return {
        "id": stored.id, "object": "file", "bytes": stored.size, "created_at": stored.created_at,
        "filename": stored.filename, "purpose": "batch", "sample_type": sort, "source": "mistral" if made else "upload",
        "num_lines": None, "mimetype": None, "signature": None, "expires_at": stored.expires_at, "visibility": "workspace",
    }  # fmt: skip


def line(whole: bytes) -> bytes:
    """Return a line of results, whose answer has no id of its own."""
    told: dict[str, Any] = msgspec.json.decode(whole)
    response = told["response"]
    if response is not None:
        response.pop("request_id")
    return msgspec.json.encode({**told, "id": told["id"].replace("batch_req_", "batch-")}) + b"\n"
