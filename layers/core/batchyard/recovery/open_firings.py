"""Firings of gather folders that nobody brought to their end, and those whose event was missed.

A firing that is recorded is taken up where it stands. For a RUN that nobody heard of, each folder is looked at once an hour.
"""

from datetime import timedelta
from typing import Final

from batchyard.adapters.bucket import Arrived
from batchyard.domain import object_keys
from batchyard.domain.numbers import HOUR
from batchyard.gathering.fire import go_on, id_of
from batchyard.gathering.gather import firing_key, gather
from batchyard.recovery.sweep_run import SweepRun

LATEST: Final = 1_200  # seconds after which no process works on a firing any more: a function runs for 900 at most
BOOKMARK: Final = "gather"
EVERY: Final = HOUR
# An event is repeated for a day. The records of a much older firing may have expired.
OLDEST: Final = timedelta(days=7)


def end_firings(run: SweepRun) -> None:
    """Bring the firings that are open for long to their end, and fire the folders whose RUN nobody heard of."""
    now = run.services.now()
    for firing in run.services.gather_store.open_firings():
        if run.over():
            return
        if firing.created_at > now - LATEST:
            continue
        with run.trying(batch_id=firing.batch_id):
            go_on(run.services, firing)
            run.count("FiringsEnded", batch_id=firing.batch_id)
    _fire_missed(run)


def _fire_missed(run: SweepRun) -> None:
    """Look for a RUN in each folder; a walk goes on where the last one stopped."""
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
    services, owner = run.services, object_keys.owner_of_folder(folder)
    newest = next((each for page in services.bucket.inbox(folder + object_keys.RUN) for each in page.newest), None)
    if owner is None or newest is None or newest.object.key != folder + object_keys.RUN or not _is_young(run, newest):
        return
    batch_id = id_of(*owner, firing_key(newest.object))
    if services.batch_store.find_batch(batch_id) is not None:
        return
    if gather(services, newest.object.bucket, newest.object.key, newest.object.version_id) is not None:
        run.count("FiringsEnded", batch_id=batch_id)


def _is_young(run: SweepRun, arrived: Arrived) -> bool:
    return timedelta(seconds=run.services.clock() - arrived.at.timestamp()) <= OLDEST
