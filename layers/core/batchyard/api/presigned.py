"""Files of any size that their owner sends straight to S3, to presigned URLs."""

import secrets
from typing import Any, Final

from batchyard.api import tenancy, upload_rules
from batchyard.domain import object_keys, stored_file
from batchyard.domain.errors import NotFound, StaleRecord
from batchyard.domain.stored_file import LINK_LIFE, PROCESSED, UPLOADED, StoredFile
from batchyard.services import Services

LARGEST_PUT: Final = 5_000_000_000  # bytes that S3 takes in one request
LARGEST: Final = 5_000_000_000_000  # bytes of an object in S3
MOST_LINKS: Final = 1_000  # each has less than 2 kB, and an answer holds 6 MB
USUAL_PART: Final = 1_000_000_000  # bytes
SMALLEST_PART: Final = 5 * 1024 * 1024  # bytes that S3 takes of any part but the last


def presign_file(services: Services, tenant: str, body: object) -> dict[str, Any]:
    """Announce a file and return the URLs to which its bytes are PUT, in their order, within an hour."""
    wanted = upload_rules.check(body, LARGEST, "No object in S3 is larger.")
    part = upload_rules.check_part_bytes(body, SMALLEST_PART, LARGEST_PUT)
    file_id = stored_file.file_id(secrets.token_hex(16))
    key = object_keys.file(tenant, file_id)
    with tenancy.room_for(services, tenant, wanted.bytes):
        whole = wanted.bytes <= (part or LARGEST_PUT)
        multipart_id = None if whole else services.file_bucket.begin(key, wanted.life)
        file = stored_file.new(
            file_id, tenant, services.clock(), wanted.life, key=key, bytes=wanted.bytes, filename=wanted.filename,
            purpose=wanted.purpose, status=UPLOADED, multipart_id=multipart_id,
            link_until=services.now() + LINK_LIFE if whole else None,
        )  # fmt: skip
        services.file_store.keep(file)
    return {**stored_file.shape(file), "upload": _upload(services, file, wanted.life, part or USUAL_PART)}


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


def _upload(services: Services, file: StoredFile, life: int | None, part: int) -> dict[str, Any]:
    if file.multipart_id is None:
        headers, urls, sizes = (
            services.file_bucket.put_headers(life),
            [services.file_bucket.put_link(file, life)],
            [file.bytes],
        )
    else:
        headers, sizes = {}, _sizes(file.bytes, part)
        urls = [
            services.file_bucket.part_link(file, file.multipart_id, at, size) for at, size in enumerate(sizes, start=1)
        ]
    parts = [{"url": url, "bytes": size} for url, size in zip(urls, sizes, strict=True)]
    return {"method": "PUT", "headers": headers, "expires_at": services.now() + LINK_LIFE, "parts": parts}


def _sizes(whole: int, part: int) -> list[int]:
    """Cut a file into parts of `part` bytes, or more where there would be too many; the last part has the rest."""
    size = max(part, -(-whole // MOST_LINKS))
    return [min(size, whole - start) for start in range(0, whole, size)]
