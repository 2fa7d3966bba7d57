"""The status of a batch or a file in the words of OpenAI, from the spellings of services that say it otherwise.

The spellings are those of Azure, Together, Mistral, Gemini, Vertex, Bedrock, Cohere, Novita, Fireworks, vLLM and of
gateways in front of them. A spelling that is not listed stays as it is.
"""

import re

from .json_fields import text_from

STATUSES = frozenset(
    {"validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"}
)
NO_STATUS = "unknown"
_LONGEST = 64  # characters that are kept of a status
_PREFIX = r"^(?:batch|job|batch_job|file)_(?:state|status)_"
_SPELLINGS = {
    "validating": (
        "accepted", "created", "in_queue", "new", "not_started", "pending", "preparing", "queued", "scheduled", "submitted",
        "validated", "validation", "waiting",
    ),
    "in_progress": (
        "active", "executing", "inprogress", "progress", "processing", "run", "running", "started", "updating", "working"
    ),
    "finalizing": ("finalising", "finishing", "completing", "writing", "writing_results"),
    "completed": (
        "complete", "completed_with_errors", "done", "ended", "finalised", "finalized", "finished",
        "partial_success", "partially_completed", "partially_succeeded", "success", "successful", "succeeded",
    ),
    "failed": ("crashed", "error", "errored", "failure", "invalid", "rejected", "validation_failed"),
    "expired": ("deadline_exceeded", "timed_out", "timedout", "timeout", "timeout_exceeded"),
    "cancelling": (
        "aborting", "canceling", "cancel_requested", "cancellation_requested", "stop_requested", "stopping", "terminating"
    ),
    "cancelled": ("aborted", "canceled", "stopped", "terminated"),
}  # fmt: skip
_FILE_SPELLINGS = {
    "pending": (
        "created", "importing", "in_progress", "new", "not_running", "not_started", "preparing", "processing", "progress",
        "queued", "running", "scanning", "submitted", "uploading", "validating", "waiting",
    ),
    "processed": ("active", "available", "complete", "completed", "done", "ok", "ready", "succeeded", "success", "validated"),
    "error": (
        "cancelled", "canceled", "deleted", "deleting", "errored", "expired", "failed", "failure", "invalid", "rejected"
    ),
}  # fmt: skip
_FILE_MEANINGS = {spelling: status for status, spellings in _FILE_SPELLINGS.items() for spelling in spellings}
_MEANINGS = {spelling: status for status, spellings in _SPELLINGS.items() for spelling in spellings}


def status_from(value: object) -> str:
    """Read a status in any case; `unknown` if there is none."""
    status = words_of(value) or NO_STATUS
    return _MEANINGS.get(status, status)[:_LONGEST]


def file_status_from(value: object) -> str:
    """Read the status of a file; `pending`, which OpenAI does not have, is that of a file that is not ready yet."""
    status = words_of(value)
    return _FILE_MEANINGS.get(status, status)[:_LONGEST]


def words_of(value: object) -> str:
    """Write `InProgress`, `IN-PROGRESS` and `JOB_STATE_IN_PROGRESS` as `in_progress`."""
    text = (text_from(value) or "").strip()
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()
    return re.sub(_PREFIX, "", re.sub(r"[\s\-]+", "_", words))
