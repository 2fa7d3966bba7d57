"""A multipart upload of OpenAI's Uploads API: its records, and their shapes in the API."""

from typing import Any, Final

import msgspec

from batchyard.domain import stored_file
from batchyard.domain.numbers import DAY, HOUR
from batchyard.domain.stored_file import StoredFile

PENDING, COMPLETED, CANCELLED, EXPIRED = "pending", "completed", "cancelled", "expired"
UPLOAD_ID: Final = r"upload_[0-9a-f]{1,64}"
LIFE: Final = HOUR  # of a pending upload
KEEP_PARTS: Final = 2 * DAY  # by then the bucket has removed the parts of an upload that has expired
MOST_PARTS: Final = 1_000
MOST_OFTEN: Final = 2  # times the announced bytes and parts: a client whose connection broke sends a part again


class UploadPart(msgspec.Struct, frozen=True, kw_only=True):
    """The record `UPLOAD#<id>` / `PART#<part id>`. Times are Unix seconds."""

    part_id: str
    upload_id: str
    bytes: int
    created_at: int
    expires_at_ttl: int
    #: The version of its object.
    version_id: str | None = None


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """The record `UPLOAD#<id>` / `UPLOAD`. Times are Unix seconds."""

    upload_id: str
    tenant: str
    #: The size that the caller announced.
    bytes: int
    filename: str
    purpose: str
    created_at: int
    expires_at: int
    #: When DynamoDB may drop the record.
    expires_at_ttl: int
    #: Seconds that the file is to live; None for a file that stays.
    life: int | None = None
    status: str = PENDING
    #: Parts that were sent; a part that was sent twice counts twice.
    parts: int = 0
    #: Bytes of these parts.
    received: int = 0
    #: When its parts were removed; until then they count.
    removed_at: int | None = None

    def status_at(self, now: int) -> str:
        """Return the status at a time: a pending upload expires."""
        return EXPIRED if self.status == PENDING and now >= self.expires_at else self.status

    def bytes_at(self, now: int) -> int:
        """Return the bytes that count at a time: what was announced while more may come, and what came in any case."""
        return max(self.bytes, self.received) if self.status_at(now) == PENDING else self.received


class Wanted(msgspec.Struct, frozen=True):
    """The file that a caller announces."""

    filename: str
    purpose: str
    bytes: int
    #: Seconds that the file is to live; None for a file that stays.
    life: int | None


def new(upload_id: str, tenant: str, now: int, wanted: Wanted) -> StoredUpload:
    """Build the record of an upload that begins."""
    return StoredUpload(
        upload_id=upload_id, tenant=tenant, bytes=wanted.bytes, filename=wanted.filename, purpose=wanted.purpose,
        created_at=now, expires_at=now + LIFE, expires_at_ttl=now + LIFE + KEEP_PARTS, life=wanted.life,
    )  # fmt: skip


def shape(upload: StoredUpload, now: int, file: StoredFile | None = None) -> dict[str, Any]:
    """Shape OpenAI's `Upload`."""
    return {
        "id": upload.upload_id,
        "object": "upload",
        "bytes": upload.bytes,
        "created_at": upload.created_at,
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.status_at(now),
        "expires_at": upload.expires_at,
        "file": None if file is None else stored_file.shape(file),
    }


def shape_part(part: UploadPart) -> dict[str, Any]:
    """Shape OpenAI's `UploadPart`."""
    return {"id": part.part_id, "object": "upload.part", "created_at": part.created_at, "upload_id": part.upload_id}
