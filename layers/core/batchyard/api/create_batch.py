"""Which batch answers `POST /batches`: a new one, or the one that an upload or an earlier try has made."""

import re
import uuid
from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.adapters.stores.idempotency_store import FirstUse
from batchyard.api import files, tenancy
from batchyard.api.batch_request import PREFIX, BatchRequest
from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import Batch, BatchError, InputObject, derived_id
from batchyard.domain.errors import ApiError, BatchyardError, invalid_request
from batchyard.domain.numbers import DAY
from batchyard.domain.step import OutOfTime
from batchyard.gathering import fire
from batchyard.planning import new_batch
from batchyard.services import Services

S3_URI: Final = r"(?s)s3://([^/]+)/(.+)"
SHOWN: Final = 200  # characters of a prefix
KEEP_KEYS: Final = 30 * DAY  # an Idempotency-Key is remembered
GATHERED_FOR: Final = 18  # seconds; the HTTP API gives up after 30, and the batch is recorded and started after these
ASK_AGAIN: Final = 30  # seconds


def create_or_take_over(services: Services, tenant: str, wanted: BatchRequest, idempotency_key: str | None) -> Batch:
    """Create or find the batch for a request, and start it; raises ApiError for a foreign object or a reused key."""
    if wanted.input_prefix is not None:
        return _gather(services, tenant, wanted, wanted.input_prefix, idempotency_key)
    source = _source(services, tenant, wanted.input_file_id)
    batch_id, token = _batch_id(services, wanted, source), f"batch_{uuid.uuid4().hex}"
    if idempotency_key is not None:
        token = derived_id("api", tenant, idempotency_key)
        batch_id = remember(services, token, batch_id, new_batch.fingerprint(wanted.body))
    batch = new_batch.build(
        services, batch_id, tenant, source or _nowhere(services), wanted.completion_window,
        owned_by_request=token, **wanted.members(),
    )  # fmt: skip
    if source is None:
        return new_batch.refuse(services, batch, files.why_no_input(services, tenant, wanted.input_file_id))
    tenancy.check_open_batches(services, tenant, batch_id, token)
    tenancy.check_budget(services, batch, token)
    created = services.batch_store.create_batch(batch)
    # If the batch of the upload is taken, or is for another endpoint, the request gets a new batch.
    if not created and not _take_over(services, batch, wanted.options):
        batch = msgspec.structs.replace(batch, batch_id=token)
        created = services.batch_store.create_batch(batch)
    return _start(services, batch, created=created, forget=idempotency_key is None)


def _gather(services: Services, tenant: str, wanted: BatchRequest, prefix: str, idempotency_key: str | None) -> Batch:
    """Fire a gather folder of the tenant; raises ApiError if no new file is there."""
    owner = _folder(tenant, prefix)
    token = f"batch_{uuid.uuid4().hex}" if idempotency_key is None else derived_id("api", tenant, idempotency_key)
    batch_id = fire.id_of(*owner, token)
    if idempotency_key is not None:
        batch_id = remember(services, token, batch_id, new_batch.fingerprint(wanted.body))
    members = {**wanted.members(), "owned_by_request": token}
    unmade = new_batch.build(services, batch_id, tenant, _nowhere(services), wanted.completion_window, **members)
    tenancy.check_open_batches(services, tenant, batch_id)
    tenancy.check_budget(services, unmade)
    given = {fire.WINDOW: wanted.completion_window, **members}
    try:
        batch = fire.fire_briefly(services, *owner, token, given, GATHERED_FOR)
    except OutOfTime as error:
        raise _still_gathering(prefix, batch_id, named=idempotency_key is not None) from error
    if batch is None:
        message = (
            f"No new file is below '{prefix[:SHOWN]}': each file there belongs to a batch already, or there is none."
        )
        raise invalid_request(BatchError("nothing_to_gather", message, PREFIX))
    return batch


def _still_gathering(prefix: str, batch_id: str, *, named: bool) -> ApiError:
    """Say what to do; a client must not ask again by itself for a firing that it did not name, as it would fire twice."""
    remedy = (
        "Ask again with the same Idempotency-Key in a minute"
        if named
        else f"Look for it at GET /v1/batches/{batch_id}, and send an Idempotency-Key next time"
    )
    message = (
        f"So many objects are below '{prefix[:SHOWN]}' that their files are still being gathered, as the batch "
        f"'{batch_id}'. {remedy}."
    )
    error = ApiError(HTTPStatus.SERVICE_UNAVAILABLE, message, code="still_gathering", param=PREFIX)
    error.headers |= {"Retry-After": str(ASK_AGAIN), "x-should-retry": str(named).lower()}
    return error


