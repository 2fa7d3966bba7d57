"""Read models from JSON, forgiving what compatible services do differently.

Identity is never guessed: an id or a file id of another type is a ProtocolError. Everything else that cannot be read
is taken as absent, so that a service's oddity never hides a batch that exists. Source: contract sections 2.3, 7 and 10.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from .errors import ProtocolError
from .models import Batch, BatchError, File, FileDeleted, Page, RequestCounts, Usage

T = TypeVar("T")

_LARGEST_CODE = 10**9  # no code is longer; a number without bound is not worth turning into text
_STATUS_SPELLINGS = {"canceled": "cancelled", "canceling": "cancelling"}


def batch_from(answer: object) -> Batch:
    """Read a Batch; also from `{"job": {…}}`."""
    fields = _object(answer, "batch")
    if "id" not in fields and isinstance(fields.get("job"), dict):
        fields = _object(fields["job"], "batch")
    return Batch(
        id=_required_id(fields, "batch"),
        status=_status(fields.get("status")),
        endpoint=_text(fields.get("endpoint")) or "",
        model=_text(fields.get("model")) or _text(fields.get("model_id")),
        errors=_errors(fields),
        input_file_id=_id(fields, "input_file_id"),
        completion_window=_text(fields.get("completion_window")),
        output_file_id=_id(fields, "output_file_id"),
        error_file_id=_id(fields, "error_file_id"),
        request_counts=_counts(fields.get("request_counts")),
        usage=_usage(fields.get("usage")),
        metadata=_metadata(fields.get("metadata")),
        created_at=time_from(fields.get("created_at")),
        in_progress_at=time_from(fields.get("in_progress_at")),
        expires_at=time_from(fields.get("expires_at")),
        finalizing_at=time_from(fields.get("finalizing_at")),
        completed_at=time_from(fields.get("completed_at")),
        failed_at=time_from(fields.get("failed_at")),
        expired_at=time_from(fields.get("expired_at")),
        cancelling_at=time_from(fields.get("cancelling_at")),
        cancelled_at=time_from(fields.get("cancelled_at")),
    )


def file_from(answer: object) -> File:
    """Read a File."""
    fields = _object(answer, "file")
    return File(
        id=_required_id(fields, "file"),
        bytes=_int(fields.get("bytes")),
        created_at=time_from(fields.get("created_at")),
        expires_at=time_from(fields.get("expires_at")),
        filename=_text(fields.get("filename")) or "",
        purpose=_text(fields.get("purpose")) or "",
        status=_text(fields.get("status")) or "",
        status_details=_text(fields.get("status_details")),
    )


def deleted_from(answer: object) -> FileDeleted:
    """Read the confirmation of a deletion; `deleted` is False only where the service says so."""
    fields = _object(answer, "deletion")
    return FileDeleted(id=_required_id(fields, "deletion"), deleted=fields.get("deleted") is not False)


def page_from(answer: object, item_from: Callable[[object], T]) -> Page[T]:
    """Read a page of items; also from a bare array."""
    if isinstance(answer, list):
        return Page(data=tuple(item_from(item) for item in answer))
    fields = _object(answer, "list")
    data = fields.get("data")
    if not isinstance(data, list):
        raise ProtocolError("The list has no `data` array")
    has_more = fields.get("has_more")
    return Page(
        data=tuple(item_from(item) for item in data),
        first_id=_text(fields.get("first_id")),
        last_id=_text(fields.get("last_id")),
        has_more=has_more if isinstance(has_more, bool) else None,
    )


def time_from(value: object) -> int | None:
    """Read a time as Unix seconds: a number, a number as text, or ISO 8601 (UTC unless it says otherwise)."""
    if isinstance(value, str):
        return _time_from_text(value)
    return _int(value)


def code_from(value: object) -> str | None:
    """Read an error code as text; gateways also send numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_CODE:
        return str(value)
    return _text(value)


def _time_from_text(text: str) -> int | None:
    try:
        return _int(float(text))
    except ValueError:
        pass  # not a number: then ISO 8601
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _timestamp(moment: datetime) -> int | None:
    try:
        return int(moment.timestamp())
    except (OverflowError, ValueError):
        return None


def _object(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ProtocolError(f"The answer is not a {what} object")
    return value


def _required_id(fields: Mapping[str, object], what: str) -> str:
    found = _id(fields, "id")
    if found is None:
        raise ProtocolError(f"The {what} has no id")
    return found


def _id(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ProtocolError(f"`{name}` is not text")
    return value or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _int(value: object) -> int | None:
    if isinstance(value, float):
        return int(value) if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _status(value: object) -> str:
    status = (_text(value) or "unknown").strip().lower()
    return _STATUS_SPELLINGS.get(status, status)


def _errors(fields: Mapping[str, object]) -> tuple[BatchError, ...]:
    found = fields.get("errors") or fields.get("error")
    if isinstance(found, dict):
        found = found.get("data", [found])
    entries = found if isinstance(found, list) else [found]
    return tuple(error for entry in entries if (error := _error(entry)))


def _error(entry: object) -> BatchError | None:
    if isinstance(entry, str) and entry:
        return BatchError(message=entry)
    if not isinstance(entry, dict):
        return None
    return BatchError(
        code=code_from(entry.get("code")),
        message=_text(entry.get("message")),
        param=_text(entry.get("param")),
        line=_int(entry.get("line")),
    )


def _counts(value: object) -> RequestCounts | None:
    if not isinstance(value, dict):
        return None
    total, completed, failed = (_int(value.get(name)) for name in ("total", "completed", "failed"))
    if total is None or completed is None or failed is None:
        return None
    return RequestCounts(total, completed, failed)


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    used, made, total = (_int(value.get(name)) for name in ("input_tokens", "output_tokens", "total_tokens"))
    if used is None or made is None or total is None:
        return None
    cached = _detail(value.get("input_tokens_details"), "cached_tokens")
    reasoning = _detail(value.get("output_tokens_details"), "reasoning_tokens")
    return Usage(used, made, total, cached, reasoning)


def _detail(value: object, name: str) -> int:
    return (_int(value.get(name)) if isinstance(value, dict) else None) or 0


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: entry for key, entry in value.items() if isinstance(entry, str)}
