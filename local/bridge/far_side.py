"""The far side: Batchyard's HTTP API, which gets the key, and S3, which never does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from local.bridge.errors import FarSideError

MOST_CONNECTIONS = 64
TIMEOUT = (10.0, 120.0)  # seconds: to connect, and between two bytes
VERSION_PREFIX = "/v1"
_LOCAL = ("127.0.0.1", "localhost", "::1")
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 3


class Body(Protocol):
    """Bytes of a known length, sent piece by piece: such an object gets a Content-Length, and is never read whole."""

    def __len__(self) -> int:
        """Return the number of bytes."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes."""


Pairs = Sequence[tuple[str, str]]


class FarSide:
    """The one place that sends anything."""

    def __init__(self, base_url: str, key: str) -> None:
        """Use Batchyard at `base_url`, which ends in /v1, with this key; raises ValueError for any other address."""
        parts = urlsplit(base_url.rstrip("/"))
        if parts.scheme not in {"http", "https"} or not parts.hostname or not parts.path.endswith(VERSION_PREFIX):
            raise ValueError("BATCHYARD_URL must be the whole address of the API, as in https://…/v1.")
        if parts.scheme == "http" and parts.hostname not in _LOCAL and not parts.hostname.endswith(".localhost"):
            raise ValueError("BATCHYARD_URL must begin with https://, or the key would travel in the clear.")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("BATCHYARD_KEY must be a key as `make key` printed it.")
        self._root = parts._replace(query="", fragment="").geturl().removesuffix(VERSION_PREFIX)
        self._key = key
        self._session = requests.Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=MOST_CONNECTIONS))

    def call(
        self, method: str, target: str, headers: Pairs = (), body: Body | bytes | None = None
    ) -> requests.Response:
        """Ask Batchyard, and return the answer with its body unread; `target` begins with /v1. Raises FarSideError."""
        return self._send(
            method, self._root + target, {**_joined(headers), "Authorization": f"Bearer {self._key}"}, body
        )

    def follow(self, response: requests.Response, headers: Pairs) -> requests.Response:
        """Return what lies where a redirect leads, asked for without the key."""
        for _ in range(_MOST_REDIRECTS):
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            url = requests.compat.urljoin(response.url, location)
            response = self._send("GET", url, _joined(headers), None)
        response.close()
        raise FarSideError("The redirect to the content leads to further redirects.")

    def put(self, url: str, headers: Mapping[str, str], body: Body) -> int:
        """Send bytes to a presigned address, without the key, and return the status of the answer."""
        with self._send("PUT", url, headers, body) as response:
            return response.status_code

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: Body | bytes | None) -> requests.Response:
        data: Iterable[bytes] | bytes | None = body if body is not None and len(body) else None
        try:
            prepared = requests.Request(method, url, headers=headers, data=data).prepare()
            prepared.url = url  # as the caller wrote it
            usual = self._session.merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
            return self._session.send(prepared, allow_redirects=False, timeout=TIMEOUT, **usual)
        except (requests.RequestException, ValueError) as error:
            host = urlsplit(url).hostname
            raise FarSideError(f"{host} did not answer ({_reason(error)}).") from error


def _joined(headers: Pairs) -> dict[str, str]:
    """Put headers of one name into one header."""
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name.lower()] = f"{joined[name.lower()]}, {value}" if name.lower() in joined else value
    return joined


def _reason(error: Exception) -> str:
    """Say what is wrong without the address, which may hold a signature."""
    kinds = {
        requests.ConnectTimeout: "it took too long to connect",
        requests.Timeout: "it took too long",
        requests.exceptions.SSLError: "its certificate is not trusted",
        requests.exceptions.ProxyError: "the proxy failed",
        requests.ConnectionError: "the connection failed",
    }
    return next((words for kind, words in kinds.items() if isinstance(error, kind)), type(error).__name__)
