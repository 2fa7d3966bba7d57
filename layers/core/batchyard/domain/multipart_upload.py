"""An upload in parts, as recorded and as OpenAI's clients see it."""

import re
from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.api.batch_request import refusal
from batchyard.domain import stored_file
from batchyard.domain.batch import LineError
from batchyard.domain.errors import ApiError
from batchyard.domain.stored_file import DAY, StoredFile, missing

PENDING, COMPLETED, CANCELLED, EXPIRED = "pending", "completed", "cancelled", "expired"
UPLOAD_ID: Final = re.compile(r"upload_[0-9a-f]{1,64}")
LIFE: Final = 3_600  # seconds
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


def check(body: object, most: int, way_for_more: str) -> Wanted:
    """Return what a caller announces if OpenAI would take it and it has at most `most` bytes, else raise ApiError 400."""
    if not isinstance(body, dict):
        raise refusal(LineError("invalid_type", "The body must be a JSON object."))
    purpose = stored_file.check_purpose(body.get("purpose"))
    filename = stored_file.check_filename(body.get("filename"), purpose)
    size = body.get("bytes")
    if size is None:
        raise missing("bytes")
    if not isinstance(size, int) or isinstance(size, bool):
        raise refusal(LineError("invalid_type", "'bytes' must be a whole number.", "bytes"))
    if size < 1:
        raise refusal(LineError("integer_below_min_value", f"'bytes' must be at least 1, not {size}.", "bytes"))
    if size > most:
        raise refusal(LineError("integer_above_max_value", f"'bytes' must be at most {most}. {way_for_more}", "bytes"))
    return Wanted(filename, purpose, size, stored_file.check_life(body.get("expires_after"), purpose))


def text_of(body: object, name: str) -> str | None:
    """Return a text member of a body, None where it has none; raises ApiError 400 for anything but text."""
    value = body.get(name) if isinstance(body, dict) else None
    if value is not None and not isinstance(value, str):
        raise refusal(LineError("invalid_type", f"'{name}' must be a string.", name))
    return value


def new(upload_id: str, tenant: str, now: int, wanted: Wanted) -> StoredUpload:
    """Build the record of an upload that begins."""
    return StoredUpload(
        upload_id=upload_id, tenant=tenant, bytes=wanted.bytes, filename=wanted.filename, purpose=wanted.purpose,
        created_at=now, expires_at=now + LIFE, expires_at_ttl=now + LIFE + DAY, life=wanted.life,
    )  # fmt: skip


def check_part_ids(body: object) -> list[str]:
    """Return the ids of the parts in the order of their bytes, else raise ApiError 400."""
    part_ids = body.get("part_ids") if isinstance(body, dict) else None
    if part_ids is None:
        raise missing("part_ids")
    if not isinstance(part_ids, list) or not all(isinstance(part_id, str) for part_id in part_ids):
        raise refusal(LineError("invalid_type", "'part_ids' must be a list of strings.", "part_ids"))
    if len(part_ids) > MOST_PARTS:
        message = f"'part_ids' has at most {MOST_PARTS} entries, not {len(part_ids)}."
        raise refusal(LineError("array_above_max_length", message, "part_ids"))
    return part_ids


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


def unknown(upload_id: str) -> ApiError:
    """Say that there is no such upload."""
    return ApiError(HTTPStatus.NOT_FOUND, f"No such Upload object: {upload_id}", param="id")


def too_many_parts(upload: StoredUpload) -> ApiError:
    """Say that an upload was sent more than it was announced with, even if each part came twice."""
    sent = f"has had {upload.parts} parts of {upload.received} bytes together"
    message = f"The upload {sent}; it was announced with {upload.bytes} bytes. Begin another one."
    return ApiError(HTTPStatus.BAD_REQUEST, message, param="data")


def not_pending(status: str) -> ApiError:
    """Say that an upload takes nothing more."""
    return ApiError(HTTPStatus.BAD_REQUEST, f"The upload is {status}; it must be {PENDING}.")
