"""A batch as Anthropic describes it: one count for each way that a request can end, and no word of progress."""

from collections.abc import Mapping
from typing import Final

from ..dialect import Look, State
from ..json_fields import LONGEST_STATUS, int_from, object_from, required_id, text_from, time_from
from ..models import RequestCounts

_STATES: Final = {"in_progress": State.RUNNING, "canceling": State.ENDING, "ended": State.ENDED}
_COUNTS: Final = ("processing", "succeeded", "errored", "canceled", "expired")


def look_from(answer: object) -> Look:
    """Read a MessageBatch; whatever a member says that cannot be read counts as absent."""
    fields = object_from(answer, "batch")
    job_id, status = required_id(fields, "batch"), text_from(fields.get("processing_status"), LONGEST_STATUS)
    state = _STATES.get(status or "", State.UNKNOWN)
    counted = _counts(fields.get("request_counts"))
    ended, succeeded = state is State.ENDED, counted.get("succeeded", 0)
    kept = fields.get("archived_at") is None and (ended or isinstance(fields.get("results_url"), str))
    return Look(
        id=job_id, state=state, status=status or "unknown",
        counts=RequestCounts(sum(counted.values()), succeeded, counted["errored"]) if counted else None,
        results=(job_id,) if kept else (), whole=kept or not (ended and succeeded),
        partial=ended and counted.get("canceled", 0) + counted.get("expired", 0) > 0,
        created_at=time_from(fields.get("created_at")), expires_at=time_from(fields.get("expires_at")),
    )  # fmt: skip


def _counts(value: object) -> Mapping[str, int]:
    """Read all counts, or none of them."""
    found = [int_from(value.get(name)) for name in _COUNTS] if isinstance(value, dict) else []
    counts = [count for count in found if count is not None and count >= 0]
    return dict(zip(_COUNTS, counts, strict=True)) if len(counts) == len(_COUNTS) else {}
