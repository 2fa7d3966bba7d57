"""A new batch of an input object: the record is written first, then the execution is started."""

import hashlib
from typing import Any

import msgspec

from batchyard.acceptance import rules
from batchyard.budgets import spending
from batchyard.budgets.warnings import warn
from batchyard.domain import statuses
from batchyard.domain.batch import Batch, BatchError, InputObject, derived_id, execution_name, window_seconds
from batchyard.domain.numbers import DAY
from batchyard.observability import logger
from batchyard.services import Services


def batch_id_of(source: InputObject) -> str:
    """Name the batch of one upload: every notice of the upload gives the same id, and the next upload another id."""
    return derived_id("s3", source.bucket, source.key, source.version_id or source.etag)


def build(services: Services, batch_id: str, tenant: str, source: InputObject, window: str, **members: Any) -> Batch:  # noqa: ANN401 - members of Batch
    """Build the record of a batch before anything is done.

    Raises ValueError if the window is none, and SettingsError if a setting is wrong that would be needed once it is paid.
    """
    for account in services.accounts.values():
        _ = account.prices  # raises where the user's own list cannot be read: nothing may be sent then
    now, milliseconds = divmod(int(services.clock() * 1_000), 1_000)
    usual = {
        "input_file_id": source.uri, "on_invalid": services.settings.on_invalid,
        "accept": rules.of_setting(services.settings.accept),
        "budgeted": services.quota_store.budget(tenant) is not None,
    }  # fmt: skip
    return Batch(
        batch_id=batch_id, tenant=tenant, status=statuses.VALIDATING, created_at=now, created_ms=milliseconds, input=source,
        completion_window=window, expires_at=now + window_seconds(window),
        expires_at_ttl=now + services.settings.record_days * DAY,
        **{**usual, **members},
    )  # fmt: skip


def start(services: Services, batch: Batch) -> bool:
    """Record the batch and start its execution; False when the batch was recorded already.

    The execution is started in either case, as an earlier call may have ended before it. Its name is the batch's id, so
    it cannot be started twice.
    """
    created = services.batch_store.create_batch(batch)
    start_execution(services, batch if created else services.batch_store.batch(batch.batch_id), created=created)
    return created


def start_execution(services: Services, batch: Batch, *, created: bool) -> None:
    """Start the execution of a batch that has not ended, and announce a new batch.

    An earlier call may have ended after it recorded the batch. Then the execution is new, and the batch is announced now.
    """
    if created:
        services.event_bus.announce(batch)
    if batch.ended:
        return
    started = services.executions.start(execution_name(batch.batch_id), {"batch_id": batch.batch_id})
    if started and not created:
        services.event_bus.announce(batch)


def why_unaffordable(services: Services, batch: Batch, *known: str) -> BatchError | None:
    """Say that the budget of the month is spent, and warn the tenant; None if the batch may be made, or is made already.

    A dry run costs nothing. `known` are other ids under which the batch may be recorded.
    """
    if not batch.budgeted or batch.dry_run:
        return None
    month = spending.this_month(services, batch.tenant)
    error = spending.why_refused(month)
    if error is None or any(map(services.batch_store.find_batch, (batch.batch_id, *known))):
        return None
    warn(services, batch.tenant, month, batch.batch_id)
    return error


def refuse(services: Services, batch: Batch, error: BatchError) -> Batch:
    """Record a batch that cannot run as failed from the start, and announce it; return the batch as recorded.

    The log says why, too: many tools show the id of a batch alone.
    """
    refused = msgspec.structs.replace(
        batch, status=statuses.FAILED, failed_at=services.now(), errors=[error], errors_total=1
    )
    services.batch_store.create_batch(refused)
    kept = services.batch_store.batch(batch.batch_id)
    if kept.ended:
        logger.warning("batch failed at once", batch_id=kept.batch_id, code=error.code, reason=error.message)
        services.event_bus.announce(kept)
    return kept


def fingerprint(body: object) -> str:
    """Digest the body of a request; the order of its members does not matter."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()
