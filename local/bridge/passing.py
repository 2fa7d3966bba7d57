"""Which headers pass the bridge, and the body of an answer on its way back."""

from collections.abc import Iterable, Iterator

import requests
import urllib3

from local.bridge.errors import FarSideError
from local.bridge.far_side import Pairs
from local.bridge.request_body import CHUNK

_HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
    *("proxy-authenticate", "proxy-authorization"),
}
# The bridge sends its own; and what else may be a secret of some other service stays on this machine.
#: Tells Batchyard where the bridge is, for the addresses that an answer holds.
PLACE = "batchyard-bridge"
_OWN = {PLACE, "host", "content-length", "authorization", "api-key", "x-api-key", "cookie", "origin"}
_FOR_CONTENT = {
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "user-agent",
}
_OF_CONTENT = {
    *("content-type", "content-length", "content-range", "content-disposition", "content-encoding"),
    *("accept-ranges", "etag", "last-modified", "date", "cache-control"),
}


def to_batchyard(headers: Pairs) -> list[tuple[str, str]]:
    """Return the headers of a caller that go on to Batchyard, with where the caller has reached the bridge."""
    place = next((f"http://{value}" for name, value in headers if name.lower() == "host"), None)
    passed = [(name, value) for name, value in headers if name.lower() not in _dropped(headers) | _OWN]
    return [*passed, (PLACE, place)] if place else passed


def to_s3(headers: Pairs) -> list[tuple[str, str]]:
    """Return the headers of a caller that go on to S3: content comes as its bytes are, so that its length is right."""
    return [
        *((name, value) for name, value in headers if name.lower() in _FOR_CONTENT),
        ("Accept-Encoding", "identity"),
    ]


def back(response: requests.Response, *, of_s3: bool) -> list[tuple[str, str]]:
    """Return the headers of an answer that go back to the caller."""
    headers = list(response.raw.headers.items())
    if of_s3:
        return [(name, value) for name, value in headers if name.lower() in _OF_CONTENT]
    return [(name, value) for name, value in headers if name.lower() not in _dropped(headers)]


def pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of an answer as it was sent; raises FarSideError if it breaks off."""
    try:
        yield from response.raw.stream(CHUNK, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise FarSideError("The answer broke off.") from error


def _dropped(headers: Iterable[tuple[str, str]]) -> set[str]:
    named = (value for name, value in headers if name.lower() == "connection")
    return _HOP_BY_HOP | {each.strip().lower() for value in named for each in value.split(",")}
