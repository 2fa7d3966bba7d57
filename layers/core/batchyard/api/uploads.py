"""OpenAI's Uploads API: a file is sent in parts, which are joined at the end.

The parts come through API Gateway and are smaller than S3 allows a part to be. So each part is an object of its own.
"""

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from batchyard.adapters.object_join import SmallObject
from batchyard.api import file_rules, tenancy
from batchyard.api.file_rules import check_first_line, not_pending, too_many_parts, unknown_upload
from batchyard.api.files import MOST_IN_FORM, too_large
from batchyard.api.tenancy import own
from batchyard.domain import multipart_upload, object_keys, stored_file
from batchyard.domain.errors import ApiError, NotFound, StaleRecord, missing_parameter
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
from batchyard.gateway.form import parse
from batchyard.services import Services

# The parts must be read and written again within 29 s, API Gateway's time-out: several at a time, tens of MB a second.
MOST_JOINED: Final = 512_000_000  # bytes
WAY_FOR_MORE: Final = "POST /v1/uploads/presign gives addresses for more."


def create_upload(services: Services, tenant: str, body: object) -> dict[str, Any]:
    """Begin an upload."""
    wanted = file_rules.check_announced(body, MOST_JOINED, WAY_FOR_MORE)
    if file_rules.text_of(body, "mime_type") is None:
        raise missing_parameter("mime_type")
    upload = multipart_upload.new(f"upload_{secrets.token_hex(16)}", tenant, services.now(), wanted)
    with tenancy.room_for(services, tenant, wanted.bytes):
        services.upload_store.create(upload)
    return shape(upload, services.now())


def add_part(services: Services, tenant: str, upload_id: str, content_type: str | None, body: bytes) -> dict[str, Any]:
    """Store one part; parts may come side by side."""
    if len(body) > MOST_IN_FORM:
        raise too_large(len(body), "Send smaller parts: in OpenAI's Python client, part_size=4_000_000.")
    upload = _pending(services, tenant, upload_id)
    data = parse(content_type, body).get("data")
    if data is None:
        raise missing_parameter("data")
    most = MOST_OFTEN * upload.bytes
    if not services.upload_store.count_part(upload_id, len(data.data), most, MOST_OFTEN * MOST_PARTS):
        raise too_many_parts(_pending(services, tenant, upload_id))
    part_id = f"part_{secrets.token_hex(16)}"
    version_id = services.file_bucket.put(object_keys.upload_part(upload_id, part_id), data.data, None)
    part = UploadPart(
        part_id=part_id, upload_id=upload_id, bytes=len(data.data), created_at=services.now(),
        expires_at_ttl=upload.expires_at_ttl, version_id=version_id,
    )  # fmt: skip
    services.upload_store.add_part(part)
    return shape_part(part)


def complete_upload(services: Services, tenant: str, upload_id: str, body: object) -> dict[str, Any]:
    """Join the parts in the order of `part_ids`; a repeated call answers the same file."""
    upload = _own(services, tenant, upload_id)
    if upload.status == COMPLETED:
        return shape(upload, services.now(), _made(services, upload))
    upload = _pending(services, tenant, upload_id)
    sources = _sources(services, upload, file_rules.check_part_ids(body))
    file = _made(services, upload)  # made by a call that died before it ended the upload, if there is one
    try:
        if file is None:
            file = _join(services, upload, sources, file_rules.text_of(body, "md5"))
            services.file_store.keep(file)
        ended = services.upload_store.end(upload_id, COMPLETED)
    except (NotFound, StaleRecord) as error:  # another call has ended the upload, and its parts may be gone
        return _overtaken(services, upload, file, error)
    _remove_parts(services, ended)
    return shape(ended, services.now(), file)


def cancel_upload(services: Services, tenant: str, upload_id: str) -> dict[str, Any]:
    """Cancel an upload and remove its parts."""
    upload = _own(services, tenant, upload_id)
    if upload.status != CANCELLED:
        _pending(services, tenant, upload_id)
        try:
            upload = services.upload_store.end(upload_id, CANCELLED)
        except StaleRecord as error:
            raise not_pending(_own(services, tenant, upload_id).status) from error
        if _remove_parts(services, upload):
            services.quota_store.give_back(tenant, upload.bytes, services.now())
    return shape(upload, services.now())


def _own(services: Services, tenant: str, upload_id: str) -> StoredUpload:
    return own(tenant, upload_id, UPLOAD_ID, services.upload_store.upload, unknown_upload)


def _pending(services: Services, tenant: str, upload_id: str) -> StoredUpload:
    upload = _own(services, tenant, upload_id)
    status = upload.status_at(services.now())
    if status != PENDING:
        raise not_pending(status)
    return upload


def _sources(services: Services, upload: StoredUpload, part_ids: Sequence[str]) -> list[SmallObject]:
    sizes = {part.part_id: part.bytes for part in services.upload_store.parts(upload.upload_id)}
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


def _remove_parts(services: Services, ended: StoredUpload) -> bool:
    """Remove the parts of an upload that has ended; False if some are under way: all count until the bucket removes them."""
    parts = services.upload_store.parts(ended.upload_id)
    services.file_bucket.remove_all(
        [(object_keys.upload_part(part.upload_id, part.part_id), part.version_id or "null") for part in parts]
    )
    if len(parts) < ended.parts:
        return False
    services.upload_store.note_removal(ended.upload_id, services.now())
    return True


def _overtaken(
    services: Services, begun: StoredUpload, file: StoredFile | None, error: NotFound | StaleRecord
) -> dict[str, Any]:
    """Answer as the call that completed the upload meanwhile; if it was cancelled, leave no file and raise ApiError 400."""
    upload = services.upload_store.upload(begun.upload_id)
    if upload.status == COMPLETED:
        return shape(upload, services.now(), _made(services, upload))
    if upload.status == PENDING:
        raise error
    if file is not None:
        services.file_bucket.remove(file.key, file.version_id or "null")
        with suppress(StaleRecord):  # a third call came first
            services.file_store.delete(file, services.now())
        services.file_store.note_removal(file, services.now())
    raise not_pending(upload.status) from error


def _file_id(upload: StoredUpload) -> str:
    return stored_file.file_id(upload.upload_id)
