"""Retry of an ended batch by request; `planning/retry` makes the batch."""

import uuid
from collections.abc import Collection
from http import HTTPStatus
from typing import Any, Final

from batchyard.api import files, tenancy
from batchyard.api.create_batch import remember
from batchyard.domain import object_keys
from batchyard.domain.batch import RETRY_ALL, RETRY_ERRORS, Batch, BatchError, derived_id
from batchyard.domain.errors import ApiError, NotFound, invalid_request
from batchyard.planning import new_batch, options, retry
from batchyard.services import Services

TAKEN_AWAY: Final = (
    "body",
    "max_cost_usd",
    "provider",
)  # null means that the new batch has none, though the old one has
MEMBERS: Final = ("lines", "body", "accept", "dry_run", "max_cost_usd", "metadata", "provider")


def retried(services: Services, parent: Batch, body: object, idempotency_key: str | None) -> Batch:
    """Return the batch that retries `parent`, and start it if it is new; raises ApiError if nothing can be retried.

    While one retry of a batch runs, another call gets that one: two would pay for the same lines.
    """
    asked = _checked(body, services.accounts)
    digest = new_batch.fingerprint([parent.batch_id, asked])

    def look() -> tuple[Batch, Batch | None]:
        latest = services.batch_store.batch(parent.batch_id)
        running = None if asked.get("dry_run") else retry.running(services, latest)
        batch_id = running.batch_id if running else _next_id(latest, asked)
        if idempotency_key is not None:
            batch_id = remember(services, derived_id("api", parent.tenant, idempotency_key), batch_id, digest)
        found = services.batch_store.find_batch(batch_id) or running
        if found is not None:
            _check_same(found, digest)
            return found, None
        return _built(services, latest, batch_id, asked, digest), latest

    made = retry.make(services, look)
    if made is None:
        raise ApiError(HTTPStatus.CONFLICT, "The batch is being retried by others at this moment. Try again.")
    return made


def _next_id(parent: Batch, asked: dict[str, Any]) -> str:
    """Name the next retry of a batch: requests at the same time name the same one. A dry run is always a new batch."""
    return (
        f"batch_{uuid.uuid4().hex}"
        if asked.get("dry_run")
        else derived_id("retry", parent.batch_id, parent.retried_by or "")
    )


def _check_same(batch: Batch, digest: str) -> None:
    if batch.owned_by_request != digest:
        message = (
            f"The batch is being retried otherwise by '{batch.batch_id}'. Wait until that has ended, or cancel it."
        )
        raise ApiError(HTTPStatus.CONFLICT, message)


def _checked(body: object, providers: Collection[str]) -> dict[str, Any]:
    """Read the members of a body; raises ApiError 400. A member that is not known could change what is paid."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object."))
    unknown = next((name for name in body if name not in MEMBERS), None)
    if unknown is not None:
        message = f"Unknown parameter: '{unknown[:64]}'. A retry knows {', '.join(MEMBERS)}."
        raise invalid_request(BatchError("unknown_parameter", message, unknown[:64]))
    wrong = options.wrong(options.of_body(body), providers) or retry.wrong(body.get("lines"), body.get("body"))
    if wrong := wrong or _wrong_metadata(body.get("metadata")):
        raise invalid_request(wrong)
    return {name: value for name, value in body.items() if value is not None or name in TAKEN_AWAY}


def _wrong_metadata(metadata: object) -> BatchError | None:
    if metadata is not None and not isinstance(metadata, dict):
        return BatchError("invalid_type", "'metadata' must be an object of strings.", "metadata")
    return options.check_metadata(metadata) if metadata else None


def _built(services: Services, parent: Batch, batch_id: str, asked: dict[str, Any], digest: str) -> Batch:
    """Build the record of a new retry; raises ApiError if the parent cannot be retried so."""
    if not parent.ended:
        message = f"Cannot retry a batch with status '{parent.status}'. Wait until it has ended, or cancel it."
        raise ApiError(HTTPStatus.CONFLICT, message)
    lines = asked.get("lines", RETRY_ERRORS)
    if why := retry.nothing_to_retry(parent, lines):
        raise ApiError(HTTPStatus.CONFLICT, f"There is nothing to retry: {why}.", code=retry.NOTHING)
    if lines != RETRY_ALL:
        _check_results(services, parent)
    _check_input(services, parent)
    tenancy.check_open_batches(services, parent.tenant)
    told = {"metadata": asked["metadata"]} if "metadata" in asked else {}
    built = retry.build(services, batch_id, parent, asked, owned_by_request=digest, **told)
    tenancy.check_budget(services, built)
    return built


def _check_results(services: Services, parent: Batch) -> None:
    """Raise ApiError if a result of the parent is gone."""
    try:
        for name in (object_keys.OUTPUT, object_keys.ERRORS):
            services.bucket.head(object_keys.result(parent.tenant, parent.batch_id, name))
    except NotFound as error:
        raise _gone(f"The results of '{parent.batch_id}' are") from error


def _check_input(services: Services, parent: Batch) -> None:
    """Raise ApiError if the input of the parent is gone, or another one."""
    key = parent.input.files or parent.input.key
    try:
        of_api = key.startswith(object_keys.FILES)
        found = files.input_at(services, key) if of_api else services.bucket.head(key, parent.input.version_id)[0]
        found = (
            parent.input if parent.gathered else found
        )  # its list is named by a digest, and the plan reads its files
    except NotFound:
        found = None
    if found is None or (found.etag, found.size) != (parent.input.etag, parent.input.size):
        raise _gone(f"The input of '{parent.batch_id}' is")


def _gone(what: str) -> ApiError:
    message = f"{what} gone: deleted, replaced or expired. Create a batch of the lines that you need."
    return ApiError(HTTPStatus.CONFLICT, message, code=retry.NOTHING)
