"""The data of an answer with its HTTP status and headers."""

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from .json_fields import LONGEST_NAME, text_from

T = TypeVar("T")

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|s|m|h|d))+"
_PART = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"


class RateLimit(msgspec.Struct, frozen=True):
    """Show one rate limit; a member is None if the service does not say it."""

    #: The most that the service allows.
    limit: int | None
    #: What is left of the limit.
    remaining: int | None
    #: The seconds until the limit is full again.
    reset: float | None


class HttpInfo(msgspec.Struct, Generic[T], frozen=True):
    """Carry the data of an answer with its HTTP status and headers."""

    data: T
    status: int
    #: The headers, by names in any case.
    headers: Mapping[str, str]

    @property
    def request_id(self) -> str | None:
        """Return the service's id of the request, for its support."""
        return request_id(self.headers)

    def rate_limit(self, of: str = "requests") -> RateLimit:
        """Read the `x-ratelimit-*` headers for `requests`, `tokens` or `project-tokens`."""
        read = {part: self.headers.get(f"x-ratelimit-{part}-{of}") for part in ("limit", "remaining", "reset")}
        return RateLimit(_count(read["limit"]), _count(read["remaining"]), _seconds(read["reset"]))


def request_id(headers: Mapping[str, str]) -> str | None:
    """Read the service's id of a request, as much of it as is not too long to be one."""
    known = (headers.get(name) for name in ("x-request-id", "request-id", "x-amzn-requestid"))
    return text_from(next(filter(None, known), None), LONGEST_NAME)


def _count(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,18}", text, re.ASCII) else None


def _seconds(text: str | None) -> float | None:
    if not text or not re.fullmatch(_DURATION, text):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in re.findall(_PART, text))
