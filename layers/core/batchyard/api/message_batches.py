"""Anthropic's operations on message batches, over batches of ours.

The same batches are in `/v1/batches`. A job that is larger than a request may be comes as a file of lines.
"""

import hashlib
import secrets
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from msgspec.structs import replace

from batchyard.api import batches, files, tenancy
from batchyard.api.batch_request import BatchRequest, check
from batchyard.api.create_batch import create_or_take_over
from batchyard.domain import object_keys, stored_file
from batchyard.domain.batch import BY_FILE, INLINE, Batch, BatchError, Counts
from batchyard.domain.errors import ApiError, NotFound, invalid_request
from batchyard.domain.numbers import DAY
from batchyard.domain.stored_file import BATCH
from batchyard.gateway.content import Content
from batchyard.gateway.paging import page_limit
from batchyard.lines.messages import MESSAGES
from batchyard.message_batches import shapes
from batchyard.message_batches.requests import lines_of
from batchyard.providers.routing import takes_url
from batchyard.providers.windows import windows_for, windows_of
from batchyard.services import Services

LIMITS: Final = (20, 1_000)  # entries of a page: usually, and at most
INPUT_LIFE: Final = 30 * DAY
FILENAME: Final = "requests.jsonl"
# What Batchyard cannot pass on is refused: a request without it may be answered otherwise. This one says what the route is.
KNOWN_BETAS: Final = frozenset({"message-batches-2024-09-24"})


def check_headers(betas: str | None, profile: str | None) -> None:
    """Raise ApiError 400 for a header that changes what the requests mean, and that goes with no line."""
    unknown = {name.strip() for name in (betas or "").split(",") if name.strip()} - KNOWN_BETAS
    if unknown:
        raise _refused(f"anthropic-beta: {sorted(unknown)[0][:64]} is not passed on. Leave the header out.")
    if profile:
        raise _refused("anthropic-user-profile-id: it is not passed on. Leave the header out.")


def create(
    services: Services, tenant: str, body: object, raw_body: bytes, origin: str, idempotency_key: str | None
) -> dict[str, Any]:
    """Create a batch of the requests in the body, or of the file that `input_file_id` names; raises ApiError."""
    if not isinstance(body, dict):
        raise _refused("The body must be a JSON object with `requests`.")
    given = {name: value for name, value in body.items() if name != "requests" and value is not None}
    if "input_file_id" in given and not body.get("requests"):
        batch = _of_file(services, tenant, given, idempotency_key)
    elif "input_file_id" in given:
        raise _refused("requests: Give an empty list beside `input_file_id`, or leave `input_file_id` out.")
    else:
        lines = lines_of(body.get("requests"), raw_body)
        batch = _of_lines(services, tenant, given, lines, idempotency_key)
    return shapes.shape(batch, origin)


def _of_file(services: Services, tenant: str, given: dict[str, Any], idempotency_key: str | None) -> Batch:
    file_id = given["input_file_id"]
    if isinstance(file_id, str) and file_id.startswith(f"s3://{services.settings.bucket}/{object_keys.INBOX}"):
        raise _refused("input_file_id: an upload to inbox/ makes a batch by itself. Put the file below files/.")
    wanted = _wanted(services, given, BY_FILE)
    if not file_id.startswith("s3://") and files.input_of(services, tenant, file_id) is None:
        raise _refused(f"input_file_id: {files.why_no_input(services, tenant, file_id).message}")
    return create_or_take_over(services, tenant, wanted, idempotency_key)


def _of_lines(
    services: Services, tenant: str, given: dict[str, Any], lines: list[bytes], idempotency_key: str | None
) -> Batch:
    """Keep the lines as a file of the tenant, and create its batch; a repeated request with a key keeps the same file."""
    data = b"".join(lines)
    cause = (idempotency_key, hashlib.sha256(data).hexdigest()) if idempotency_key else (secrets.token_hex(16),)
    file_id = stored_file.file_id(tenant, FILENAME, *cause)
    wanted = _wanted(services, {**given, "input_file_id": file_id}, INLINE, counts=Counts(len(lines)))
    if not _is_kept(services, file_id):
        _keep(services, tenant, file_id, data)
    try:
        return create_or_take_over(services, tenant, wanted, idempotency_key)
    except ApiError:
        if idempotency_key is None:  # else the same request may come again
            files.delete_file(services, tenant, file_id)
        raise


def _is_kept(services: Services, file_id: str) -> bool:
    try:
        services.file_store.file(file_id)
    except NotFound:
        return False
    return True


