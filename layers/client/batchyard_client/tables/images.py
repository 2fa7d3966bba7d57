"""The image of a row, as the address that a request carries."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_SHOWN: Final = 60
_ADDRESSES: Final = ("http", "https", "data")


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
