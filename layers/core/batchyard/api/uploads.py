"""OpenAI's Uploads API: a file is sent in parts, which are joined at the end.

The parts come through API Gateway and are smaller than S3 allows a part to be. So each part is an object of its own.
"""

import hashlib
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from batchyard.adapters.object_join import SmallObject
from batchyard.api import quotas, upload_rules
from batchyard.api.file_rules import check_first_line, missing
from batchyard.api.files import MOST_IN_FORM, too_large
from batchyard.api.form import parse
from batchyard.api.tenancy import own
from batchyard.api.upload_rules import not_pending, too_many_parts, unknown
from batchyard.domain import multipart_upload, object_keys, stored_file
from batchyard.domain.durations import DAY
from batchyard.domain.errors import ApiError, NotFound, StaleRecord
from batchyard.domain.multipart_upload import (
    CANCELLED,
    COMPLETED,
    MOST_OFTEN,
    MOST_PARTS,
    PENDING,
    UPLOAD_ID,
    StoredUpload,
    UploadPart,
    shape,
    shape_part,
)
from batchyard.domain.stored_file import BATCH, StoredFile
from batchyard.services import Services

# The parts must be read and written again within 29 s, API Gateway's time-out: several at a time, tens of MB a second.
MOST_JOINED: Final = 512_000_000  # bytes
WAY_FOR_MORE: Final = "POST /v1/uploads/presign gives addresses for more."


def create_upload(services: Services, tenant: str, body: object) -> dict[str, Any]:
    """Begin an upload."""
    wanted = upload_rules.check(body, MOST_JOINED, WAY_FOR_MORE)
    if upload_rules.text_of(body, "mime_type") is None:
        raise missing("mime_type")
    upload = multipart_upload.new(f"upload_{secrets.token_hex(16)}", tenant, services.now(), wanted)
    with quotas.room_for(services, tenant, wanted.bytes):
        services.upload_store.create(upload)
    return shape(upload, services.now())


def add_part(services: Services, tenant: str, upload_id: str, content_type: str | None, body: bytes) -> dict[str, Any]:
    """Store one part; parts may come side by side."""
    if len(body) > MOST_IN_FORM:
        raise too_large(len(body), "Send smaller parts: in OpenAI's Python client, part_size=4_000_000.")
    upload = _pending(services, tenant, upload_id)
    data = parse(content_type, body).get("data")
    if data is None:
        raise missing("data")
    most = MOST_OFTEN * upload.bytes
    if not services.upload_store.count_part(upload_id, len(data.data), most, MOST_OFTEN * MOST_PARTS):
        raise too_many_parts(_own(services, tenant, upload_id))
    part = UploadPart(
        part_id=f"part_{secrets.token_hex(16)}", upload_id=upload_id, bytes=len(data.data), created_at=services.now(),
        expires_at_ttl=upload.expires_at_ttl,
    )  # fmt: skip
    services.file_bucket.put(object_keys.upload_part(upload_id, part.part_id), data.data, None)
    services.upload_store.add_part(part)
    return shape_part(part)


def complete_upload(services: Services, tenant: str, upload_id: str, body: object) -> dict[str, Any]:
    """Join the parts in the order of `part_ids`; a repeated call answers the same file."""
    upload = _own(services, tenant, upload_id)
    if upload.status == COMPLETED:
        return shape(upload, services.now(), _made(services, upload))
    upload = _pending(services, tenant, upload_id)
    sources = _sources(services, upload, upload_rules.check_part_ids(body))
    file = _made(services, upload)  # made by a call that died before it ended the upload, if there is one
    if file is None:
        file = _join(services, upload, sources, upload_rules.text_of(body, "md5"))
        services.file_store.keep(file)
    try:
        ended = services.upload_store.end(upload_id, COMPLETED)
    except StaleRecord as error:
        ended = _resolve_overtaken(services, file, upload_id, error)
    return shape(ended, services.now(), file)


def cancel_upload(services: Services, tenant: str, upload_id: str) -> dict[str, Any]:
    """Cancel an upload; S3 removes its parts after a day."""
    upload = _own(services, tenant, upload_id)
    if upload.status != CANCELLED:
        _pending(services, tenant, upload_id)
        try:
            upload = services.upload_store.end(upload_id, CANCELLED)
            services.quota_store.give_back(tenant, upload.bytes, services.now())
        except StaleRecord as error:
            raise not_pending(_own(services, tenant, upload_id).status) from error
    return shape(upload, services.now())


def _own(services: Services, tenant: str, upload_id: str) -> StoredUpload:
    return own(tenant, upload_id, UPLOAD_ID, services.upload_store.upload, unknown)


def _pending(services: Services, tenant: str, upload_id: str) -> StoredUpload:
    upload = _own(services, tenant, upload_id)
    status = upload.status_at(services.now())
    if status != PENDING:
        raise not_pending(status)
    return upload


def _sources(services: Services, upload: StoredUpload, part_ids: Sequence[str]) -> list[SmallObject]:
    sizes = services.upload_store.part_sizes(upload.upload_id)
    for part_id in part_ids:
        if part_id not in sizes:
            raise ApiError(
                HTTPStatus.BAD_REQUEST, f"No such part of {upload.upload_id}: {part_id[:64]}", param="part_ids"
            )
    total = sum(sizes[part_id] for part_id in part_ids)
    if total != upload.bytes:
        message = f"The parts have {total} bytes together; the upload was announced with {upload.bytes}."
        raise ApiError(HTTPStatus.BAD_REQUEST, message, param="part_ids")
    return [SmallObject(object_keys.upload_part(upload.upload_id, part_id), sizes[part_id]) for part_id in part_ids]


def _join(services: Services, upload: StoredUpload, sources: Sequence[SmallObject], md5: str | None) -> StoredFile:
    """Write the parts into one object; a wrong digest or first line aborts it."""
    key, digest, passed = object_keys.file(upload.tenant, _file_id(upload)), hashlib.md5(usedforsecurity=False), 0
    with services.file_bucket.join(key, upload.life) as joined:
        for piece in joined.take(sources):
            if upload.purpose == BATCH and not passed:
                check_first_line(piece, whole=len(piece) == upload.bytes)
            digest.update(piece)
            passed += len(piece)
        if md5 is not None and md5.lower() != digest.hexdigest():
            raise ApiError(HTTPStatus.BAD_REQUEST, "The md5 of the parts differs from the one given.", param="md5")
    return stored_file.new(
        _file_id(upload), upload.tenant, services.clock(), upload.life, key=key, bytes=upload.bytes,
        filename=upload.filename, purpose=upload.purpose, version_id=joined.version_id,
    )  # fmt: skip


def _made(services: Services, upload: StoredUpload) -> StoredFile | None:
    try:
        return services.file_store.file(_file_id(upload))
    except NotFound:  # not made yet, or expired long ago
        return None


def _resolve_overtaken(services: Services, file: StoredFile, upload_id: str, error: StaleRecord) -> StoredUpload:
    """Delete the file of an upload that was cancelled meanwhile; if another call completed the upload, return the upload."""
    upload = services.upload_store.upload(upload_id)
    if upload.status == COMPLETED:
        return upload
    services.file_bucket.delete(file)
    services.file_store.change(file.file_id, deleted_at=services.now(), expires_at_ttl=services.now() + DAY)
    raise not_pending(upload.status) from error


def _file_id(upload: StoredUpload) -> str:
    return stored_file.file_id(upload.upload_id)
