"""Read models from JSON, and accept what compatible services do differently.

An id is never guessed: an id or a file id that is not text, or has no end, is a ProtocolError. Texts and numbers without
end are cut or count as absent, so that what is read always fits a record. Every other member that cannot be read
counts as absent, so that an odd member never hides a batch that exists. Source: OpenAI's API reference, and recorded
answers of live and compatible services.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TypeVar

from .errors import ProtocolError
from .json_fields import (
    LONGEST_NAME,
    LONGEST_TEXT,
    code_from,
    id_from,
    int_from,
    object_from,
    required_id,
    text_from,
    time_from,
)
from .models import Batch, BatchError, File, FileDeleted, Page, RequestCounts, Usage
from .sizes import TOO_LARGE, is_too_large
from .statuses import file_status_from, status_from

T = TypeVar("T")

_MOST_ERRORS = 100_000  # of a batch; no service takes more lines
_MOST_METADATA = 100


def batch_from(answer: object) -> Batch:
    """Read a Batch; also from `{"job": {…}}`."""
    fields = object_from(answer, "batch")
    if "id" not in fields and isinstance(fields.get("job"), dict):
        fields = object_from(fields["job"], "batch")
    return Batch(
        id=required_id(fields, "batch"),
        status=status_from(fields.get("status")),
        endpoint=text_from(fields.get("endpoint")) or "",
        model=text_from(fields.get("model")) or text_from(fields.get("model_id")),
        errors=_errors(fields),
        input_file_id=id_from(fields, "input_file_id"),
        completion_window=text_from(fields.get("completion_window")),
        output_file_id=id_from(fields, "output_file_id"),
        error_file_id=id_from(fields, "error_file_id"),
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
    fields = object_from(answer, "file")
    return File(
        id=required_id(fields, "file"),
        bytes=int_from(fields.get("bytes")),
        created_at=time_from(fields.get("created_at")),
        expires_at=time_from(fields.get("expires_at")),
        filename=text_from(fields.get("filename")) or "",
        purpose=text_from(fields.get("purpose")) or "",
        status=file_status_from(fields.get("status")),
        status_details=text_from(fields.get("status_details")),
    )


def deleted_from(answer: object) -> FileDeleted:
    """Read the confirmation of a deletion; `deleted` is False only if the service says so."""
    fields = object_from(answer, "deletion")
    return FileDeleted(id=required_id(fields, "deletion"), deleted=fields.get("deleted") is not False)


def page_from(answer: object, item_from: Callable[[object], T]) -> Page[T]:
    """Read a page of items; also from a bare array."""
    if isinstance(answer, list):
        return Page(data=tuple(item_from(item) for item in answer))
    fields = object_from(answer, "list")
    data = fields.get("data")
    if not isinstance(data, list):
        raise ProtocolError("The list has no `data` array")
    has_more = fields.get("has_more")
    return Page(
        data=tuple(item_from(item) for item in data),
        first_id=text_from(fields.get("first_id")),
        last_id=id_from(fields, "last_id") if isinstance(fields.get("last_id"), str) else None,
        has_more=has_more if isinstance(has_more, bool) else None,
    )


def _errors(fields: Mapping[str, object]) -> tuple[BatchError, ...]:
    found = fields.get("errors") or fields.get("error")
    if isinstance(found, dict):
        found = found.get("data", [found])
    entries = found if isinstance(found, list) else [found]
    return tuple(error for entry in entries[:_MOST_ERRORS] if (error := _error(entry)))


def _error(entry: object) -> BatchError | None:
    if isinstance(entry, str) and entry:
        return BatchError(message=text_from(entry))
    if not isinstance(entry, dict):
        return None
    code, message, line = code_from(entry.get("code")), text_from(entry.get("message")), int_from(entry.get("line"))
    if line is None and is_too_large(code, message):
        code = TOO_LARGE
    return BatchError(code=code, message=message, param=text_from(entry.get("param"), LONGEST_NAME), line=line)


def _counts(value: object) -> RequestCounts | None:
    if not isinstance(value, dict):
        return None
    total, completed, failed = (int_from(value.get(name)) for name in ("total", "completed", "failed"))
    if total is None or completed is None or failed is None or min(total, completed, failed) < 0:
        return None
    return RequestCounts(total, completed, failed)


def _usage(value: object) -> Usage | None:
    if not isinstance(value, dict):
        return None
    used, made, total = (int_from(value.get(name)) for name in ("input_tokens", "output_tokens", "total_tokens"))
    if used is None or made is None or total is None:
        return None
    cached = _detail(value.get("input_tokens_details"), "cached_tokens")
    reasoning = _detail(value.get("output_tokens_details"), "reasoning_tokens")
    return Usage(used, made, total, cached, reasoning)


def _detail(value: object, name: str) -> int:
    return (int_from(value.get(name)) if isinstance(value, dict) else None) or 0


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    known = (
        (key, entry) for key, entry in value.items() if isinstance(entry, str) and len(key + entry) <= LONGEST_TEXT
    )
    return dict(islice(known, _MOST_METADATA))
