"""Correct the sums of the bytes that tenants store: files expire, and a function may die between count and record."""

from collections.abc import Iterator
from typing import Final

from batchyard.domain.stored_file import Stored
from batchyard.observability import logger
from batchyard.recovery.sweep_run import SweepRun

BOOKMARK: Final = "stored bytes"
CLOCK_EVERY: Final = 1_000  # records between two looks at the clock


def sum_up(run: SweepRun) -> None:
    """Sum up the files and pending uploads of each tenant whose sum is due, if there is a quota."""
    services = run.services
    if not services.settings.max_stored_bytes:
        return
    after = services.sweep_store.bookmark(BOOKMARK).get("after", "")
    for stored in services.quota_store.all(after):
        if run.over():
            break
        if stored.due(services.now()):
            with run.trying(tenant=stored.tenant):
                _correct(run, stored)
        after = stored.tenant
    else:
        after = ""
    services.sweep_store.keep_bookmark(BOOKMARK, {"after": after})


def _correct(run: SweepRun, listed: Stored) -> None:
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
    for file in services.file_store.files(tenant, now, None, None, newest_first=True):
        yield file.bytes
    for upload in services.upload_store.pending(tenant, now):
        yield upload.bytes
