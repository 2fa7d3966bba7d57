"""A value of a table as text, for a prompt or a CSV cell, and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec


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
