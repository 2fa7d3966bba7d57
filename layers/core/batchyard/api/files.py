"""OpenAI's five operations on files, over objects in the data bucket."""

import secrets
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from batchyard.api import file_rules, tenancy
from batchyard.api.file_rules import check_first_line, no_file, no_input, unknown
from batchyard.api.presigned import refresh
from batchyard.domain import nesting, object_keys, stored_file
from batchyard.domain.batch import BatchError, InputObject
from batchyard.domain.errors import ApiError, NotFound, StaleRecord, invalid_request, missing_parameter
from batchyard.domain.stored_file import BATCH, BATCH_OUTPUT, FILE_ID, LINK_LIFE, PROCESSED, StoredFile, shape
from batchyard.gateway.content import Content, large
from batchyard.gateway.form import Field, parse
from batchyard.gateway.paging import page_limit
from batchyard.services import Services

# Lambda takes 6 MiB, and API Gateway hands over a body in base64 with the headers beside it.
MOST_IN_FORM: Final = 4_500_000  # bytes
WAY_FOR_MORE: Final = "Send more in parts, by the Uploads API, or to the addresses that POST /v1/uploads/presign gives."
# An answer of Lambda holds 6 MiB, which are 4.5 MiB of bytes in base64.
MOST_INLINE: Final = 4_000_000  # bytes
MOST_LISTED: Final = 10_000
MOST_ANSWER, SHAPE_OVERHEAD = 5_000_000, 400  # bytes of a list; bytes of an entry without its name


def create_file(services: Services, tenant: str, content_type: str | None, body: bytes) -> dict[str, Any]:
    """Store the file of a multipart form."""
    if len(body) > MOST_IN_FORM:
        raise too_large(len(body))
    file, name, purpose, life = _checked(parse(content_type, body))
    file_id = stored_file.file_id(secrets.token_hex(16))
    key = object_keys.file(tenant, file_id)
    with tenancy.room_for(services, tenant, len(file.data)):
        version_id = services.file_bucket.put(key, file.data, life)
        made = stored_file.new(
            file_id, tenant, services.clock(), life, key=key, bytes=len(file.data), filename=name,
            purpose=purpose, version_id=version_id,
        )  # fmt: skip
        services.file_store.keep(made)
    return shape(made)


def retrieve_file(services: Services, tenant: str, file_id: str) -> dict[str, Any]:
    """Show a file; raises ApiError 404 if the tenant has no such file, or it has expired."""
    return shape(own(services, tenant, file_id))


def list_files(
    services: Services, tenant: str, *, purpose: str | None, limit: str | None, order: str | None, after: str | None
) -> dict[str, Any]:
    """List the tenant's files, newest first unless `order` is asc, behind the file `after`; an answer has at most 5 MB."""
    count, newest_first = page_limit(limit, MOST_LISTED, MOST_LISTED), _newest_first(order)
    position = _known(services, tenant, after).position if after else None
    data: list[dict[str, Any]] = []
    room, more = MOST_ANSWER, False
    for file in (
        services.file_store.files(tenant, services.now(), purpose or None, position, newest_first=newest_first)
        if count
        else ()
    ):
        room -= SHAPE_OVERHEAD + len(file.filename.encode("utf-8", "replace")) * 6  # an escape has six bytes
        if len(data) == count or room < 0:
            more = True
            break
        data.append(shape(file))
    # Clients generated from OpenAI's description demand both, as text.
    first, last = (data[0]["id"], data[-1]["id"]) if data else ("", "")
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}


def delete_file(services: Services, tenant: str, file_id: str) -> dict[str, Any]:
    """Delete a file for good; a batch that already reads the file goes on, and the bytes count until it has ended."""
    file = own(services, tenant, file_id)
    try:
        file = services.file_store.delete(file, services.now())
    except StaleRecord as error:
        raise unknown(file_id) from error
    _make_room(services, file)
    return {"id": file_id, "object": "file", "deleted": True}


def file_link(services: Services, tenant: str, file_id: str) -> dict[str, Any]:
    """Return a URL that gives a file of any size to its holder, and until when; raises ApiError 400 or 404."""
    file = _uploaded(services, tenant, file_id)
    until = services.now() + LINK_LIFE
    url = services.file_bucket.link(file)
    return {"object": "file.link", "url": url, "expires_at": until, "filename": file.filename, "bytes": file.bytes}


def file_content(services: Services, tenant: str, file_id: str, *, gzip: bool = False) -> Content:
    """Return the bytes of a small file, or the URL of a large one; with `gzip`, what is small when packed is packed."""
    file = _uploaded(services, tenant, file_id)
    link = partial(services.file_bucket.link, file)
    try:
        if file.bytes <= MOST_INLINE:
            return Content(filename=file.filename, data=services.file_bucket.read(file))
        if gzip:
            found, _ = services.bucket.head(file.key, file.version_id)
            return large(services.bucket.chunks, found, link, file.filename, MOST_INLINE)
    except NotFound as error:  # removed from the bucket by hand
        raise unknown(file_id) from error
    return Content(filename=file.filename, url=link())


