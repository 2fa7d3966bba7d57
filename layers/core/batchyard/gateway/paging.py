"""The pages of a list, as OpenAI shapes them."""

from collections.abc import Sequence
from typing import Any, Final

from batchyard.domain.batch import BatchError
from batchyard.domain.errors import invalid_request
from batchyard.domain.numbers import whole

LIMITS: Final = (20, 100)  # entries of a page: usually, and at most


def page(data: Sequence[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """Shape a page; `more` says whether more entries follow."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}


def page_limit(text: str | None, usual: int, most: int) -> int:
    """Read the `limit` of a page, which is `usual` if it is absent and at most `most`; raises ApiError 400."""
    if not text:
        return usual
    limit = whole(text)
    if limit is None:
        raise invalid_request(BatchError("invalid_type", f"limit must be a whole number, not '{text[:20]}'.", "limit"))
    if limit > most:
        raise invalid_request(
            BatchError("integer_above_max_value", f"limit must be at most {most}, not {text}.", "limit")
        )
    if limit < 0:
        raise invalid_request(BatchError("integer_below_min_value", f"limit must be at least 0, not {text}.", "limit"))
    return limit


def number_of(text: str | None, name: str, absent: int) -> int:
    """Read the number with which a page begins; raises ApiError 400 for anything else than a number of no less than 0."""
    if not text:
        return absent
    number = whole(text)
    if number is None or number < 0:
        message = f"{name} must be a whole number of at least 0, not '{text[:20]}'."
        raise invalid_request(BatchError("invalid_type", message, name))
    return number
