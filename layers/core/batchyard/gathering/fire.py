"""Fire a gather folder: one batch of all its files that no batch has yet, once.

Each step may be made again, by another process and at any later time, and comes to the same end: the firing is recorded, the
files that it may claim are fixed, each is claimed, and then the batch is recorded and started.
"""

from collections.abc import Mapping
from typing import Any, Final

from batchyard.adapters.stores.gather_store import DONE, EMPTY, FolderFiring
from batchyard.domain import nesting
from batchyard.domain.batch import Batch, InputObject, derived_id
from batchyard.domain.numbers import DAY
from batchyard.gathering import folder
from batchyard.observability import logger
from batchyard.planning import new_batch
from batchyard.services import Services

WINDOW: Final = "completion_window"


def id_of(tenant: str, name: str, firing_key: str) -> str:
    """Name the batch of a firing: the same firing always names the same batch."""
    return derived_id("gather", tenant, name, firing_key)


def fire(
    services: Services, tenant: str, name: str, firing_key: str, options: Mapping[str, Any] | None = None
) -> Batch | None:
    """Make one batch of the new files of the folder `gather/<tenant>/<name>/`, and start it; None if there is no new file.

    `firing_key` tells what fires: twice the same key is the same firing, whose options are those that came first. `options`
    are members of the batch, checked by the caller; a dry run claims no file.
    """
    batch_id, now = id_of(tenant, name, firing_key), services.now()
    firing = FolderFiring(
        tenant=tenant, name=name, key=firing_key, batch_id=batch_id, options=nesting.encode(dict(options or {})),
        created_at=now, expires_at_ttl=now + services.settings.record_days * DAY,
    )  # fmt: skip
    known = services.batch_store.find_batch(batch_id)
    if known is None:
        return go_on(services, services.gather_store.open(firing))
    return _started(services, firing, known)


def go_on(services: Services, firing: FolderFiring) -> Batch | None:
    """Bring a firing that is recorded to its end, from wherever it stands; None if it has found no file."""
    known = services.batch_store.find_batch(firing.batch_id)
    if known is not None:
        return _started(services, firing, known)
    members: dict[str, Any] = nesting.decode(firing.options)
    files = folder.candidates(services, firing) if firing.state != EMPTY else []
    mine = [each.file for each in files] if members.get("dry_run") else folder.own(services, firing, files)
    if not mine:
        logger.info("nothing to gather", tenant=firing.tenant, folder=firing.name, candidates=len(files))
        services.gather_store.end(firing, EMPTY)
        return None
    return _made(services, firing, members, folder.listed(services, firing, mine))


def _made(services: Services, firing: FolderFiring, members: dict[str, Any], source: InputObject) -> Batch:
    window = members.pop(WINDOW, services.settings.completion_window)
    batch = new_batch.build(services, firing.batch_id, firing.tenant, source, window, **members)
    error = new_batch.why_unaffordable(services, batch)
    logger.info("files gathered", batch_id=batch.batch_id, folder=firing.name, files=source.file_count)
    if error is not None:
        new_batch.refuse(services, batch, error)
    else:
        new_batch.start(services, batch)
    services.gather_store.end(firing, DONE)
    return services.batch_store.batch(batch.batch_id)


def _started(services: Services, firing: FolderFiring, batch: Batch) -> Batch:
    """Start a batch that is recorded, as its process may have ended before it could."""
    new_batch.start_execution(services, batch, created=False)
    services.gather_store.end(firing, DONE)
    return batch
