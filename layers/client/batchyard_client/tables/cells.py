"""A value of a table as text, for a prompt or a CSV cell, as JSON, and as the address of an image."""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

_SHOWN: Final = 60
_ADDRESSES: Final = ("http", "https", "data")


def _of_others(value: object) -> object:
    """Turn numpy's numbers and arrays, and other mappings and sequences, into what JSON has."""
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


def _json(value: object) -> str:
    """Write nested values as compact JSON, and the numbers and texts of other packages as their plain selves."""
    text = JSON.encode(value).decode()
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
