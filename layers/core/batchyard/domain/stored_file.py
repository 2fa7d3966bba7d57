"""A file of the front door, as recorded and as OpenAI's clients see it, and what OpenAI would refuse in a new one."""

import hashlib
import re
import string
from typing import Any, Final

import msgspec

from batchyard.domain.durations import DAY, HOUR

BATCH, BATCH_OUTPUT = "batch", "batch_output"
UPLOADED, PROCESSED = "uploaded", "processed"  # `uploaded` shows a file whose bytes have not come yet
SHORTEST_LIFE, LONGEST_LIFE = HOUR, 30 * DAY  # that a caller may ask for
# An object that ends is tagged with the days until the bucket's lifecycle rules remove it: the next of these.
KEEP_TAG, KEEP_DAYS = "keep-days", (1, 3, 7, 14, 30)
LARGEST_SHOWN: Final = 2**31 - 1  # clients that OpenAI's description generates read sizes as 32 bits
FILE_ID: Final = re.compile(r"file-[0-9A-Za-z]{1,64}")
_DIGITS: Final = string.digits + string.ascii_letters
_ID_DIGITS: Final = 22


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """The record `FILE#<id>` / `FILE`. Times are Unix seconds; `position` orders a tenant's files by their creation.

    `version_id` pins the object where we wrote it ourselves. `multipart_id` is the S3 upload of a file that its owner
    sends in parts. A deleted file is kept a while, so that a list can go on behind it.
    """

    file_id: str
    tenant: str
    key: str
    bytes: int
    filename: str
    purpose: str
    created_at: int
    position: str
    status: str = PROCESSED
    version_id: str | None = None
    multipart_id: str | None = None
    expires_at: int | None = None
    expires_at_ttl: int | None = None
    deleted_at: int | None = None

    def there(self, now: int) -> bool:
        """Tell whether the file is neither deleted nor expired."""
        return self.deleted_at is None and (self.expires_at is None or now < self.expires_at)


def shape(file: StoredFile) -> dict[str, Any]:
    """Shape OpenAI's `File`; a size beyond 32 bits is shown as the largest there is, with the true one beside it."""
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


def file_id(*causes: str) -> str:
    """Name a file after what made it, so that the same cause met twice names the same file."""
    number = int.from_bytes(hashlib.sha256("\0".join(causes).encode("utf-8", "surrogatepass")).digest())
    digits = ""
    while len(digits) < _ID_DIGITS:
        number, digit = divmod(number, len(_DIGITS))
        digits += _DIGITS[digit]
    return f"file-{digits}"


def new(file_id: str, tenant: str, clock: float, life: int | None, **members: Any) -> StoredFile:  # noqa: ANN401 - members of StoredFile
    """Build the record of a file made at `clock`, in Unix seconds, that lives for `life` seconds or for good."""
    now = int(clock)
    expires_at = None if life is None else now + life
    return StoredFile(
        file_id=file_id, tenant=tenant, created_at=now, position=f"{int(clock * 1_000):013}#{file_id}",
        expires_at=expires_at, expires_at_ttl=None if expires_at is None else expires_at + DAY, **members,
    )  # fmt: skip


def keep_tag(life: int | None) -> str:
    """Write the tag of an object that lives so many seconds, as S3 takes it in a request; empty for one that stays."""
    if life is None:
        return ""
    return f"{KEEP_TAG}={next((days for days in KEEP_DAYS if days * DAY >= life), KEEP_DAYS[-1])}"
