"""Retry of an ended batch: a new batch of the same input, which sends only what has no good answer."""

from http import HTTPStatus
from itertools import count
from typing import Any, Final

from batchyard.api import files, tenancy
from batchyard.api.create_batch import remember
from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import RETRY_CANCELLED, RETRY_ERRORS, Batch, BatchError, InputObject, derived_id
from batchyard.domain.errors import ApiError, NotFound, invalid_request
from batchyard.planning import new_batch, options
from batchyard.services import Services

MEMBERS: Final = ("lines", "metadata", "max_cost_usd")
LINES: Final = (RETRY_ERRORS, RETRY_CANCELLED)


def retried(services: Services, parent: Batch, body: object, idempotency_key: str | None) -> Batch:
    """Return the batch that retries `parent`, and start it if it is new; raises ApiError if nothing can be retried.

    While one retry of a batch runs, another call gets that one: two would pay for the same lines.
    """
    wanted = _checked(body)
    digest = new_batch.fingerprint([parent.batch_id, wanted])
    batch_id = _latest(services, parent, digest)
    if idempotency_key is not None:
        batch_id = remember(services, derived_id("api", parent.tenant, idempotency_key), batch_id, digest)
    created = False
    if services.batch_store.find_batch(batch_id) is None:
        _check_parent(parent)
        source = _source(services, parent)
        tenancy.check_open_batches(services, parent.tenant)
        built = _built(services, parent, batch_id, source, wanted, digest)
        tenancy.check_budget(services, built)
        created = services.batch_store.create_batch(built)
    batch = services.batch_store.batch(batch_id)
    _check_same(batch, digest)
    new_batch.start_execution(services, batch, created=created)
    return batch


def _latest(services: Services, parent: Batch, digest: str) -> str:
    """Name the retry of the batch that runs, or else the next one; raises ApiError 409 if another kind of retry runs."""
    for number in count(1):
        batch_id = derived_id("retry", parent.batch_id, str(number))
        batch = services.batch_store.find_batch(batch_id)
        if batch is None:
            break
        if not batch.ended:
            _check_same(batch, digest)
            break
    return batch_id


def _check_same(batch: Batch, digest: str) -> None:
    if batch.owned_by_request != digest:
        message = (
            f"The batch is being retried otherwise by '{batch.batch_id}'. Wait until that has ended, or cancel it."
        )
        raise ApiError(HTTPStatus.CONFLICT, message)


def _checked(body: object) -> dict[str, Any]:
    """Read the members of a body; raises ApiError 400. A member that is not known could change what is paid."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    unknown = next((name for name in body if name not in MEMBERS), None)
    if unknown == "body":
        message = "'body' cannot be changed by a retry. Create a batch of the lines that are to be sent otherwise."
        raise invalid_request(BatchError("unknown_parameter", message, "body"))
    if unknown is not None:
        message = f"Unknown parameter: '{unknown[:64]}'. A retry knows {', '.join(MEMBERS)}."
        raise invalid_request(BatchError("unknown_parameter", message, unknown[:64]))
    wrong = options.wrong(options.of_body(body)) or _wrong(body)
    if wrong is not None:
        raise invalid_request(wrong)
    return {name: value for name, value in body.items() if value is not None}


def _wrong(body: dict[str, Any]) -> BatchError | None:
    if body.get("lines") not in (None, *LINES):
        known = " or ".join(f"'{each}'" for each in LINES)
        return BatchError("invalid_value", f"Invalid value: lines must be {known}.", "lines")
    metadata = body.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        return BatchError("invalid_type", "'metadata' must be an object of strings.", "metadata")
    return options.check_metadata(metadata) if metadata else None


def _check_parent(parent: Batch) -> None:
    """Raise ApiError unless the batch ended with results, and some lines of it have no success."""
    if not parent.ended:
        message = f"Cannot retry a batch with status '{parent.status}'. Wait until it has ended, or cancel it."
        raise ApiError(HTTPStatus.CONFLICT, message)
    if parent.dry_run:
        raise _nothing("it was a dry run, which sent nothing. Create a batch without dry_run")
    if parent.status == statuses.FAILED and parent.in_progress_at is None:
        raise _nothing("its input was refused and nothing was sent. Correct the input and create a batch")
    if parent.output_file_id is None and parent.error_file_id is None:
        raise _nothing("it ended without results. Create the batch again")
    if parent.error_file_id is None:
        raise _nothing("every line succeeded")


def _nothing(why: str) -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, f"There is nothing to retry: {why}.", code="nothing_to_retry")


def _source(services: Services, parent: Batch) -> InputObject:
    """Pin the input of the parent once more; raises ApiError if it is gone or another one, or a result is gone."""
    try:
        for name in (object_keys.OUTPUT, object_keys.ERRORS):
            services.bucket.head(object_keys.result(parent.tenant, parent.batch_id, name))
    except NotFound as error:
        raise _gone(f"The results of '{parent.batch_id}' are") from error
    key = parent.input.key
    try:
        of_api = key.startswith(object_keys.FILES)
        found = files.input_at(services, key) if of_api else services.bucket.head(key, parent.input.version_id)[0]
    except NotFound:
        found = None
    if found is None or (found.etag, found.size) != (parent.input.etag, parent.input.size):
        raise _gone(f"The input of '{parent.batch_id}' is")
    return parent.input


def _gone(what: str) -> ApiError:
    message = f"{what} gone: deleted, replaced or expired. Create a batch of the lines that you need."
    return ApiError(HTTPStatus.CONFLICT, message, code="nothing_to_retry")


def _built(
    services: Services, parent: Batch, batch_id: str, source: InputObject, wanted: dict[str, Any], digest: str
) -> Batch:
    """Build the record. Lines that ran passed the check of their endpoint, so the lines decide it here."""
    named = options.of_body(wanted)
    return new_batch.build(
        services, batch_id, parent.tenant, source, parent.completion_window,
        input_file_id=parent.input_file_id, on_invalid=parent.on_invalid, retry_of=parent.batch_id,
        retry_lines=wanted.get("lines", RETRY_ERRORS), metadata=wanted.get("metadata", parent.metadata),
        output_expires_after=parent.output_expires_after, owned_by_request=digest, **named,
    )  # fmt: skip
