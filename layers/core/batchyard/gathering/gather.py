"""Fire a gather folder because its object RUN was put there."""

from collections.abc import Callable
from typing import Final

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, BatchError, InputObject
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.step import OutOfTime
from batchyard.gathering.fire import WINDOW, fire, go_on, id_of
from batchyard.observability import logger
from batchyard.planning import new_batch, retry
from batchyard.planning.intake import Asked, asked_by
from batchyard.services import Services

NO_RETRY: Final = BatchError(
    "invalid_value",
    "A gather folder is no batch to retry. Put an empty object into the inbox whose user metadata names the batch.",
    "retry_of",
)


def gather(
    services: Services, bucket: str, key: str, version_id: str | None = None,
    seconds_left: Callable[[], float] | None = None,
) -> Batch | None:  # fmt: skip
    """Make a batch of the new files of a folder whose RUN was put there; None if there are none yet; the log says why.

    The user metadata of RUN holds the options, as that of an upload to the inbox.
    """
    found = _find_run(services, bucket, key, version_id)
    if found is None:
        return None
    owner, run, metadata = found
    asked = asked_by(services, owner[0], metadata)
    error = NO_RETRY if retry.asks(metadata) else asked.error
    if error is not None:
        return _refused(services, owner, run, asked, error)
    try:
        return fire(
            services, *owner, firing_key(run), {WINDOW: asked.window, **asked.members}, seconds_left=seconds_left
        )
    except OutOfTime:
        _leave(id_of(*owner, firing_key(run)))
        return None


def _find_run(
    services: Services, bucket: str, key: str, version_id: str | None
) -> tuple[tuple[str, str], InputObject, dict[str, str]] | None:
    """Return tenant and name of the folder that a RUN fires, the RUN and its user metadata; None where the log says why."""
    owner = (
        object_keys.owner_of_folder(key.removesuffix(object_keys.RUN)) if key.endswith("/" + object_keys.RUN) else None
    )
    if bucket != services.settings.bucket:
        reason = "it is in another bucket"
    elif owner is None:
        reason = f"it is no {object_keys.RUN} of a gather folder"
    else:
        try:
            return owner, *services.bucket.head(key, version_id)
        except NotFound:
            reason = "it is gone, or may not be read"
    logger.warning("nothing is gathered", bucket=bucket, key=key, reason=reason)
    return None


def take_up(
    services: Services, tenant: str, name: str, batch_id: str, seconds_left: Callable[[], float] | None = None
) -> Batch | None:
    """Go on with a firing that somebody has left; None if it finds no file, or is not at its end yet."""
    firing = services.gather_store.firing(tenant, name, batch_id)
    if firing is None:
        logger.warning("no such firing", tenant=tenant, folder=name, batch_id=batch_id)
        return None
    try:
        return go_on(services, firing, seconds_left)
    except OutOfTime:
        _leave(batch_id)
    except StaleRecord:
        logger.info("somebody else sees to it", batch_id=batch_id)
    return None


def _leave(batch_id: str) -> None:
    """Leave a firing to the sweep, which has somebody else go on with it."""
    logger.info("gathering goes on in another invocation", batch_id=batch_id)


def firing_key(run: InputObject) -> str:
    """Name what fires: one version of a RUN."""
    return f"{object_keys.RUN} {run.version_id or run.etag}"


def _refused(services: Services, owner: tuple[str, str], run: InputObject, asked: Asked, error: BatchError) -> Batch:
    """Refuse a firing that cannot be followed; no file is claimed."""
    batch_id = id_of(*owner, firing_key(run))
    batch = new_batch.build(services, batch_id, owner[0], run, asked.window, **asked.members)
    return new_batch.refuse(services, batch, error)
