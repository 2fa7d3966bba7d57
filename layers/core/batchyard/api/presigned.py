"""Files of any size that their owner sends straight to S3, to presigned URLs."""

import secrets
from http import HTTPStatus
from typing import Any, Final

from batchyard.api import file_rules, tenancy
from batchyard.api.file_rules import LARGEST_PUT, MOST_LINKS, unknown
from batchyard.domain import object_keys, stored_file
from batchyard.domain.errors import ApiError, NotFound, StaleRecord
from batchyard.domain.stored_file import FILE_ID, LINK_LIFE, PROCESSED, UPLOADED, StoredFile
from batchyard.services import Services

LARGEST: Final = 5_000_000_000_000  # bytes of an object in S3
USUAL_PART: Final = 1_000_000_000  # bytes


def presign_file(services: Services, tenant: str, body: object) -> dict[str, Any]:
    """Announce a file and return the URLs to which its bytes are PUT, within an hour.

    With `file_id` the file was announced before: the URLs are new, and those of parts that have come are left out.
    """
    file_id = file_rules.text_of(body, "file_id")
    if file_id is not None:
        return _again(services, tenant, file_id)
    wanted = file_rules.check_announced(body, LARGEST, "No object in S3 is larger.")
    part_bytes = file_rules.check_part_bytes(body, wanted.bytes)
    file_id = stored_file.file_id(secrets.token_hex(16))
    key = object_keys.file(tenant, file_id)
    with tenancy.room_for(services, tenant, wanted.bytes):
        whole = wanted.bytes <= LARGEST_PUT and part_bytes is None
        multipart_id = None if whole else services.file_bucket.begin(key, wanted.life)
        file = stored_file.new(
            file_id, tenant, services.clock(), wanted.life, key=key, bytes=wanted.bytes, filename=wanted.filename,
            purpose=wanted.purpose, status=UPLOADED, multipart_id=multipart_id, part_bytes=part_bytes,
            link_until=services.now() + LINK_LIFE if whole else None,
        )  # fmt: skip
        services.file_store.keep(file)
    return _shape(services, file, wanted.life, {})


def refresh(services: Services, file: StoredFile) -> StoredFile:
    """Look whether the bytes of a file have come, and return the file as it is now."""
    if file.status == PROCESSED:
        return file
    if file.multipart_id is not None:
        services.file_bucket.finish(file, file.multipart_id)
    try:
        found = services.bucket.head(file.key)[0]
        if found.size != file.bytes:
            return file
        return services.file_store.change(file.file_id, status=PROCESSED, version_id=found.version_id)
    except (NotFound, StaleRecord):  # the bytes are not there yet, or the file was deleted meanwhile
        return file


def _again(services: Services, tenant: str, file_id: str) -> dict[str, Any]:
    """Give new URLs for what has not come of a file that was announced; raises ApiError 404, or 409 if parts are gone."""
    file = tenancy.own(tenant, file_id, FILE_ID, services.file_store.file, unknown)
    if not file.there(services.now()):
        raise unknown(file_id)
    file = refresh(services, file)
    life = None if file.expires_at is None else file.expires_at - file.created_at
    try:
        if file.status != PROCESSED and file.multipart_id is None:
            file = services.file_store.change(file_id, link_until=services.now() + LINK_LIFE)
        parted = file.status != PROCESSED and file.multipart_id is not None
        there = services.file_bucket.parts(file, str(file.multipart_id)) if parted else {}
    except StaleRecord as error:  # deleted this very moment
        raise unknown(file_id) from error
    except NotFound as error:
        message = f"The parts of {file_id} are removed after seven days. Announce the file anew."
        raise ApiError(HTTPStatus.CONFLICT, message, code="upload_expired", param="file_id") from error
    return _shape(services, file, life, there)


def _shape(services: Services, file: StoredFile, life: int | None, there: dict[int, int]) -> dict[str, Any]:
    """Shape the file with the URLs of its parts; `there` are the sizes of the parts that have come, by number."""
    multipart_id, headers, parts = file.multipart_id, dict[str, str](), list[tuple[int, int, str]]()
    if file.status != PROCESSED and multipart_id is None:
        headers = services.file_bucket.put_headers(life)
        parts = [(1, file.bytes, services.file_bucket.put_link(file, life))]
    elif file.status != PROCESSED:
        missing = [(at, size) for at, size in enumerate(_sizes(file), start=1) if there.get(at) != size]
        parts = [(at, size, services.file_bucket.part_link(file, str(multipart_id), at, size)) for at, size in missing]
    upload = {
        "method": "PUT", "headers": headers, "expires_at": services.now() + LINK_LIFE,
        "parts": [{"number": at, "url": url, "bytes": size} for at, size, url in parts],
    }  # fmt: skip
    return {**stored_file.shape(file), "upload": upload}


def _sizes(file: StoredFile) -> list[int]:
    """Cut a file into parts of one size; the last part has the rest."""
    size = file.part_bytes or max(USUAL_PART, -(-file.bytes // MOST_LINKS))
    return [min(size, file.bytes - start) for start in range(0, file.bytes, size)]
