"""Cut one page out of a list as the provider does."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from local.emulator.errors import ApiError


def page(
    request: Request,
    items: list[dict[str, Any]],
    unknown: Callable[[str], ApiError],
    wanted: Callable[[dict[str, Any]], bool] = lambda _: True,
    *,
    default: int,
    most: int,
) -> dict[str, Any]:
    """Return the page of `wanted` items that `after` and `limit` ask for; raise the error of an unknown `after`."""
    limit = _limit(request, default, most)
    after = request.query_params.get("after")
    if after:
        ids = [item["id"] for item in items]
        if after not in ids:
            raise unknown(after)
        items = items[ids.index(after) + 1 :]
    items = [item for item in items if wanted(item)]
    data = items[:limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": bool(limit) and len(items) > limit,
    }


def _limit(request: Request, default: int, most: int) -> int:
    text = request.query_params.get("limit")
    if text is None:
        return default
    try:
        limit = int(text)
    except ValueError:
        message = f"Invalid type for 'limit': expected an integer, but got '{text}'."
        raise ApiError(400, message, param="limit", code="invalid_type") from None
    if limit > most:
        message = f"Invalid 'limit': integer above maximum value. Expected a value <= {most}, but got {limit} instead."
        raise ApiError(400, message, param="limit", code="integer_above_max_value")
    if limit < 0:
        message = f"Invalid 'limit': integer below minimum value. Expected a value >= 0, but got {limit} instead."
        raise ApiError(400, message, param="limit", code="integer_below_min_value")
    return limit
