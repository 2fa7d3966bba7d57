"""Mend and read JSON that is not quite JSON: what it tells was paid for.

Services write a byte order mark, bytes that are not UTF-8, NaN, control characters in texts, half surrogate pairs, and
numbers without end.
"""

import json
import math
import re

import msgspec

LONGEST_NUMBER = 400  # characters; no number that is read is longer, and interpreters differ in what they read

# A pattern is compiled when it is first needed, as a cold start pays for each.
_ODD = r'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?Infinity|NaN'  # strings, as they may hold such words
_IN_STRING = (
    r"(?s)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a whole surrogate pair
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.|[\x00-\x1f]"
)
_HALF_PAIR = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_LACKS = "\\ufffd"  # U+FFFD, as an escape


def is_sound(text: bytes) -> bool:
    """Tell whether a text is UTF-8 and JSON; False also for what nests too deeply to tell."""
    try:
        text.isascii() or text.decode()
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def mended(text: bytes) -> bytes:
    """Return a JSON text as UTF-8 and JSON, and otherwise as it came: U+FFFD and null stand for what could not be read.

    A text that is broken in any other way, such as one that was cut off, stays so.
    """
    if is_sound(text):
        return text
    return re.sub(_ODD, _sound, text.decode("utf-8-sig", "replace")).encode()


def _sound(found: re.Match[str]) -> str:
    return re.sub(_IN_STRING, _sound_in_string, found[0]) if found[0].startswith('"') else "null"


def _sound_in_string(found: re.Match[str]) -> str:
    if len(found[0]) == 1:
        return f"\\u{ord(found[0]):04x}"
    return _LACKS if re.fullmatch(_HALF_PAIR, found[0]) else found[0]


def decode_mended(text: bytes) -> object:
    """Decode JSON that may need mending; null stands for a number without end. Raises ValueError for what is no JSON."""
    try:
        return json.loads(mended(text), parse_int=_whole, parse_float=_fraction)
    except json.JSONDecodeError as error:
        wrong = error.msg
    raise ValueError(wrong)  # alone: the other error holds the text, in which a service may echo the key


def _whole(digits: str) -> int | None:
    return int(digits) if len(digits) <= LONGEST_NUMBER else None


def _fraction(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