def _keep(services: Services, tenant: str, file_id: str, data: bytes) -> None:
    key = object_keys.file(tenant, file_id)
    with tenancy.room_for(services, tenant, len(data)):
        version_id = services.file_bucket.put(key, data, INPUT_LIFE)
        made = stored_file.new(
            file_id, tenant, services.clock(), INPUT_LIFE, key=key, bytes=len(data), filename=FILENAME, purpose=BATCH,
            version_id=version_id,
        )  # fmt: skip
        services.file_store.keep(made)


def _wanted(services: Services, given: dict[str, Any], way: str, **members: Any) -> BatchRequest:  # noqa: ANN401 - members of Batch
    """Check the members that are ours, and return the request for a batch whose results are wanted in Anthropic's shape."""
    window = _window(services, given.get("provider"))
    windows = windows_for(services.accounts, given.get("provider"), {window})
    wanted = check({**given, "endpoint": MESSAGES, "completion_window": window}, windows, services.accounts)
    return replace(wanted, options={**wanted.options, "messages_input": way, **members})


def _window(services: Services, provider: object) -> str:
    """Return the window of the stack, or the first one of a provider of messages, if none of these has that of the stack."""
    usual, accounts = services.settings.completion_window, services.accounts.items()
    theirs = [
        windows_of(each) for name, each in accounts if provider in (None, name) and takes_url(each.entry, MESSAGES)
    ]
    if not theirs or any(each.take(usual) for each in theirs):
        return usual
    return next(each.named[0] for each in theirs if each.named)


def retrieve(services: Services, tenant: str, message_batch_id: str, origin: str) -> dict[str, Any]:
    """Show a batch; raises ApiError 404 if the tenant has no such batch here."""
    return shapes.shape(_own(services, tenant, message_batch_id), origin)


def list_batches(
    services: Services, tenant: str, origin: str, *, after_id: str | None, before_id: str | None, limit: str | None
) -> dict[str, Any]:
    """List the tenant's batches, newest first: those older than `after_id`, or the next ones newer than `before_id`."""
    if after_id and before_id:
        raise _refused("before_id: Give it or `after_id`, not both.")
    count = page_limit(limit, *LIMITS)
    if count == 0:
        raise _refused("limit: It must be at least 1.")
    named = after_id or before_id
    edge = _own(services, tenant, named).batch_id if named else None
    newest_first = before_id is None
    found, more = services.batch_store.list_batches(tenant, edge, count, newest_first=newest_first, messages=True)
    return shapes.page(found if newest_first else found[::-1], origin, more=more)


def cancel(services: Services, tenant: str, message_batch_id: str, origin: str) -> dict[str, Any]:
    """Cancel a batch; a cancelled one is shown as it is. Raises ApiError 409 if the batch ended otherwise."""
    batch = _own(services, tenant, message_batch_id)
    batches.cancel_batch(services, tenant, batch.batch_id)
    return shapes.shape(services.batch_store.batch(batch.batch_id), origin)


def results(services: Services, tenant: str, message_batch_id: str, *, gzip: bool) -> Content:
    """Return the results, or the URL of large ones; raises ApiError 404 while there are none."""
    batch = _own(services, tenant, message_batch_id)
    if batch.messages_file_id is None:
        why = f"GET /v1/batches/{batch.batch_id} says why" if batch.ended else "It has not ended yet"
        raise ApiError(HTTPStatus.NOT_FOUND, f"There are no results of {message_batch_id}. {why}.")
    return files.file_content(services, tenant, batch.messages_file_id, gzip=gzip)


def delete(services: Services, tenant: str, message_batch_id: str) -> dict[str, Any]:
    """Delete an ended batch's results, and its requests if they came inline; raises ApiError 400 before the end."""
    batch = _own(services, tenant, message_batch_id)
    if not batch.ended:
        raise _refused(f"{message_batch_id[:64]} has not ended. Cancel it, wait for its end, and delete it then.")
    inputs = [batch.input_file_id] if batch.messages_input == INLINE else []
    for file_id in (batch.messages_file_id, batch.output_file_id, batch.error_file_id, *inputs):
        if file_id is not None:
            with suppress(ApiError):  # it is deleted or has expired already
                files.delete_file(services, tenant, file_id)
    services.batch_store.hide_batch(batch.batch_id, services.now())
    return shapes.deleted(batch)


def _own(services: Services, tenant: str, message_batch_id: str) -> Batch:
    wanted = shapes.batch_id_of(message_batch_id)
    batch = tenancy.own(
        tenant, wanted, batches.BATCH_ID, services.batch_store.batch, lambda _: _unknown(message_batch_id)
    )
    if batch.messages_input is None or batch.deleted_at is not None:
        raise _unknown(message_batch_id)
    return batch


def _unknown(message_batch_id: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, f"There is no message batch {message_batch_id[:64]!r}.")


def _refused(sentence: str) -> ApiError:
    return invalid_request(BatchError("invalid_value", sentence))
