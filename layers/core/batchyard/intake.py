"""Take in what was dropped into the inbox: one upload, one batch."""

from datetime import timedelta
from typing import Any

import msgspec

from batchyard import keys, new_batch
from batchyard.adapters.objects import Arrived
from batchyard.batch import InputObject, LineError, window_seconds
from batchyard.create_request import check_metadata
from batchyard.errors import NotFound
from batchyard.log import logger
from batchyard.yard import Yard


def intake(yard: Yard, bucket: str, key: str, version_id: str | None = None) -> str | None:
    """Make a batch of an uploaded object and return its id; None for what is no input of ours, with the reason logged."""
    ignored = _ignored(yard, bucket, key)
    try:
        source, metadata = (None, {}) if ignored else yard.objects.head(key, version_id)
    except NotFound:
        source, metadata, ignored = None, {}, "it is gone"
    if source is None:
        logger.info("upload ignored", bucket=bucket, key=key, reason=ignored)
        return None
    return _accept(yard, source, metadata)


def sweep(yard: Yard) -> list[str]:
    """Make a batch of every upload that has none, because its event was missed; returns their ids."""
    return [batch_id for arrived in yard.objects.inbox(keys.INBOX) if (batch_id := _missed(yard, arrived))]


def _ignored(yard: Yard, bucket: str, key: str) -> str | None:
    if bucket != yard.settings.bucket:
        return "it is in another bucket"
    if not key.startswith(keys.INBOX):
        return "it is not in the inbox"
    return "it is a folder" if key.endswith("/") else None


def _missed(yard: Yard, arrived: Arrived) -> str | None:
    oldest = (
        timedelta(days=yard.settings.record_days) / 2
    )  # the record of an older one may be gone: never pay for it again
    if yard.clock() - arrived.at.timestamp() > oldest.total_seconds() or arrived.object.key.endswith("/"):
        return None
    batch_id = new_batch.upload_id(arrived.object)
    try:
        yard.records.batch(batch_id)
    except NotFound:
        return intake(yard, arrived.object.bucket, arrived.object.key, arrived.object.version_id)
    return None


def _accept(yard: Yard, source: InputObject, metadata: dict[str, str]) -> str:
    batch_id, tenant = new_batch.upload_id(source), keys.tenant_of(source.key)
    window = metadata.get("completion-window", yard.settings.completion_window)
    members, error = _metadata(metadata)
    try:
        window_seconds(window)
    except ValueError as wrong:
        window, error = yard.settings.completion_window, LineError("invalid_value", str(wrong), "completion_window")
    batch = new_batch.build(yard, batch_id, tenant, source, window, metadata=members)
    if error is not None:
        new_batch.refuse(yard, batch, error)
    elif new_batch.start(yard, batch):
        logger.info("batch created", batch_id=batch_id, tenant=tenant, bytes=source.size)
    return batch_id


def _metadata(metadata: dict[str, str]) -> tuple[dict[str, str] | None, LineError | None]:
    """Read the batch's metadata from the object's user metadata `metadata`, a JSON object of strings."""
    if "metadata" not in metadata:
        return None, None
    try:
        members: Any = msgspec.json.decode(metadata["metadata"])
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        message = "The object's user metadata `metadata` must be a JSON object of strings."
        return None, LineError("invalid_type", message, "metadata")
    error = check_metadata(members)
    return (None, error) if error else (members, None)
