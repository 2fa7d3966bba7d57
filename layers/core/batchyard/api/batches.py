"""The operations on batches: OpenAI's four, and some of our own.

Statuses, codes and params follow OpenAI's API reference and recorded exchanges of the live service.
"""

from functools import partial
from http import HTTPStatus
from itertools import chain
from typing import Any, Final

from batchyard.api import early_rows, lost_create
from batchyard.api.batch_request import BatchRequest, check
from batchyard.api.create_batch import create_or_take_over
from batchyard.api.retry import retried
from batchyard.api.tenancy import own
from batchyard.domain import object_keys, statuses
from batchyard.domain.batch import Batch, BatchError, shape
from batchyard.domain.errors import ApiError, NotFound, StoreError, invalid_request
from batchyard.domain.numbers import MINUTE
from batchyard.gateway.content import Content, large
from batchyard.gateway.paging import LIMITS, number_of, page, page_limit
from batchyard.inspection import file_page
from batchyard.inspection.error_list import error_list
from batchyard.inspection.line_page import line_page
from batchyard.inspection.sent_lines import Wanted
from batchyard.inspection.shard_list import shard_list
from batchyard.providers.windows import windows_for
from batchyard.services import Services

MOST_INLINE: Final = (
    2_000_000  # bytes of a report; as text in JSON it may be twice as long, and an answer of Lambda holds 6 MB
)
OCTETS: Final = "application/octet-stream"
MOST_OCTETS: Final = 4_000_000  # bytes of another content, which is handed out in base64
MOST_PACKED: Final = 4_000_000  # bytes of a report as gzip, which is handed out in base64
OPENAI_WINDOW: Final = "24h"
ASK_EVERY: Final = MINUTE
BATCH_ID: Final = r"batch_[0-9a-f]{32}"


def create_batch(services: Services, tenant: str, body: object, idempotency_key: str | None = None) -> dict[str, Any]:
    """Create a batch from a file, or from an `s3://` in the data bucket; the same Idempotency-Key gives the same batch."""
    return shape(create_or_take_over(services, tenant, _checked(services, body), idempotency_key))


