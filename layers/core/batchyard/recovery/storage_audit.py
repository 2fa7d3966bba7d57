"""Correct what is known of the bytes that tenants store: files expire, and a function may die between count and record."""

from collections.abc import Iterator
from typing import Final

from batchyard.domain.quota import Stored
from batchyard.log import logger
from batchyard.recovery.sweep_run import Shift

CHORE: Final = "stored bytes"
AT_ONCE: Final = 1_000  # records between two looks at the clock


def sum_up(shift: Shift) -> None:
    """Sum up the files and pending uploads of each tenant whose turn it is, where there is a limit to keep."""
    yard = shift.yard
    if not yard.settings.max_stored_bytes:
        return
    after = yard.chores.bookmark(CHORE).get("after", "")
    for stored in yard.stored_bytes.all(after):
        if shift.over():
            break
        if stored.due(yard.now()):
            with shift.trying(tenant=stored.tenant):
                _correct(shift, stored)
        after = stored.tenant
    else:
        after = ""
    yard.chores.keep_bookmark(CHORE, {"after": after})


def _correct(shift: Shift, listed: Stored) -> None:
    before = shift.yard.stored_bytes.read(listed.tenant)  # the index may lag behind
    true = 0
    for number, size in enumerate(_sizes(shift, listed.tenant), start=1):
        true += size
        if number % AT_ONCE == 0 and shift.over():
            logger.warning("more files than can be summed up in time", tenant=listed.tenant)
            return
    if shift.yard.stored_bytes.correct(before, true, shift.yard.now()) and true != before.bytes:
        shift.did("StoredBytesCorrected", tenant=listed.tenant, known=before.bytes, truly=true)


def _sizes(shift: Shift, tenant: str) -> Iterator[int]:
    yard, now = shift.yard, shift.yard.now()
    for file in yard.file_records.files(tenant, now, None, None, newest_first=True):
        yield file.bytes
    for upload in yard.upload_records.pending(tenant, now):
        yield upload.bytes
