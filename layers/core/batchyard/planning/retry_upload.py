"""Retry of a batch by an upload: an empty object whose user metadata names the batch."""

import re
from collections.abc import Mapping
from typing import Any, Final

from batchyard.domain import nesting
from batchyard.domain.batch import RETRY_ERRORS, Batch, BatchError
from batchyard.planning import retry
from batchyard.planning.options import RETRY, RETRY_BODY, RETRY_LINES, RETRY_OF
from batchyard.services import Services

BATCH_ID: Final = r"batch_[0-9a-f]{32}"
SHOWN: Final = 64  # characters of an id


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
        asked = {"lines": metadata.get(RETRY_LINES), "body": _body(metadata), **named}
        _check(upload, metadata, asked)
        parent = _parent(services, upload.tenant, metadata[RETRY_OF], asked)
        return retry.build(services, upload.batch_id, parent, asked, **given), parent

    try:
        made = retry.make(services, look)
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
    if wrong := retry.wrong(asked["lines"], asked["body"]):
        raise _Refused(wrong.message, f"retry_{wrong.param}", wrong.code)


def _parent(services: Services, tenant: str, batch_id: str, asked: Mapping[str, Any]) -> Batch:
    """Read the batch that is to be retried, which must be the tenant's own; raises _Refused if it cannot be."""
    parent = services.batch_store.find_batch(batch_id) if re.fullmatch(BATCH_ID, batch_id) else None
    if parent is None or parent.tenant != tenant:
        raise _Refused(f"No batch found with id '{batch_id[:SHOWN]}'.", "retry_of", "not_found")
    if not parent.ended:
        raise _Refused(
            f"Cannot retry a batch with status '{parent.status}'. Upload again when it has ended.", "retry_of"
        )
    if why := retry.nothing_to_retry(parent, asked["lines"] or RETRY_ERRORS):
        raise _Refused(f"There is nothing to retry: {why}.", "retry_of", retry.NOTHING)
    other = None if asked.get("dry_run") else retry.running(services, parent)
    if other is not None:
        message = f"The batch is being retried by '{other.batch_id}'. Wait until that has ended, or cancel it."
        raise _Refused(message, "retry_of", "retry_running")
    return parent