def _folder(tenant: str, prefix: str) -> tuple[str, str]:
    """Return the tenant and the name of a gather folder; raises ApiError 400 for what is none, or another tenant's."""
    try:
        return object_keys.own_folder(tenant, prefix)
    except ValueError as error:
        raise invalid_request(BatchError("invalid_value", f"'{PREFIX}' {error}.", PREFIX)) from error


def _take_over(services: Services, batch: Batch, options: dict[str, Any]) -> bool:
    """Give the batch of the upload to this request; True also if an earlier try of this request did so (same token)."""
    if _owner(services, batch) == batch.owned_by_request:
        return True
    if services.batch_store.batch(batch.batch_id).dry_run:
        return False  # the upload was only to be estimated
    changes = {
        "metadata": batch.metadata, "output_expires_after": batch.output_expires_after, "endpoint": batch.endpoint,
        "completion_window": batch.completion_window, "expires_at": batch.expires_at,
        "owned_by_request": batch.owned_by_request, **options,
    }  # fmt: skip
    given = {name: value for name, value in changes.items() if value is not None}
    taken = services.batch_store.take_over_batch(batch.batch_id, batch.endpoint, **given)
    return taken is not None or _owner(services, batch) == batch.owned_by_request


def _owner(services: Services, batch: Batch) -> str | None:
    return services.batch_store.batch(batch.batch_id).owned_by_request


def _start(services: Services, batch: Batch, *, created: bool, forget: bool) -> Batch:
    """Start the batch; if that fails and the caller cannot name the batch again (`forget`), let it fail."""
    now = services.batch_store.batch(batch.batch_id)
    try:
        new_batch.start_execution(services, now, created=created)
    except BatchyardError:
        if forget:
            reason = BatchError("server_error", "The batch could not be started. Create it again.")
            services.batch_store.move_batch(
                batch.batch_id, statuses.FAILED, services.now(), errors=[reason], errors_total=1
            )
        raise
    return now


def _source(services: Services, tenant: str, input_file_id: str) -> InputObject | None:
    """Pin the object that a file id or `s3://` names; None if there is none, which OpenAI reports in the batch."""
    found = re.fullmatch(S3_URI, input_file_id)
    if found is None:
        return files.input_of(services, tenant, input_file_id)
    bucket, key = found.groups()
    if bucket != services.settings.bucket or not object_keys.readable_by(tenant, key):
        allowed = f"s3://{services.settings.bucket}/{object_keys.FILES}{tenant}/ or {object_keys.INBOX}{tenant}/"
        raise invalid_request(BatchError("invalid_value", f"The input file must be below {allowed}.", "input_file_id"))
    if len(key.encode("utf-8", "surrogatepass")) > object_keys.LONGEST_KEY:
        return None
    return files.input_at(services, key)


def _nowhere(services: Services) -> InputObject:
    return InputObject(services.settings.bucket, "", "", 0)


def _batch_id(services: Services, wanted: BatchRequest, source: InputObject | None) -> str:
    """Name the batch of an upload to the inbox, if no request owns it; else a new batch.

    The batch of an upload may have ended: to run it again would cost again.
    """
    fresh = f"batch_{uuid.uuid4().hex}"
    if source is None or not source.key.startswith(object_keys.INBOX) or wanted.options.get("dry_run"):
        return fresh
    of_upload = new_batch.batch_id_of(source)
    batch = services.batch_store.find_batch(of_upload)
    if batch is None:
        return of_upload
    fits = wanted.endpoint is None or batch.endpoint in {None, wanted.endpoint}
    free = batch.owned_by_request is None and fits and not batch.dry_run
    return of_upload if free else fresh


def remember(services: Services, token: str, batch_id: str, digest: str) -> str:
    """Record the batch of an Idempotency-Key, unless the key has one already, and return the batch of the key."""
    known = services.idempotency_store.remember(token, FirstUse(batch_id, digest), services.now() + KEEP_KEYS)
    if known.digest != digest:
        message = "This Idempotency-Key was used with another body. Use a new key for a new batch."
        raise ApiError(HTTPStatus.CONFLICT, message, code="idempotency_key_reused")
    return known.batch_id