def of_schedule(services: Services, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read what the batches of a schedule have: their window, and members of the record; raises ApiError 400."""
    named = {name: value for name, value in body.items() if value is not None}
    given = {"completion_window": services.settings.completion_window, **named, "input_file_id": ""}
    wanted = _checked(services, given)
    return wanted.completion_window, {
        name: value for name, value in wanted.members().items() if name != "input_file_id"
    }


def _checked(services: Services, body: object) -> BatchRequest:
    usual = {OPENAI_WINDOW, services.settings.completion_window}
    named = body.get("provider") if isinstance(body, dict) else None
    windows = windows_for(services.accounts, named, usual)
    endpoints = [each.facts.endpoints for each in services.accounts.values()]
    return check(body, windows, services.accounts, frozenset(chain(*endpoints)))


def retrieve_batch(services: Services, tenant: str, batch_id: str) -> dict[str, Any]:
    """Show a batch; raises ApiError 404 if the tenant has no such batch."""
    return shape(_own(services, tenant, batch_id))


def list_batches(services: Services, tenant: str, after: str | None, limit: str | None) -> dict[str, Any]:
    """List the tenant's batches, newest first, behind the batch `after`; `limit` is 0 to 100, and 20 if absent."""
    if after is not None:
        _own(services, tenant, after)
    count = page_limit(limit, *LIMITS)
    batches, more = services.batch_store.list_batches(tenant, after, count) if count else ([], False)
    return page([shape(batch) for batch in batches], more=more)


def cancel_batch(services: Services, tenant: str, batch_id: str) -> dict[str, Any]:
    """Cancel a batch; a cancelled batch is shown as it is. Raises ApiError 409 if the batch ended otherwise."""
    batch, now = _own(services, tenant, batch_id), services.now()
    moved = services.batch_store.move_batch(batch_id, statuses.CANCELLING, now, shards_asked_at=now)
    batch = moved or services.batch_store.batch(batch_id)
    if batch.status in {statuses.COMPLETED, statuses.FAILED}:
        raise ApiError(HTTPStatus.CONFLICT, f"Cannot cancel a batch with status '{batch.status}'.")
    if moved or (batch.status == statuses.CANCELLING and _ask_shards(services, batch_id)):
        services.cancel_function.invoke({"batch_id": batch_id})
    return shape(batch)


def retry_batch(
    services: Services, tenant: str, batch_id: str, body: object, idempotency_key: str | None = None
) -> dict[str, Any]:
    """Make a batch of the lines without success of an ended batch; the answers of the others are taken over."""
    return shape(retried(services, _own(services, tenant, batch_id), body, idempotency_key))


def batch_rows(
    services: Services, tenant: str, batch_id: str, after: str | None, limit: str | None
) -> early_rows.EarlyRows:
    """Return rows of the results in input order, as far as they are complete; raises ApiError."""
    return early_rows.early_rows(services, _own(services, tenant, batch_id), after, limit)


def resume_batch(services: Services, tenant: str, batch_id: str, body: object) -> dict[str, Any]:
    """Try at once what a paused batch waits for; a batch that does not wait is shown as it is.

    The body may say what came of a create whose answer was lost; raises ApiError if nothing waits for that.
    """
    word, batch = lost_create.read(body), _own(services, tenant, batch_id)
    if word is not None:
        shard = lost_create.keep(services, batch, word)
        if shard is not None:
            services.advance_function.invoke({"batch_id": batch_id, "shard": shard})
    elif batch.why_waiting and not batch.ended:
        resume(services, batch_id)
    return shape(batch)


def batch_report(services: Services, tenant: str, batch_id: str, *, gzip: bool = False) -> Content:
    """Return the report.json of a batch, or the URL of a large one; raises ApiError 404 while there is none.

    With `gzip`, a large report that is small when packed is packed.
    """
    batch = _own(services, tenant, batch_id)
    try:
        found, _ = services.bucket.head(object_keys.result(batch.tenant, batch_id, object_keys.REPORT))
    except NotFound as error:
        yet = "." if batch.ended else " yet: it is written when the batch ends."
        message = f"The batch '{batch_id}' has no report{yet}"
        raise ApiError(HTTPStatus.NOT_FOUND, message) from error
    name = f"{batch_id}_report.json"
    if found.size <= MOST_INLINE:
        return Content(filename=name, data=services.bucket.get(found.key))
    link = partial(services.bucket.link, found, name)
    return large(services.bucket.chunks, found, link, name, MOST_PACKED) if gzip else Content(filename=name, url=link())


def batch_files(services: Services, tenant: str, batch_id: str, after: str | None, limit: str | None) -> dict[str, Any]:
    """List the files of an ended gathered batch, behind the number `after`; raises ApiError 400 or 404."""
    batch = _own(services, tenant, batch_id)
    return file_page.file_page(services, batch, number_of(after, "after", 0), page_limit(limit, *file_page.LIMITS))


def file_result(
    services: Services, tenant: str, batch_id: str, number: str, name: str, *, gzip: bool = False
) -> Content:
    """Return a result of one file of a gathered batch, or the URL of a large one; raises ApiError 400 or 404."""
    batch, at = _own(services, tenant, batch_id), number_of(number, "number", 0)
    found = file_page.result_of_file(services, batch, at, name)
    filename = f"{batch_id}_{at}_{name}"  # which no name of a user's file can make another one
    link = partial(services.bucket.link, found, filename, OCTETS)
    try:
        if found.size <= MOST_OCTETS:
            return Content(filename=filename, data=services.bucket.get(found.key))
        if gzip:
            return large(services.bucket.chunks, found, link, filename, MOST_OCTETS)
    except NotFound as error:  # removed at this moment
        raise _unknown(batch_id) from error
    return Content(filename=filename, url=link())


def batch_shards(
    services: Services, tenant: str, batch_id: str, after: str | None, limit: str | None, provider: str | None = None
) -> dict[str, Any]:
    """List the shards of a batch that have begun, behind the number `after`; raises ApiError 400 or 404."""
    batch = _own(services, tenant, batch_id)
    return shard_list(services, batch, number_of(after, "after", -1), page_limit(limit, *LIMITS), provider)


def batch_errors(services: Services, tenant: str, batch_id: str) -> dict[str, Any]:
    """Count the errors of a batch by their code, with sample lines; raises ApiError 404."""
    return error_list(services, _own(services, tenant, batch_id))


def batch_lines(
    services: Services, tenant: str, batch_id: str, first: str | None, limit: str | None, *,
    outcome: str | None = None, custom_id: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return lines of a batch with their answers, from the number `first` on; raises ApiError 400 or 404."""
    batch = _own(services, tenant, batch_id)
    if outcome not in {None, "failed"}:
        raise invalid_request(
            BatchError("invalid_value", "outcome must be 'failed', or absent for all lines.", "outcome")
        )
    wanted = Wanted(number_of(first, "from", 1), page_limit(limit, *LIMITS), outcome == "failed", custom_id)
    return line_page(services, batch, wanted)


def _own(services: Services, tenant: str, batch_id: str) -> Batch:
    return own(tenant, batch_id, BATCH_ID, services.batch_store.batch, _unknown)


def _unknown(batch_id: str) -> ApiError:
    return ApiError(HTTPStatus.NOT_FOUND, f"No batch found with id '{batch_id[:64]}'.")


def _ask_shards(services: Services, batch_id: str) -> bool:
    """Tell whether all shards may be asked again: each of them makes a call to the provider with the operator's key."""
    return services.batch_store.ask_shards(batch_id, services.now(), ASK_EVERY)


def resume(services: Services, batch_id: str) -> int:
    """Have the next step of every waiting shard played at once, and return how many; 0 if that was asked this very minute."""
    if not _ask_shards(services, batch_id):
        return 0
    waiting = [shard.shard for shard in services.batch_store.shards(batch_id) if shard.why_waiting and not shard.done]
    try:
        for number in waiting:
            services.advance_function.invoke({"batch_id": batch_id, "shard": number})
    except StoreError:  # the next call asks all of them again
        services.batch_store.change_batch(batch_id, shards_asked_at=0)
        raise
    return len(waiting)
