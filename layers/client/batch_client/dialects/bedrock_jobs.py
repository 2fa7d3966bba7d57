"""What Amazon Bedrock says of a job, and what the manifest beside its results says; what cannot be read counts as absent."""

from collections.abc import Mapping
from typing import Final

from ..dialect import Look, State
from ..errors import ProtocolError
from ..json_fields import LONGEST_STATUS, id_from, int_from, object_from, text_from, time_from
from ..models import RequestCounts, Usage
from .bedrock_errors import problem_of
from .bedrock_names import read_token

_STATES: Final = {
    "Submitted": State.WAITING, "Validating": State.WAITING, "Scheduled": State.WAITING, "InProgress": State.RUNNING,
    "Stopping": State.ENDING, "Stopped": State.ENDED, "Completed": State.ENDED, "PartiallyCompleted": State.ENDED,
    "Expired": State.ENDED, "Failed": State.ENDED,
}  # fmt: skip
_PARTIAL: Final = frozenset({"PartiallyCompleted", "Stopped", "Expired"})
_COUNTS: Final = ("totalRecordCount", "successRecordCount", "errorRecordCount")
_TOKENS: Final = ("inputTokenCount", "outputTokenCount")


def look_from(fields: Mapping[str, object]) -> Look:
    """Read a job; whatever a member says that cannot be read counts as absent."""
    job_id, status = id_of(fields), text_from(fields.get("status"), LONGEST_STATUS) or "unknown"
    key, labels = read_token(text_from(fields.get("clientRequestToken")) or "")
    source = _place(fields, "input", "s3InputDataConfig")
    folder, name = _place(fields, "output", "s3OutputDataConfig").rstrip("/"), source.rpartition("/")[2]
    state = _STATES.get(status, State.UNKNOWN)
    has_results = state is State.ENDED and folder and name
    return Look(
        id=job_id, state=state, status=status, counts=counts_of(fields), input=source or None,
        results=(f"{folder}/{job_id}/{name}.out",) if has_results else (),
        problems=(problem_of(text_from(fields.get("message"))),) if status == "Failed" else (),
        partial=status in _PARTIAL, created_at=time_from(fields.get("submitTime")),
        expires_at=time_from(fields.get("jobExpirationTime")), key=key, labels=labels,
    )  # fmt: skip


def id_of(fields: Mapping[str, object]) -> str:
    """Read the id of a job, the last part of its ARN, or raise ProtocolError."""
    found = (id_from(fields, "jobArn") or "").rpartition("/")[2]
    if not found:
        raise ProtocolError("The job has no ARN")
    return found


def counts_of(fields: Mapping[str, object]) -> RequestCounts | None:
    """Read all counts, or none of them."""
    found = _numbers(fields, _COUNTS)
    return RequestCounts(*found) if found else None


def usage_of(fields: Mapping[str, object]) -> Usage | None:
    """Read the tokens of a job from its manifest."""
    found = _numbers(fields, _TOKENS)
    return Usage(found[0], found[1], sum(found)) if found else None


def _numbers(fields: Mapping[str, object], names: tuple[str, ...]) -> list[int]:
    found = [number for name in names if (number := int_from(fields.get(name))) is not None and number >= 0]
    return found if len(found) == len(names) else []


def _place(fields: Mapping[str, object], which: str, kind: str) -> str:
    """Read the address of an input or an output."""
    try:
        return (
            text_from(object_from(object_from(fields.get(f"{which}DataConfig"), "place")[kind], "place").get("s3Uri"))
            or ""
        )
    except (ProtocolError, KeyError):
        return ""
