"""A file of the HTTP API: its record, and its shape in OpenAI's API."""

import hashlib
import re
import string
from typing import Any, Final
from urllib.parse import quote

import msgspec

from batchyard.domain.numbers import DAY, HOUR

# Seconds without a change. After these, no call is under way that has counted its bytes but not recorded its file.
QUIET: Final = 120


BATCH, BATCH_OUTPUT = "batch", "batch_output"
UPLOADED, PROCESSED = "uploaded", "processed"  # `uploaded`: the bytes of the file have not come yet
LINK_LIFE: Final = HOUR  # that a presigned URL is good
KEEP_DELETED: Final = DAY  # the record of a deleted file, so that a list can go on behind it
KEEP_READ: Final = 61 * DAY  # the record of a file that a batch was made from: longer than any execution of a batch
# After these, no bytes come any more. A request that began in time may last, and S3 keeps parts for seven days.
LAST_BYTES, LAST_PARTS = DAY, 8 * DAY
SHORTEST_LIFE, LONGEST_LIFE = HOUR, 30 * DAY  # that a caller may ask for
# A tag says after how many days the bucket's lifecycle rules remove an object: the next greater of these numbers.
KEEP_TAG, KEEP_DAYS = "keep-days", (1, 3, 7, 14, 30)
LARGEST_SHOWN: Final = 2**31 - 1  # clients generated from OpenAI's description read sizes as 32 bits
FILE_ID: Final = r"file-[0-9A-Za-z]{1,64}"
_DIGITS: Final = string.digits + string.ascii_letters
_ID_DIGITS: Final = 22


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """The record `FILE#<id>` / `FILE`. Times are Unix seconds."""

    file_id: str
    tenant: str
    #: The key of the object.
    key: str
    bytes: int
    filename: str
    purpose: str
    created_at: int
    #: Orders the files of a tenant by their creation.
    position: str
    status: str = PROCESSED
    #: The version of the object, if we wrote the object ourselves.
    version_id: str | None = None
    #: The id of the multipart upload to S3, if the owner sends the file in parts.
    multipart_id: str | None = None
    #: The size of each part but the last, if the owner chose it.
    part_bytes: int | None = None
    expires_at: int | None = None
    #: When DynamoDB may drop the record.
    expires_at_ttl: int | None = None
    deleted_at: int | None = None
    #: Until when a presigned URL lets its holder write the object.
    link_until: int | None = None
    #: When a batch was last made from the file.
    read_at: int | None = None
    #: When the bytes were removed for good; until then they count.
    removed_at: int | None = None

    def there(self, now: int) -> bool:
        """Tell whether the file is neither deleted nor expired."""
        return self.deleted_at is None and (self.expires_at is None or now < self.expires_at)

    def over_for(self, seconds: int, now: int) -> bool:
        """Tell whether the file ended, and a batch was last made from it, so many seconds ago at least."""
        ends = [at for at in (self.deleted_at, self.expires_at) if at is not None]
        return bool(ends) and max(min(ends), self.read_at or 0) <= now - seconds

    def writable(self, now: int) -> bool:
        """Tell whether a presigned URL could still write the object."""
        return self.link_until is not None and now < self.link_until

    def lost(self, now: int) -> bool:
        """Tell whether the bytes were announced, and can come no more."""
        last = self.created_at + LAST_PARTS if self.link_until is None else self.link_until + LAST_BYTES
        return self.status == UPLOADED and now > last


def shape(file: StoredFile) -> dict[str, Any]:
    """Shape OpenAI's `File`; a size beyond 32 bits is shown as the largest 32-bit number, and as `true_bytes` too."""
    true_size = {"true_bytes": file.bytes} if file.bytes > LARGEST_SHOWN else {}
    return {
        "id": file.file_id,
        "object": "file",
        "bytes": min(file.bytes, LARGEST_SHOWN),
        "created_at": file.created_at,
        "expires_at": file.expires_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": file.status,
        "status_details": None,
        **true_size,
    }


def disposition(filename: str) -> str:
    """Return the header `Content-Disposition` that has a client save content by this name.

    A name beyond ASCII stands there twice (RFC 6266): curl reads the plain name alone.
    """
    plain = re.sub(r'[^ -~]|["\\\\%/]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"


def file_id(*causes: str) -> str:
    """Name a file after its causes, so that the same causes always name the same file."""
    number = int.from_bytes(hashlib.sha256("\0".join(causes).encode("utf-8", "surrogatepass")).digest())
    digits = ""
    while len(digits) < _ID_DIGITS:
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return f"file-{digits}"


def new(file_id: str, tenant: str, clock: float, life: int | None, **members: Any) -> StoredFile:  # noqa: ANN401 - members of StoredFile
    """Build the record of a file that is made at `clock`, in Unix seconds, and lives for `life` seconds or for good."""
    now = int(clock)
    expires_at = None if life is None else now + life
    return StoredFile(
        file_id=file_id, tenant=tenant, created_at=now, position=f"{int(clock * 1_000):013}#{file_id}",
        expires_at=expires_at, expires_at_ttl=None if expires_at is None else expires_at + DAY, **members,
    )  # fmt: skip


def keep_tag(life: int | None) -> str:
    """Return the tag of an object that lives for `life` seconds, as S3 reads it in a request; empty if the object stays."""
    if life is None:
        return ""
    return f"{KEEP_TAG}={next((days for days in KEEP_DAYS if days * DAY >= life), KEEP_DAYS[-1])}"


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The record `STORED#<tenant>` / `BYTES`. Times are Unix seconds."""

    tenant: str
    bytes: int = 0
    changed_at: int = 0
    #: When the sweep last made the sum anew; 0 if it never did.
    counted_at: int = 0

    def due(self, now: int) -> bool:
        """Tell whether the sum is to be made anew: every hour if it is quiet, and every day in any case."""
        age = now - self.counted_at
        return age >= DAY or (age >= HOUR and now - self.changed_at >= QUIET)
