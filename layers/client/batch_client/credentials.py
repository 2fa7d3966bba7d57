"""The API key, which is never printed."""

from collections.abc import Callable

from .errors import InvalidArgumentError


class Credentials:
    """Hold a key, or a function that is asked for the key before each request, so that keys can rotate."""

    def __init__(self, key: str | Callable[[], str]) -> None:
        self._ask = key if callable(key) else lambda: key

    def __repr__(self) -> str:
        return "Credentials(…)"

    def current(self) -> str:
        """Return the key for the next request, without white space around it.

        Raises InvalidArgumentError, which does not quote the key, for a key that cannot be sent in a header.
        """
        key = self._ask()
        key = key.strip() if isinstance(key, str) else ""
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidArgumentError("The API key is empty, or is not plain text that fits in a header")
        return key


def without_key(body: bytes, key: str) -> bytes:
    """Return the answer without the key, which some services quote."""
    return body.replace(key.encode(), b"[key]") if key else body
