"""Make a batch of an object that was put into the inbox: one upload, one batch."""

from typing import Any, Final, NamedTuple

from batchyard.domain import nesting, object_keys
from batchyard.domain.batch import BatchError, InputObject
from batchyard.domain.errors import NotFound, meant
from batchyard.observability import logger
from batchyard.planning import new_batch, options, retry
from batchyard.providers.windows import windows_for, wrong_window
from batchyard.services import Services

SHOWN_TENANT: Final = 64  # characters


class Asked(NamedTuple):
    """What the user metadata of an object asks for."""

    window: str
    #: Of the batch.
    members: dict[str, Any]
    #: Why that cannot be followed; None if it can.
    error: BatchError | None


def intake(services: Services, bucket: str, key: str, version_id: str | None = None) -> str | None:
    """Make a batch of an uploaded object and return the batch's id; None if the object is no input; the log says why."""
    reason = _not_ours(services, bucket, key)
    try:
        found = None if reason else services.bucket.head(key, version_id)
    except NotFound:
        found, reason = None, "it is gone, or may not be read"
    if found and is_folder(found[0]):
        reason = "it is a folder"
    if found is None or reason:
        logger.warning("upload ignored", bucket=bucket, key=key, reason=reason)
        return None
    return _accept(services, *found)


def _not_ours(services: Services, bucket: str, key: str) -> str | None:
    if bucket != services.settings.bucket:
        return "it is in another bucket"
    if not key.startswith(object_keys.INBOX):
        return "it is not in the inbox"
    return None


def is_folder(uploaded: InputObject) -> bool:
    """Tell whether an object is a folder, as some tools make one, and no input."""
    return uploaded.key.endswith("/") and not uploaded.size


def _accept(services: Services, source: InputObject, metadata: dict[str, str]) -> str:
    batch_id, tenant = new_batch.batch_id_of(source), object_keys.tenant_of(source.key)
    asked = asked_by(services, tenant, metadata)
    batch = new_batch.build(services, batch_id, tenant, source, asked.window, **asked.members)
    error = asked.error or new_batch.why_unaffordable(services, batch)
    if error is None and retry.asks(metadata):
        named = {name: value for name, value in asked.members.items() if name != "metadata"}
        error = retry.start_retry(services, batch, metadata, named)
    elif error is None:
        new_batch.start(services, batch)
    if error is not None:
        new_batch.refuse(services, batch, error)
    return batch_id


def asked_by(services: Services, tenant: str, metadata: dict[str, str]) -> Asked:
    """Read what the user metadata of an object asks for."""
    window = metadata.get("completion-window", services.settings.completion_window)
    members, error = _metadata(metadata)
    named = options.of_metadata(metadata)
    error = _unlisted(services, tenant) or error
    if wrong_option := options.misspelled(metadata, options.OF_UPLOADS) or options.wrong(named, services.accounts):
        named, error = {}, wrong_option
    if wrong := wrong_window(windows_for(services.accounts, named.get("provider")), window):
        window, error = services.settings.completion_window, wrong
    return Asked(window, {"metadata": members, **named}, error)


def _unlisted(services: Services, tenant: str) -> BatchError | None:
    """Say that no tenant of this name is listed, if there is a list: a typo in a folder must not spend."""
    listed = services.settings.listed_tenants
    if not listed or tenant in listed:
        return None
    near = meant(tenant, listed)
    hint = f" Did you mean '{near}'?" if near else ""
    way = "Nothing was sent: upload the file again, to inbox/<tenant>/."
    return BatchError("unknown_tenant", f"No tenant is named '{tenant[:SHOWN_TENANT]}'.{hint} {way}", "tenant")


def _metadata(metadata: dict[str, str]) -> tuple[dict[str, str] | None, BatchError | None]:
    """Read the metadata of the batch from the object's user metadata `metadata`, a JSON object of strings."""
    if "metadata" not in metadata:
        return None, None
    try:
        members: Any = nesting.decode(metadata["metadata"])
    except ValueError:
        members = None
    if not isinstance(members, dict):
        message = "The object's user metadata `metadata` must be a JSON object of strings."
        return None, BatchError("invalid_type", message, "metadata")
    error = options.check_metadata(members)
    return (None, error) if error else (members, None)
