"""An upload in parts, as recorded and as OpenAI's clients see it."""

import re
from typing import Any, Final

import msgspec

from batchyard.domain import stored_file
from batchyard.domain.durations import DAY, HOUR
from batchyard.domain.stored_file import StoredFile

PENDING, COMPLETED, CANCELLED, EXPIRED = "pending", "completed", "cancelled", "expired"
UPLOAD_ID: Final = re.compile(r"upload_[0-9a-f]{1,64}")
LIFE: Final = HOUR
MOST_PARTS: Final = 1_000
MOST_OFTEN: Final = 2  # each part may be sent so often: a client whose connection broke sends it again


class UploadPart(msgspec.Struct, frozen=True, kw_only=True):
    """The record `UPLOAD#<id>` / `PART#<part id>` of an object in the upload's work folder."""

    part_id: str
    upload_id: str
    bytes: int
    created_at: int
    expires_at_ttl: int


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """The record `UPLOAD#<id>` / `UPLOAD`. Times are Unix seconds; the file made of it is to live `life` seconds.

    `parts` and the bytes `received` count whatever was sent, also what a client sent twice.
    """

    upload_id: str
    tenant: str
    bytes: int
    filename: str
    purpose: str
    created_at: int
    expires_at: int
    expires_at_ttl: int
    life: int | None = None
    status: str = PENDING
    parts: int = 0
    received: int = 0

    def status_at(self, now: int) -> str:
        """Tell the status: a pending upload dies of age."""
        return EXPIRED if self.status == PENDING and now >= self.expires_at else self.status


class Wanted(msgspec.Struct, frozen=True):
    """What a caller announces: a file of so many bytes."""

    filename: str
    purpose: str
    bytes: int
    life: int | None


def new(upload_id: str, tenant: str, now: int, wanted: Wanted) -> StoredUpload:
    """Build the record of an upload that begins."""
    return StoredUpload(
        upload_id=upload_id, tenant=tenant, bytes=wanted.bytes, filename=wanted.filename, purpose=wanted.purpose,
        created_at=now, expires_at=now + LIFE, expires_at_ttl=now + LIFE + DAY, life=wanted.life,
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
