"""Uploads whose event was missed.

EventBridge tries an event for a day, so hardly any is missed, and looking costs: S3 takes $5 for a million requests to list,
each of 1,000 versions, DynamoDB $0.125 for a million records that are looked up. So a walk over the whole inbox is followed by
a rest that fits its cost. A small inbox is walked in every sweep, one of 100,000 versions once an hour, and no inbox of up to
2.4 million costs more than $0.36 a month to list and as much to look up.
"""

from datetime import timedelta
from typing import Final

from batchyard.adapters.bucket import Arrived
from batchyard.domain import object_keys
from batchyard.domain.numbers import HOUR
from batchyard.planning import new_batch
from batchyard.planning.intake import intake, is_folder
from batchyard.recovery.sweep_run import SweepRun
from batchyard.services import Services

BOOKMARK: Final = "inbox"
# An event is repeated for a day. The record of a much older upload may have expired, and the batch would be paid again.
OLDEST: Final = timedelta(days=7)
REQUESTS_AN_HOUR, LOOK_UPS_AN_HOUR = 100, 4_000
LONGEST_REST: Final = 24 * HOUR  # so that each upload is met some times before it is too old


def start_missed(run: SweepRun) -> None:
    """Make a batch of every upload of the last days that has none; a walk goes on where the last run stopped."""
    store, now = run.services.sweep_store, run.services.now()
    mark = store.bookmark(BOOKMARK)
    if now < mark.get("rest_until", 0):
        return
    after, requests, look_ups = mark.get("after", ""), mark.get("requests", 0), mark.get("look_ups", 0)
    for page in run.services.bucket.inbox(object_keys.INBOX, after):
        requests += 1
        for arrived in page.newest:
            if run.over():
                store.keep_bookmark(BOOKMARK, {"after": after, "requests": requests, "look_ups": look_ups})
                return
            look_ups += _start(run, arrived)
            after = arrived.object.key
        after = page.last
    store.keep_bookmark(BOOKMARK, {"rest_until": now + rest(requests, look_ups)})


def rest(requests: int, look_ups: int) -> int:
    """Return the seconds from one whole walk to the next, by what it cost."""
    hours = max((requests - 1) / REQUESTS_AN_HOUR, look_ups / LOOK_UPS_AN_HOUR)
    return min(int(hours * HOUR), LONGEST_REST)


def _start(run: SweepRun, arrived: Arrived) -> bool:
    """Make a batch of an upload that has none; tell whether its record may have been looked up."""
    services, upload = run.services, arrived.object
    with run.trying(key=upload.key):
        if not _may_be_missed(services, arrived):
            return False
        batch_id = new_batch.batch_id_of(upload)
        known = services.batch_store.find_batch(batch_id)
        if known is None and intake(services, upload.bucket, upload.key, upload.version_id):
            run.count("UploadsStarted", batch_id=batch_id)
    return True


def _may_be_missed(services: Services, arrived: Arrived) -> bool:
    age = timedelta(seconds=services.clock() - arrived.at.timestamp())
    return age <= OLDEST and not is_folder(arrived.object)
