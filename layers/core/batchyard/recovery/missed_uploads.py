"""Uploads whose event was lost."""

from datetime import timedelta
from typing import Final

from batchyard.adapters.bucket import Arrived
from batchyard.domain import object_keys
from batchyard.planning import new_batch
from batchyard.planning.intake import intake, is_folder
from batchyard.recovery.sweep_run import SweepRun

BOOKMARK: Final = "inbox"
# An event is repeated for a day. The record of a much older upload may have expired, and the batch would be paid again.
OLDEST: Final = timedelta(days=7)


def start_missed(run: SweepRun) -> None:
    """Make the batch of every upload of the last seven days that has none."""
    after = run.services.sweep_store.bookmark(BOOKMARK).get("after", "")
    for arrived in run.services.bucket.inbox(object_keys.INBOX, after):
        if run.over():
            break
        with run.trying(key=arrived.object.key):
            _start(run, arrived)
        after = arrived.object.key
    else:
        after = ""
    run.services.sweep_store.keep_bookmark(BOOKMARK, {"after": after})


def _start(run: SweepRun, arrived: Arrived) -> None:
    services, upload = run.services, arrived.object
    age = timedelta(seconds=services.clock() - arrived.at.timestamp())
    if age > OLDEST or is_folder(upload):
        return
    batch_id = new_batch.batch_id_of(upload)
    if services.batch_store.find_batch(batch_id) is None and intake(
        services, upload.bucket, upload.key, upload.version_id
    ):
        run.count("UploadsStarted", batch_id=batch_id)
