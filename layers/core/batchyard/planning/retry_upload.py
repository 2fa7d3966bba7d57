"""Retry of a batch by an upload: an empty object whose user metadata names the batch."""

import re
from collections.abc import Mapping
from typing import Any, Final

from batchyard.domain import nesting
from batchyard.domain.batch import RETRY_ERRORS, Batch, BatchError
from batchyard.observability import logger
from batchyard.planning import new_batch, retry
from batchyard.planning.options import RETRY, RETRY_BODY, RETRY_LINES, RETRY_OF
from batchyard.services import Services

BATCH_ID: Final = re.compile(r"batch_[0-9a-f]{32}")
TRIES: Final = 5  # while other retries of the same batch come and go
SHOWN: Final = 64  # characters of an id


class Refused(ValueError):  # noqa: N818 - names what was seen
    """The upload asks for a retry that cannot be."""

    def __init__(self, message: str, param: str, code: str = "invalid_value") -> None:
        """Make the error that the batch of the upload is refused with."""
        super().__init__(message)
        self.error = BatchError(code, message, param)


def asks(metadata: Mapping[str, str]) -> bool:
    """Tell whether the user metadata of an upload has a member of a retry."""
    return any(name in metadata for name in RETRY)


def start_retry(services: Services, upload: Batch, metadata: Mapping[str, str], named: Mapping[str, Any]) -> None:
    """Start the retry that an upload asks for, once; raises Refused.

    `upload` is the batch that the upload would be otherwise, whose id the retry has, and `named` are its options.
    """
    given: dict[str, Any] = {} if upload.metadata is None else {"metadata": upload.metadata}
    if "completion-window" in metadata:
        given["completion_window"] = upload.completion_window
    asked = {"lines": metadata.get(RETRY_LINES), "body": _body(metadata), **named}
    for _ in range(TRIES):
        known = services.batch_store.find_batch(upload.batch_id)
        if known is not None:
            return new_batch.start_execution(services, known, created=False)
        _check(upload, metadata, asked)
        parent = _parent(services, upload.tenant, metadata[RETRY_OF], asked)
        batch = retry.build(services, upload.batch_id, parent, asked, **given)
        if retry.create(services, batch, parent):
            logger.info("retry created", batch_id=batch.batch_id, tenant=batch.tenant, retry_of=parent.batch_id)
            return new_batch.start_execution(services, batch, created=True)
    raise Refused(f"'{metadata[RETRY_OF]}' is being retried by others at this moment. Upload once more.", "retry_of")


def _body(metadata: Mapping[str, str]) -> object:
    if RETRY_BODY not in metadata:
        return None
    try:
        return nesting.decode(metadata[RETRY_BODY])
    except ValueError as error:
        message = f"The user metadata `{RETRY_BODY}` could not be read as JSON: {error}."
        raise Refused(message, "retry_body", "invalid_type") from error


def _check(upload: Batch, metadata: Mapping[str, str], asked: Mapping[str, Any]) -> None:
    if RETRY_OF not in metadata:
        raise Refused(f"A retry needs `{RETRY_OF}`, the id of the batch that is to be retried.", "retry_of")
    if upload.input.size:
        message = f"The upload has {upload.input.size:,} bytes, but a retry reads the input of '{metadata[RETRY_OF][:SHOWN]}'."
        raise Refused(f"{message} Upload an empty object, or leave `{RETRY_OF}` out.", "retry_of")
    if "on-invalid" in metadata:
        raise Refused("A retry has `on-invalid` from the batch that it retries. Leave it out.", "on_invalid")
    if wrong := retry.wrong(asked["lines"], asked["body"]):
        raise Refused(wrong.message, f"retry_{wrong.param}", wrong.code)


def _parent(services: Services, tenant: str, batch_id: str, asked: Mapping[str, Any]) -> Batch:
    """Read the batch that is to be retried, which must be the tenant's own; raises Refused if it cannot be."""
    parent = services.batch_store.find_batch(batch_id) if BATCH_ID.fullmatch(batch_id) else None
    if parent is None or parent.tenant != tenant:
        raise Refused(f"No batch found with id '{batch_id[:SHOWN]}'.", "retry_of", "not_found")
    if not parent.ended:
        raise Refused(
            f"Cannot retry a batch with status '{parent.status}'. Upload again when it has ended.", "retry_of"
        )
    if why := retry.nothing_to_retry(parent, asked["lines"] or RETRY_ERRORS):
        raise Refused(f"There is nothing to retry: {why}.", "retry_of", retry.NOTHING)
    other = None if asked.get("dry_run") else retry.running(services, parent)
    if other is not None:
        message = f"The batch is being retried by '{other.batch_id}'. Wait until that has ended, or cancel it."
        raise Refused(message, "retry_of", "retry_running")
    return parent
