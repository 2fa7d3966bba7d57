"""What a person says of a create whose answer was lost, where the provider lists no batches: the body of a resume.

The word is kept on the record of the shard, whose next step verifies the word and goes by it (`shards/lost_create`).
"""

from http import HTTPStatus
from typing import Any, Final

import msgspec

from batchyard.domain.batch import Batch, BatchError
from batchyard.domain.errors import ApiError, StaleRecord, invalid_request
from batchyard.domain.numbers import MINUTE
from batchyard.domain.shard import Shard, with_attempt_members
from batchyard.services import Services

NAMED, SHARD = "provider_batch_id", "shard"
LONGEST_ID: Final = 512  # characters
MOST_SHOWN: Final = 10  # shards


class Word(msgspec.Struct, frozen=True):
    """A body that was checked."""

    #: The provider batch that the create made; None if it made none.
    provider_batch_id: str | None
    #: None where one shard alone waits for the word.
    shard: int | None


def read(body: object) -> Word | None:
    """Read the body of a resume; None if it has no member. Raises ApiError 400."""
    if not isinstance(body, dict):
        raise invalid_request(BatchError("invalid_type", "The body must be a JSON object, or be left out."))
    if wrong := _wrong(body):
        raise invalid_request(wrong)
    return Word(body[NAMED], body.get(SHARD)) if body else None


def _wrong(body: dict[str, Any]) -> BatchError | None:
    unknown = next((name for name in body if name not in {NAMED, SHARD}), None)
    if unknown is not None:
        return BatchError("unknown_parameter", f"Unknown parameter: '{unknown[:64]}'.", unknown[:64])
    named, shard = body.get(NAMED), body.get(SHARD)
    if body and NAMED not in body:
        message = f"Missing required parameter: '{NAMED}'. Send null if the provider has no such batch."
        return BatchError("missing_required_parameter", message, NAMED)
    if named is not None and not (isinstance(named, str) and 0 < len(named) <= LONGEST_ID and _is_plain(named)):
        message = f"'{NAMED}' must be the id of a batch at the provider, or null if there is none."
        return BatchError("invalid_value" if isinstance(named, str) else "invalid_type", message, NAMED)
    if shard is not None and (isinstance(shard, bool) or not isinstance(shard, int) or shard < 0):
        return BatchError("invalid_type", f"'{SHARD}' must be the number of a shard, from 0.", SHARD)
    return None


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def keep(services: Services, batch: Batch, word: Word) -> int | None:
    """Keep the word on the record of the shard that waits for it, and answer which; None if it was carried out before.

    Raises ApiError: 400 if the shard must be named; 409 if none waits for a word; 429 if it had one this very minute.
    """
    if batch.ended:
        raise _conflict(f"Cannot resume a batch with status '{batch.status}'.")
    shards = list(services.batch_store.shards(batch.batch_id))
    if any(_has(shard, word) for shard in shards if word.shard in {None, shard.shard}):
        return None
    shard, now = _chosen([shard for shard in shards if _waits(shard)], word), services.now()
    attempt, said = shard.attempts[-1], word.provider_batch_id or ""
    left = attempt.said_at + MINUTE - now
    if attempt.said is not None and attempt.said == said and left > 0:
        return shard.shard
    if left > 0:
        raise _too_soon(left)
    try:
        services.batch_store.save_shard(shard, with_attempt_members(shard, said=said, said_at=now, misnamed=None))
    except StaleRecord as error:
        message = f"Shard {shard.shard} went on meanwhile. Look at the batch, and send this again if it still waits."
        raise _conflict(message) from error
    return shard.shard


def _has(shard: Shard, word: Word) -> bool:
    """Tell whether the shard has the provider batch already that is named."""
    named, attempt = word.provider_batch_id, shard.attempt
    return named is not None and attempt is not None and attempt.provider_batch_id == named


def _waits(shard: Shard) -> bool:
    attempt = shard.attempt
    return (
        attempt is not None
        and attempt.unlisted
        and attempt.creating_at is not None
        and attempt.provider_batch_id is None
        and not shard.done
    )


def _chosen(waiting: list[Shard], word: Word) -> Shard:
    chosen = [shard for shard in waiting if word.shard in {None, shard.shard}]
    if len(chosen) == 1:
        return chosen[0]
    numbers = ", ".join(str(shard.shard) for shard in waiting[:MOST_SHOWN])
    numbers += ", …" if len(waiting) > MOST_SHOWN else ""
    if chosen:
        message = f"Shards {numbers} wait for this. Name one of them as '{SHARD}'."
        raise invalid_request(BatchError("missing_required_parameter", message, SHARD))
    which = "No shard of this batch" if word.shard is None else f"Shard {word.shard}"
    others = f" These wait: {numbers}." if waiting else " Leave the body out to resume the batch."
    raise _conflict(f"{which} waits to be told what came of a lost create; nothing was changed.{others}")


def _conflict(message: str) -> ApiError:
    return ApiError(HTTPStatus.CONFLICT, message)


def _too_soon(seconds: int) -> ApiError:
    message = f"This shard was told something else less than a minute ago. Try again in {seconds} seconds."
    error = ApiError(HTTPStatus.TOO_MANY_REQUESTS, message, code="rate_limit_exceeded")
    error.headers |= {"Retry-After": str(seconds), "x-should-retry": "true"}
    return error
