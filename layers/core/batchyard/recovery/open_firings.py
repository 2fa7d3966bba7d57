"""Firings of gather folders that nobody brought to their end, and those whose event was missed.

Whoever gathers may need its whole quarter of an hour, so the sweep gathers nothing: it has the function that gathers go on. A
firing that is recorded is taken up where it stands. For a RUN that nobody heard of, each folder is looked at once an hour.
"""

from datetime import timedelta
from typing import Final

from batchyard.adapters.bucket import Arrived
from batchyard.domain import object_keys
from batchyard.domain.numbers import HOUR
from batchyard.gathering.fire import hand_over, id_of, is_due
from batchyard.gathering.gather import firing_key
from batchyard.recovery.sweep_run import SweepRun

BOOKMARK: Final = "gather"
EVERY: Final = HOUR
# An event is repeated for a day. The records of a much older firing may have expired.
OLDEST: Final = timedelta(days=7)


def take_up_firings(run: SweepRun) -> None:
    """Have the firings go on that are left."""
    now = run.services.now()
    for firing in run.services.gather_store.open_firings():
        if run.over():
            return
        if is_due(firing, now):
            with run.trying(batch_id=firing.batch_id):
                hand_over(run.services, firing)
                run.count("FiringsTakenUp", batch_id=firing.batch_id)


def fire_missed_runs(run: SweepRun) -> None:
    """Have the folders fire whose RUN nobody heard of; a walk through them goes on where the last one stopped."""
    store, now = run.services.sweep_store, run.services.now()
    mark = store.bookmark(BOOKMARK)
    if now < mark.get("rest_until", 0):
        return
    after, bucket = mark.get("after", ""), run.services.bucket
    for tenant in bucket.folders(object_keys.GATHER):
        for folder in bucket.folders(tenant) if tenant >= after[: len(tenant)] else ():
            if folder <= after:
                continue
            if run.over():
                store.keep_bookmark(BOOKMARK, {"after": after})
                return
            with run.trying(key=folder):
                _fire(run, folder)
            after = folder
    store.keep_bookmark(BOOKMARK, {"rest_until": now + EVERY})


def _fire(run: SweepRun, folder: str) -> None:
    """Have a folder fire whose newest RUN has become neither a firing nor a batch, as if S3 told of the RUN now."""
    services, owner = run.services, object_keys.owner_of_folder(folder)
    newest = next((each for page in services.bucket.inbox(folder + object_keys.RUN) for each in page.newest), None)
    if owner is None or newest is None or newest.object.key != folder + object_keys.RUN or not _is_young(run, newest):
        return
    batch_id = id_of(*owner, firing_key(newest.object))
    if services.gather_store.firing(*owner, batch_id) or services.batch_store.find_batch(batch_id):
        return
    found = newest.object
    told = {"bucket": {"name": found.bucket}, "object": {"key": found.key, "version-id": found.version_id}}
    services.gather_function.invoke({"detail": told})
    run.count("FiringsTakenUp", batch_id=batch_id)


def _is_young(run: SweepRun, arrived: Arrived) -> bool:
    return timedelta(seconds=run.services.clock() - arrived.at.timestamp()) <= OLDEST