def _uploaded(services: Services, tenant: str, file_id: str) -> StoredFile:
    file = own(services, tenant, file_id)
    if file.status != PROCESSED:
        raise ApiError(HTTPStatus.BAD_REQUEST, f"The content of {file_id} has not been uploaded yet.", param="id")
    return file


def input_of(services: Services, tenant: str, file_id: str) -> InputObject | None:
    """Pin the object of an input; None if the tenant has no such file, or the file has another purpose."""
    try:
        file = own(services, tenant, file_id)
        usable = file.purpose == BATCH and file.status == PROCESSED
        return _pinned(services, file) if usable else None
    except (ApiError, NotFound, StaleRecord):
        return None


def input_at(services: Services, key: str) -> InputObject | None:
    """Pin the object of an input by its key; None if there is none, or the object is of a file that is deleted or expired."""
    owner = object_keys.owner_of_file(key)
    try:
        file = services.file_store.file(owner[1]) if owner else None
    except NotFound:  # a person put it there
        file = None
    if file is not None and file.key != key:  # another tenant's id
        return None
    try:
        if file is None:
            return services.bucket.head(key)[0]
        return _pinned(services, file) if file.there(services.now()) else None
    except (NotFound, StaleRecord):
        return None


def why_no_input(services: Services, tenant: str, file_id: str) -> BatchError:
    """Say why `input_of` finds no object for this file."""
    try:
        return no_input(file_id, own(services, tenant, file_id))
    except ApiError:
        return no_input(file_id, None)


def own(services: Services, tenant: str, file_id: str) -> StoredFile:
    """Read a file of the tenant that is neither deleted nor expired; raises ApiError 404."""
    file = _known(services, tenant, file_id)
    if not file.there(services.now()):
        raise unknown(file_id)
    return refresh(services, file)


def too_large(size: int, way: str = WAY_FOR_MORE) -> ApiError:
    """Make the error of a form that is too large; the message says how more is sent."""
    message = f"The body has {size} bytes; a form carries at most {MOST_IN_FORM}. {way}"
    return ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message, code="file_too_large")


def _pinned(services: Services, file: StoredFile) -> InputObject:
    """Pin the object of a file that a batch is about to read: from now on its bytes stay until no batch reads them."""
    services.file_store.note_reader(file, services.now())
    return services.bucket.head(file.key, file.version_id)[0]


def _make_room(services: Services, file: StoredFile) -> None:
    """Remove the bytes of a file that was just deleted, unless a batch may read them: then the sweep does, later."""
    bucket, now = services.file_bucket, services.now()
    if file.status != PROCESSED and file.multipart_id is not None:
        bucket.abort(file, file.multipart_id)
    if file.writable(now):
        bucket.hold(file)
    elif file.read_at is not None or file.purpose == BATCH_OUTPUT:
        bucket.hide(file)  # a result was paid for: a person may still fetch it for some days
    if file.read_at is not None:
        return
    if file.version_id is not None:
        bucket.remove(file.key, file.version_id)
    if services.file_store.note_removal(file, now):
        services.quota_store.give_back(file.tenant, file.bytes, now)


def _known(services: Services, tenant: str, file_id: str) -> StoredFile:
    return tenancy.own(tenant, file_id, FILE_ID, services.file_store.file, unknown)


def _checked(fields: dict[str, Field]) -> tuple[Field, str, str, int | None]:
    """Return the file, its name, its purpose and its life in seconds, if they can be; raises ApiError 400."""
    file = fields.get("file")
    if file is None:
        raise missing_parameter("file")
    purpose = file_rules.check_purpose(fields["purpose"].text if "purpose" in fields else None)
    name = file_rules.check_filename(file.filename or "", purpose)
    if purpose == BATCH:
        try:
            check_first_line(file.data, whole=True)
        except ApiError as error:
            if file.filename is not None:
                raise
            raise no_file() from error
    return file, name, purpose, file_rules.check_life(_expires_after(fields), purpose)


def _expires_after(fields: dict[str, Field]) -> object:
    """Return the object that OpenAI's clients send as one field a member, and generated clients as one field of JSON."""
    given = {
        name: fields[f"expires_after[{name}]"].text
        for name in ("anchor", "seconds")
        if f"expires_after[{name}]" in fields
    }
    if given or "expires_after" not in fields:
        return given or None
    text = fields["expires_after"].text
    try:
        return nesting.decode(text)
    except ValueError:
        return text  # which is no object, and refused as such


def _newest_first(order: str | None) -> bool:
    if order not in {None, "", "asc", "desc"}:
        raise invalid_request(BatchError("invalid_value", "Invalid value: order must be 'asc' or 'desc'.", "order"))
    return order != "asc"
