"""Fire a gather folder: one batch of all its files that no batch has yet, once.

Each step may be made again, by another process and at any later time, and comes to the same end: the firing is recorded, the
files that it may claim are fixed, each is claimed, and then the batch is recorded and started.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from batchyard.adapters.stores.gather_store import DONE, EMPTY, VOID, FolderFiring
from batchyard.domain import nesting
from batchyard.domain.batch import Batch, InputObject, derived_id
from batchyard.domain.errors import StaleRecord
from batchyard.domain.numbers import DAY, MINUTE
from batchyard.domain.step import TIME_TO_END, OutOfTime, TimeBudget
from batchyard.gathering import claims, listing
from batchyard.observability import logger
from batchyard.planning import new_batch
from batchyard.services import Services

WINDOW: Final = "completion_window"
# Of a process that does not say how long it may work; that of a schedule has looked for some minutes before.
USUAL: Final = 4 * MINUTE
LONGEST_AT_WORK: Final = 16 * MINUTE  # nobody works on a firing any more that was begun so long ago: a function has 15


def id_of(tenant: str, name: str, firing_key: str) -> str:
    """Name the batch of a firing: the same firing always names the same batch."""
    return derived_id("gather", tenant, name, firing_key)


def fire(
    services: Services, tenant: str, name: str, firing_key: str, options: Mapping[str, Any] | None = None, *,
    seconds_left: Callable[[], float] | None = None, again: bool = False,
) -> Batch | None:  # fmt: skip
    """Make one batch of the new files of the folder `gather/<tenant>/<name>/`, and start it; None if there is no new file.

    Twice the same `firing_key` is the same firing, whose options, checked members of the batch, are those that came first;
    with `again`, one that found nothing looks again. Raises OutOfTime; then `go_on` goes on. Raises as `go_on` does, too.
    """
    batch_id, now = id_of(tenant, name, firing_key), services.now()
    firing = FolderFiring(
        tenant=tenant, name=name, key=firing_key, batch_id=batch_id, options=nesting.encode(dict(options or {})),
        created_at=now, expires_at_ttl=now + services.settings.record_days * DAY,
    )  # fmt: skip
    known = services.batch_store.find_batch(batch_id)
    if known is not None:
        return _start_again(services, firing, known)
    recorded = services.gather_store.open(firing)
    if again and recorded.state == EMPTY:
        recorded = services.gather_store.reopen(recorded, now, firing.expires_at_ttl)
    return go_on(services, recorded, seconds_left)


def go_on(services: Services, firing: FolderFiring, seconds_left: Callable[[], float] | None = None) -> Batch | None:
    """Bring a firing that is recorded to its end, from wherever it stands; None if it has found no file.

    A dry run claims no file. Raises OutOfTime; what was done by then stays done. Raises StaleRecord if another process has
    found no file meanwhile, and a third one has begun the firing anew: that one sees to it.
    """
    known = services.batch_store.find_batch(firing.batch_id)
    if known is not None:
        return _start_again(services, firing, known)
    if firing.state in {EMPTY, DONE, VOID}:  # or the record of its batch has expired
        return None
    try:
        return _gather_files(services, firing, TimeBudget(seconds_left or clock_for(services, USUAL)))
    except OutOfTime:
        services.gather_store.leave(firing, services.now())
        raise


def _gather_files(services: Services, firing: FolderFiring, budget: TimeBudget) -> Batch | None:
    members: dict[str, Any] = nesting.decode(firing.options)
    files = listing.seal_candidates(services, firing, budget)
    mine = (
        [each.file for each in files] if members.get("dry_run") else claims.claim_all(services, firing, files, budget)
    )
    if not mine:
        logger.info("nothing to gather", tenant=firing.tenant, folder=firing.name, candidates=len(files))
        services.gather_store.end(firing, EMPTY)
        return None
    return _make_batch(services, firing, members, listing.write_list(services, firing, mine))


def clock_for(services: Services, seconds: float) -> Callable[[], float]:
    """Return the clock of somebody who has so many seconds for what may be left to somebody else, and then time to end."""
    until = services.clock() + seconds + TIME_TO_END
    return lambda: until - services.clock()


def fire_briefly(
    services: Services, tenant: str, name: str, firing_key: str, options: Mapping[str, Any], seconds: float
) -> Batch | None:
    """Fire as `fire` does with `again`, for somebody who waits; raises OutOfTime once somebody else goes on with the firing."""
    try:
        return fire(services, tenant, name, firing_key, options, seconds_left=clock_for(services, seconds), again=True)
    except OutOfTime:
        left = services.gather_store.firing(tenant, name, id_of(tenant, name, firing_key))
        if left is not None and (left.due_at is None or left.due_at <= services.now()):
            hand_over(services, left)
        raise
    except StaleRecord as error:
        raise OutOfTime from error


def is_due(firing: FolderFiring, now: int) -> bool:
    """Tell whether nobody can be working on an open firing any more."""
    return now >= (firing.due_at if firing.due_at is not None else firing.created_at + LONGEST_AT_WORK)


def hand_over(services: Services, firing: FolderFiring) -> None:
    """Have a function of its own go on with a firing."""
    whose = {"tenant": firing.tenant, "name": firing.name, "batch_id": firing.batch_id}
    services.gather_function.invoke({"firing": whose})
    services.gather_store.postpone(firing, services.now() + LONGEST_AT_WORK)


def _make_batch(services: Services, firing: FolderFiring, members: dict[str, Any], source: InputObject) -> Batch:
    window = members.pop(WINDOW, services.settings.completion_window)
    batch = new_batch.build(services, firing.batch_id, firing.tenant, source, window, **members)
    error = new_batch.why_unaffordable(services, batch)
    logger.info("files gathered", batch_id=batch.batch_id, folder=firing.name, files=source.file_count)
    if error is not None:
        new_batch.refuse(services, batch, error)
    else:
        new_batch.start(services, batch)
    made = services.batch_store.batch(batch.batch_id)
    _end(services, firing, made)
    return made


def _start_again(services: Services, firing: FolderFiring, batch: Batch) -> Batch:
    """Start a batch that is recorded, as its process may have ended before it could."""
    new_batch.start_execution(services, batch, created=False)
    _end(services, firing, batch)
    return batch


def _end(services: Services, firing: FolderFiring, batch: Batch) -> None:
    if batch.void:
        services.gather_store.free(firing.tenant, firing.name, firing.batch_id, services.now())
    else:
        services.gather_store.end(firing, DONE)
