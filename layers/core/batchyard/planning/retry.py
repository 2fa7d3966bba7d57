"""Retry of an ended batch: a new batch of the same input, which sends again what has no good answer.

A request asks for it, or an upload: an empty object whose user metadata names the batch.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from batchyard.domain import nesting, statuses
from batchyard.domain.batch import BY_FILE, RETRY_ALL, RETRY_ERRORS, RETRY_LINES, Batch, BatchError
from batchyard.observability import logger
from batchyard.planning import new_batch, options
from batchyard.planning.options import RETRY, RETRY_BODY, RETRY_OF
from batchyard.planning.options import RETRY_LINES as ASKED_LINES
from batchyard.planning.taken_over import history
from batchyard.services import Services

LONGEST_BODY: Final = 16_384  # bytes of a merge patch; it stands in the record of the batch and in its events
TRIES: Final = 5  # while other retries of the same batch come and go
NOTHING: Final = "nothing_to_retry"
BATCH_ID: Final = r"batch_[0-9a-f]{32}"
SHOWN: Final = 64  # characters of an id


def wrong(lines: object, body: object) -> BatchError | None:
    """Say what of `lines` and `body` cannot be followed, if anything."""
    if lines is not None and lines not in RETRY_LINES:
        known = ", ".join(f"'{each}'" for each in RETRY_LINES)
        return BatchError("invalid_value", f"Invalid value: lines must be one of {known}.", "lines")
    if body is None:
        return None
    if not isinstance(body, dict) or not body:
        message = "'body' must be a JSON object with the members of the request bodies to change: a JSON merge patch."
        return BatchError("invalid_type", message, "body")
    if "model" in body and not (isinstance(body["model"], str) and body["model"]):
        return BatchError(
            "invalid_type", "'body.model' must be the name of a model. It cannot be removed.", "body.model"
        )
    if body.get("stream"):
        message = "A batch cannot stream. Remove `stream` from 'body'."
        return BatchError("streaming_unsupported", message, "body.stream")
    if len(nesting.encode(body)) > LONGEST_BODY:
        message = f"'body' is longer than {LONGEST_BODY:,} bytes of JSON. Create a batch of lines with the long text."
        return BatchError("string_above_max_length", message, "body")
    return None


def nothing_to_retry(parent: Batch, lines: str) -> str | None:
    """Say why no line of an ended batch can be sent again, by its record; None if some may be."""
    if parent.dry_run:
        return "it was a dry run, which sent nothing. Create a batch without dry_run"
    refused = parent.status == statuses.FAILED
    if parent.void and refused:
        return "its files were refused and nothing was sent. Correct them, and gather the folder again"
    if parent.void:
        return "it was cancelled before anything of it was sent. Gather the folder again"
    if lines == RETRY_ALL:
        return None
    unsent = statuses.is_unsent(parent.status, parent.in_progress_at)
    if unsent and parent.retry_of is not None:  # it has no results, and its parent has
        return f"it is a retry of which nothing was sent. Retry the batch '{parent.retry_of}' again"
    if unsent and refused:
        return "its input was refused and nothing was sent. Correct the input and create a batch"
    if parent.output_file_id is None and parent.error_file_id is None:
        return "it ended without results. Retry its lines 'all', or create the batch again"
    return "every line succeeded" if parent.error_file_id is None else None


def running(services: Services, parent: Batch) -> Batch | None:
    """Return the retry of the parent that runs; None if none does. Two would pay for the same lines."""
    latest = services.batch_store.find_batch(parent.retried_by) if parent.retried_by else None
    return None if latest is None or latest.ended else latest


def build(services: Services, batch_id: str, parent: Batch, asked: Mapping[str, Any], **members: Any) -> Batch:  # noqa: ANN401 - members of Batch
    """Build the record of a retry. `asked` are `lines`, `body` and options.

    What is not there is as with the parent; a `body`, a bound of cost or a provider that is None is taken away. Lines that
    ran passed the check of their endpoint, so the lines decide the endpoint here.
    """
    lines, body = asked.get("lines") or RETRY_ERRORS, asked.get("body")
    changed = parent.retry_body if "body" not in asked else nesting.encode(body) if body else None
    kept = {name: getattr(parent, name) for name in ("max_cost_usd", "provider") if name not in asked}
    usual = {
        **kept,
        "on_invalid": parent.on_invalid, "accept": parent.accept, "metadata": parent.metadata,
        "output_expires_after": parent.output_expires_after, "input_file_id": parent.input_file_id,
        "messages_input": BY_FILE if parent.messages_input else None,
    }  # fmt: skip
    own = {
        "retry_of": parent.batch_id, "retry_lines": lines, "retry_body": changed,
        "history": [] if lines == RETRY_ALL else history(parent),
    }  # fmt: skip
    window = members.pop("completion_window", parent.completion_window)
    given = {**usual, **options.of_body(asked), **members, **own}
    return new_batch.build(services, batch_id, parent.tenant, parent.input, window, **given)


def make(services: Services, look: Callable[[], tuple[Batch, Batch | None]]) -> Batch | None:
    """Make a retry once and start it; return it, or None if other retries of the parent were first each time.

    `look` returns the retry that is there and None, or a new record and the parent as it is now. What it raises is passed on.
    """
    for _ in range(TRIES):
        batch, parent = look()
        if parent is None:
            new_batch.start_execution(services, batch, created=False)
            return batch
        if create(services, batch, parent):
            logger.info("retry created", batch_id=batch.batch_id, tenant=batch.tenant, retry_of=parent.batch_id)
            new_batch.start_execution(services, batch, created=True)
            return batch
    return None


def create(services: Services, batch: Batch, parent: Batch) -> bool:
    """Record a retry; False if its id is taken, or the parent has got another retry since it was read."""
    if batch.dry_run:
        return services.batch_store.create_batch(batch)
    return services.batch_store.create_retry(batch, parent.retried_by)


class _Refused(ValueError):  # noqa: N818 - names what was seen
    """The upload asks for a retry that cannot be."""

    def __init__(self, message: str, param: str, code: str = "invalid_value") -> None:
        """Make the error that the batch of the upload is refused with."""
        super().__init__(message)
        self.error = BatchError(code, message, param)


def asks(metadata: Mapping[str, str]) -> bool:
    """Tell whether the user metadata of an upload has a member of a retry."""
    return any(name in metadata for name in RETRY)


def start_retry(
    services: Services, upload: Batch, metadata: Mapping[str, str], named: Mapping[str, Any]
) -> BatchError | None:
    """Start the retry that an upload asks for, once; say why there is none.

    `upload` is the batch that the upload would be otherwise, whose id the retry has, and `named` are its options.
    """
    given: dict[str, Any] = {} if upload.metadata is None else {"metadata": upload.metadata}
    if "completion-window" in metadata:
        given["completion_window"] = upload.completion_window

    def look() -> tuple[Batch, Batch | None]:
        known = services.batch_store.find_batch(upload.batch_id)
        if known is not None:
            return known, None
        asked = {"lines": metadata.get(ASKED_LINES), "body": _body(metadata), **named}
        _check(upload, metadata, asked)
        parent = _parent(services, upload.tenant, metadata[RETRY_OF], asked)
        return build(services, upload.batch_id, parent, asked, **given), parent

    try:
        made = make(services, look)
    except _Refused as refused:
        return refused.error
    if made is None:
        message = f"'{metadata[RETRY_OF]}' is being retried by others at this moment. Upload once more."
        return BatchError("invalid_value", message, "retry_of")
    return None


def _body(metadata: Mapping[str, str]) -> object:
    if RETRY_BODY not in metadata:
        return None
    try:
        return nesting.decode(metadata[RETRY_BODY])
    except ValueError as error:
        message = f"The user metadata `{RETRY_BODY}` could not be read as JSON: {error}."
        raise _Refused(message, "retry_body", "invalid_type") from error


def _check(upload: Batch, metadata: Mapping[str, str], asked: Mapping[str, Any]) -> None:
    if RETRY_OF not in metadata:
        raise _Refused(f"A retry needs `{RETRY_OF}`, the id of the batch that is to be retried.", "retry_of")
    if upload.input.size:
        message = f"The upload has {upload.input.size:,} bytes, but a retry reads the input of '{metadata[RETRY_OF][:SHOWN]}'."
        raise _Refused(f"{message} Upload an empty object, or leave `{RETRY_OF}` out.", "retry_of")
    if "on-invalid" in metadata:
        raise _Refused("A retry has `on-invalid` from the batch that it retries. Leave it out.", "on_invalid")
    if fault := wrong(asked["lines"], asked["body"]):
        raise _Refused(fault.message, f"retry_{fault.param}", fault.code)


def _parent(services: Services, tenant: str, batch_id: str, asked: Mapping[str, Any]) -> Batch:
    """Read the batch that is to be retried, which must be the tenant's own; raises _Refused if it cannot be."""
    parent = services.batch_store.find_batch(batch_id) if re.fullmatch(BATCH_ID, batch_id) else None
    if parent is None or parent.tenant != tenant:
        raise _Refused(f"No batch found with id '{batch_id[:SHOWN]}'.", "retry_of", "not_found")
    if not parent.ended:
        raise _Refused(
            f"Cannot retry a batch with status '{parent.status}'. Upload again when it has ended.", "retry_of"
        )
    if why := nothing_to_retry(parent, asked["lines"] or RETRY_ERRORS):
        raise _Refused(f"There is nothing to retry: {why}.", "retry_of", NOTHING)
    other = None if asked.get("dry_run") else running(services, parent)
    if other is not None:
        message = f"The batch is being retried by '{other.batch_id}'. Wait until that has ended, or cancel it."
        raise _Refused(message, "retry_of", "retry_running")
    return parent
