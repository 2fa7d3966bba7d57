"""Correct the sums of the bytes that tenants store: files end, and a function may die between count and record."""

from collections.abc import Iterator
from typing import Final

from batchyard.domain import object_keys
from batchyard.domain.stored_file import PROCESSED, Stored, StoredFile
from batchyard.observability import logger
from batchyard.recovery.census import tell_fullest
from batchyard.recovery.stored_objects import release_ended
from batchyard.recovery.sweep_run import SweepRun

BOOKMARK: Final = "stored bytes"
CLOCK_EVERY: Final = 1_000  # records between two looks at the clock


def sum_up(run: SweepRun) -> None:
    """Sum up the files and pending uploads of each tenant whose sum is due, if there is a quota."""
    services = run.services
    if not services.settings.max_stored_bytes:
        return
    mark = services.sweep_store.bookmark(BOOKMARK)
    after, most = mark.get("after", ""), mark.get("most", 0)
    for stored in services.quota_store.all(after):
        if run.over():
            break
        if stored.due(services.now()):
            with run.trying(tenant=stored.tenant):
                _correct(run, stored)
        after, most = stored.tenant, max(most, stored.bytes)
    else:
        tell_fullest(services.settings.max_stored_bytes, [most], "stored_bytes")
        after, most = "", 0
    services.sweep_store.keep_bookmark(BOOKMARK, {"after": after, "most": most})


def _correct(run: SweepRun, listed: Stored) -> None:
    release_ended(run, listed.tenant)
    before = run.services.quota_store.read(listed.tenant)  # the index may lag behind
    true = 0
    for number, size in enumerate(_sizes(run, listed.tenant), start=1):
        true += size
        if number % CLOCK_EVERY == 0 and run.over():
            logger.warning("more files than can be summed up in time", tenant=listed.tenant)
            return
    if run.services.quota_store.correct(before, true, run.services.now()) and true != before.bytes:
        run.count("StoredBytesCorrected", tenant=listed.tenant, known=before.bytes, truly=true)


def _sizes(run: SweepRun, tenant: str) -> Iterator[int]:
    services, now = run.services, run.services.now()
    for file in services.file_store.stored(tenant):
        # A file that ended before its bytes came has none but parts; the bucket itself removes results that expired.
        came = file.status == PROCESSED or file.multipart_id is not None
        if file.there(now) or (came and object_keys.owner_of_file(file.key)):
            yield _stored_bytes(run, file)
    for batch in services.batch_store.open_of(tenant):
        yield sum(copy.size for copy in (batch.source, batch.changed) if copy)
    for upload in services.upload_store.stored(tenant, now):
        yield upload.bytes_at(now)


def _stored_bytes(run: SweepRun, file: StoredFile) -> int:
    """Return the bytes of a file; if they were announced and can come no more, look whether they came."""
    services = run.services
    if not file.lost(services.now()):
        return file.bytes
    here = (each for page in services.file_bucket.versions(file.key) for each in page)
    came = next((each for each in here if (each.key, each.size) == (file.key, file.bytes)), None)
    if came is None:
        services.file_store.note_removal(file, services.now())
        return 0
    services.file_store.change(file.file_id, status=PROCESSED, version_id=came.version_id)
    return file.bytes
