"""Correct what is known of the bytes that tenants store: files expire, and a function may die between count and record."""

from collections.abc import Iterator
from typing import Final

from batchyard.domain.quota import Stored
from batchyard.observability import logger
from batchyard.recovery.sweep_run import Shift

CHORE: Final = "stored bytes"
AT_ONCE: Final = 1_000  # records between two looks at the clock


def sum_up(shift: Shift) -> None:
    """Sum up the files and pending uploads of each tenant whose turn it is, where there is a limit to keep."""
    services = shift.services
    if not services.settings.max_stored_bytes:
        return
    after = services.sweep_store.bookmark(CHORE).get("after", "")
    for stored in services.quota_store.all(after):
        if shift.over():
            break
        if stored.due(services.now()):
            with shift.trying(tenant=stored.tenant):
                _correct(shift, stored)
        after = stored.tenant
    else:
        after = ""
    services.sweep_store.keep_bookmark(CHORE, {"after": after})


def _correct(shift: Shift, listed: Stored) -> None:
    before = shift.services.quota_store.read(listed.tenant)  # the index may lag behind
    true = 0
    for number, size in enumerate(_sizes(shift, listed.tenant), start=1):
        true += size
        if number % AT_ONCE == 0 and shift.over():
            logger.warning("more files than can be summed up in time", tenant=listed.tenant)
            return
    if shift.services.quota_store.correct(before, true, shift.services.now()) and true != before.bytes:
        shift.did("StoredBytesCorrected", tenant=listed.tenant, known=before.bytes, truly=true)


def _sizes(shift: Shift, tenant: str) -> Iterator[int]:
    services, now = shift.services, shift.services.now()
    for file in services.file_store.files(tenant, now, None, None, newest_first=True):
        yield file.bytes
    for upload in services.upload_store.pending(tenant, now):
        yield upload.bytes
