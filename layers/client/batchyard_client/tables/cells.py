"""A value of a table as text, for a prompt or a CSV cell, as JSON, and as the address of an image."""

import base64
import binascii
import json
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

_SHOWN: Final = 60
_FLOAT: Final = 4  # bytes of a number of a vector in base64
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?', re.DOTALL)  # of JSON, and whether it is a name
_ADDRESSES: Final = ("http", "https", "data")


class Written(float):
    """A number that is written as it stood in JSON: `1.10` and `1e3` stay, and digits that a float has no room for."""

    __slots__ = ("text",)
    text: str

    @property
    def whole(self) -> bool:
        """Tell whether the float alone says the same number."""
        return Decimal(self.text) == Decimal(float.__repr__(self))


def _number(text: str) -> float:
    value = float(text)
    if float.__repr__(value) == text:
        return value
    found = Written(value)
    found.text = text
    return found


#: Reads JSON whose numbers can be written again as they stood.
DECODE: Final = msgspec.json.Decoder(float_hook=_number).decode


#: Takes any number, whatever its size.
_CHECK: Final = msgspec.json.Decoder(float_hook=str)


def as_it_stands(text: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read JSON of a recipe: a number that would be written otherwise, as `-0` or `0.10`, is kept as its text.

    Raises msgspec.DecodeError, also for an integer of more than 4,300 digits, and UnicodeError.
    """
    _CHECK.decode(text)  # Python's reader takes more than JSON
    return json.loads(text, parse_float=_raw, parse_int=_raw)


def _raw(text: str) -> object:
    raw = text.encode()
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:  # beyond what a number of this machine holds
        return msgspec.Raw(raw)
    return value if msgspec.json.encode(value) == raw else msgspec.Raw(raw)


def name_twice(value: object, text: bytes) -> str | None:
    """Return a name that stands twice in one object of a JSON text, whose value readers would lose; None if none does."""
    if _names(value) == sum(map(bool, _STRING.findall(text))):
        return None
    twice: list[str] = []

    def seen(members: list[tuple[str, object]]) -> None:
        names = {name for name, _ in members}
        for name, _ in members if len(names) < len(members) else ():
            if name not in names:
                twice.append(name)
            names.discard(name)

    json.loads(text, object_pairs_hook=seen)
    return twice[0] if twice else None


def _names(value: object) -> int:
    """Count the names of members in a value, at any depth."""
    if isinstance(value, dict):
        return len(value) + sum(_names(each) for each in value.values() if isinstance(each, dict | list))
    return sum(_names(each) for each in value if isinstance(each, dict | list)) if isinstance(value, list) else 0


def constant_in(text: bytes) -> str | None:
    """Return NaN or Infinity if a text has one where JSON has numbers, as Python's own writer makes it."""
    found: list[str] = []
    with suppress(ValueError, RecursionError):  # what else is wrong, the reader says
        json.loads(text, parse_constant=found.append)
    return found[0] if found else None


def _of_others(value: object) -> object:
    """Turn numpy's numbers and arrays, and other mappings and sequences, into what JSON has."""
    if isinstance(value, Written):
        return msgspec.Raw(value.text.encode())
    for method in ("tolist", "item"):
        if callable(convert := getattr(value, method, None)):
            return convert()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"a value of the type {type(value).__name__} is neither text, number, date nor JSON")


#: Writes values as JSON: decimals as numbers, times as ISO 8601, bytes as base64, NaN as null.
JSON: Final = msgspec.json.Encoder(enc_hook=_of_others, decimal_format="number")


def cell_text(value: object) -> str:
    """Write a value, which is not None, as people write it; raise `TypeError` or `ValueError` where nothing fits."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    for kind, writer in _WRITERS.items():
        if isinstance(value, kind):
            return writer(value)
    return _json(value)


def without_durations(value: object) -> object:
    """Return a value with the durations in it as text, as a cell has them; JSON has no type for them."""
    if isinstance(value, timedelta):
        return str(value)
    if type(value) is dict:
        return {name: without_durations(each) for name, each in value.items()}
    return [without_durations(each) for each in value] if type(value) is list else value


def _json(value: object) -> str:
    """Write nested values as compact JSON, and the numbers and texts of other packages as their plain selves."""
    text = JSON.encode(without_durations(value)).decode()
    return str(msgspec.json.decode(text)) if text.startswith('"') else text


def _bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError("bytes that are no text; images go by the image column") from error


_WRITERS: Final[dict[type, Callable[[Any], str]]] = {
    str: str,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    Written: lambda value: value.text,
    float: float.__repr__,
    Decimal: lambda value: format(value, "f"),
    datetime: lambda value: value.isoformat(),
    date: lambda value: value.isoformat(),
    time: lambda value: value.isoformat(),
    timedelta: str,
    UUID: str,
    bytes: _bytes,
    Enum: lambda value: cell_text(value.value),
}


def image_address(value: object, folder: Path | None) -> str:
    """Return an address for an address, bytes, Hugging Face's dict with either, or a path; raise `ValueError` for others.

    A path is taken from the folder of the table. What is no image is never read into a request.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes | bytearray | memoryview):
        return _data(bytes(value), "these bytes")
    if not isinstance(value, str) or not value:
        raise ValueError(f"an image is an address, a path or bytes, not {type(value).__name__}")
    if urlsplit(value[:_SHOWN]).scheme.lower() in _ADDRESSES:
        return value
    path = (folder or Path()) / value
    try:
        return _data(path.read_bytes(), value[:_SHOWN])
    except OSError as error:
        raise ValueError(f"{value[:_SHOWN]} is no address, and no file that can be read: {error.strerror}") from error


def _data(image: bytes, name: str) -> str:
    return f"data:{_type(image, name)};base64,{base64.b64encode(image).decode()}"


def _type(image: bytes, name: str) -> str:
    """Tell the type of an image by its first bytes."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if image.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if image.startswith(b"RIFF") and image[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError(f"{name} is no image in PNG, JPEG, GIF or WebP")


def unpacked_vector(packed: str) -> list[float] | None:
    """Read a vector in base64, numbers of 32 bits with the lowest byte first; None if it is none."""
    try:
        data = base64.b64decode(packed, validate=True)
        return list(struct.unpack(f"<{len(data) // _FLOAT}f", data))
    except (binascii.Error, struct.error):
        return None
