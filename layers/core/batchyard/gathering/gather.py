"""Fire a gather folder because its object RUN was put there."""

from typing import Final

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError, InputObject
from batchyard.domain.errors import NotFound
from batchyard.gathering.fire import WINDOW, fire, id_of
from batchyard.observability import logger
from batchyard.planning import new_batch, retry
from batchyard.planning.intake import Asked, asked_by
from batchyard.services import Services

NO_RETRY: Final = BatchError(
    "invalid_value",
    "A gather folder is no batch to retry. Put an empty object into the inbox whose user metadata names the batch.",
    "retry_of",
)


def gather(services: Services, bucket: str, key: str, version_id: str | None = None) -> Batch | None:
    """Make a batch of the new files of a folder whose RUN was put there; None if there are none; the log says why.

    The user metadata of RUN holds the options, as that of an upload to the inbox.
    """
    owner = (
        object_keys.owner_of_folder(key.removesuffix(object_keys.RUN)) if key.endswith("/" + object_keys.RUN) else None
    )
    reason = "it is in another bucket" if bucket != services.settings.bucket else None
    if reason is None and owner is None:
        reason = f"it is no {object_keys.RUN} of a gather folder"
    try:
        found = None if reason else services.bucket.head(key, version_id)
    except NotFound:
        found, reason = None, "it is gone, or may not be read"
    if found is None or owner is None:
        logger.warning("nothing is gathered", bucket=bucket, key=key, reason=reason)
        return None
    run, metadata = found
    asked = asked_by(services, owner[0], metadata)
    error = NO_RETRY if retry.asks(metadata) else asked.error
    if error is not None:
        return _refused(services, owner, run, asked, error)
    return fire(services, *owner, firing_key(run), {WINDOW: asked.window, **asked.members})


def firing_key(run: InputObject) -> str:
    """Name what fires: one version of a RUN."""
    return f"{object_keys.RUN} {run.version_id or run.etag}"


def _refused(services: Services, owner: tuple[str, str], run: InputObject, asked: Asked, error: BatchError) -> Batch:
    """Refuse a firing that cannot be followed; no file is claimed."""
    batch_id = id_of(*owner, firing_key(run))
    batch = new_batch.build(services, batch_id, owner[0], run, asked.window, **asked.members)
    return new_batch.refuse(services, batch, error)
