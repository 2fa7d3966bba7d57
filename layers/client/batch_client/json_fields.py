"""Read single members of JSON objects, and accept other forms of a value that cannot mislead."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

from .errors import ProtocolError

LONGEST_ID = 2_000  # bytes as UTF-8; real ids have up to some hundred
LONGEST_STATUS = 64  # characters of a status that is shown
LONGEST_NAME, LONGEST_TEXT = 200, 2_000  # characters; what is longer is cut
_LARGEST_NUMBER = 2**53  # beyond it JSON's readers disagree, and nothing that is counted is as much
_LATEST_TIME = 253_402_300_800  # the year 10000, where datetime ends
_LARGEST_CODE = 10**9  # no code is larger, and a number without a bound would be a long text


def time_from(value: object) -> int | None:
    """Read a time as Unix seconds: a number, a number as text, or ISO 8601 (UTC unless it says otherwise)."""
    seconds = _time_from_text(value) if isinstance(value, str) else int_from(value)
    return seconds if seconds is not None and 0 <= seconds < _LATEST_TIME else None


def code_from(value: object) -> str | None:
    """Read an error code as text; gateways also send numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_CODE:
        return str(value)
    return text_from(value, LONGEST_NAME)


def _time_from_text(text: str) -> int | None:
    with suppress(ValueError):  # text that is no number may be ISO 8601
        return int_from(float(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _timestamp(moment: datetime) -> int | None:
    try:
        return int(moment.timestamp())
    except (OverflowError, ValueError):
        return None


def object_from(value: object, what: str) -> Mapping[str, object]:
    """Read a JSON object, or raise ProtocolError."""
    if not isinstance(value, dict):
        raise ProtocolError(f"The answer is not a {what} object")
    return value


def required_id(fields: Mapping[str, object], what: str) -> str:
    """Read the member `id`, or raise ProtocolError."""
    found = id_from(fields, "id")
    if found is None:
        raise ProtocolError(f"The {what} has no id")
    return found


def id_from(fields: Mapping[str, object], name: str) -> str | None:
    """Read an id; an empty id counts as none. An id that is not text, is garbled or has no end is a ProtocolError."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ProtocolError(f"`{name}` is not text")
    if value and "\ufffd" in value:
        raise ProtocolError(f"`{name}` is garbled")
    if value and len(value.encode("utf-8", "surrogatepass")) > LONGEST_ID:
        raise ProtocolError(f"`{name}` is longer than {LONGEST_ID:,} bytes")
    return value or None


def text_from(value: object, longest: int = LONGEST_TEXT) -> str | None:
    """Read text, as much of it as `longest` characters; empty text counts as none."""
    return value[:longest] if isinstance(value, str) and value else None


def int_from(value: object) -> int | None:
    """Read a whole number; a number that nothing can be counted by is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_NUMBER:
        return None
    return int(value)
