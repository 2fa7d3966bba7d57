"""One request, one answer: the URL, the headers and the key; redirects, refusals and reading."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import msgspec
import requests

from .credentials import Credentials, without_key
from .errors import APITimeoutError, BatchClientError, InvalidArgumentError, ProtocolError
from .foreign import FOREIGN, translate
from .http_info import HttpInfo
from .profiles import Profile
from .refusals import read_envelope, refusal
from .retry import Retrier, harmless
from .upload import UploadBody

T = TypeVar("T")

_READ_BYTES = 64 * 1024
_LARGEST_ANSWER = 64 * 1024 * 1024  # 10,000 files or 50,000 line errors stay far below
_LARGEST_REFUSAL = 1024 * 1024
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a request; `may_leave` lets redirects lead to another origin, where the key does not follow."""

    method: str
    path: str
    query: Mapping[str, str] = {}  # msgspec copies an empty default for each object
    headers: Mapping[str, str] = {}
    body: bytes | UploadBody | None = None
    may_leave: bool = False


class Transport:
    """Send calls to one service."""

    def __init__(
        self,
        session: requests.Session,
        base_url: str,
        profile: Profile,
        credentials: Credentials,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        retrier: Retrier,
    ) -> None:
        self.base_url, self._query = split_base_url(base_url)
        self.host = urlsplit(self.base_url).netloc
        self.profile = profile
        self.retrier = retrier
        self._session = session
        self._credentials = credentials
        self._headers = headers
        self._timeout = timeout

    def call(
        self,
        call: Call,
        read: Callable[[object], T],
        may_repeat: Callable[[BatchClientError], bool] = harmless,
    ) -> HttpInfo[T]:
        """Return what `read` makes of the answer's JSON; repeat the request after errors that `may_repeat`."""
        answer = self.retrier.run(lambda: self._answer(call), may_repeat)
        try:
            return HttpInfo(read(answer.data), answer.status, answer.headers)
        except ProtocolError as error:
            request_id = answer.request_id
            raise ProtocolError(error.message, status=answer.status, request_id=request_id) from error

    def _answer(self, call: Call) -> HttpInfo[object]:
        deadline = self.retrier.clock.monotonic() + self.retrier.policy.total
        response = self.open(call)
        with closing(response):
            body = self._read(response, _LARGEST_ANSWER, deadline)
        try:
            data = msgspec.json.decode(body) if body.strip() else None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            said = read_envelope(body, response.headers.get("content-type", "")).message
            request_id = response.headers.get("x-request-id")
            raise ProtocolError(said, status=response.status_code, request_id=request_id, retryable=True) from error
        return HttpInfo(data, response.status_code, response.headers)

    def open(self, call: Call) -> requests.Response:
        """Return an answer with status 2xx, its body still to read; the caller closes it.

        Follows redirects of GET. Raises the error that says what any other status means.
        """
        key = self._credentials.current()
        url = self._url(call)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._exchange(call, url, key)
            if 200 <= response.status_code < 300:
                return response
            with closing(response):
                if response.status_code not in _REDIRECTS:
                    raise self._refused(response, key)
                url = self._redirected(call, url, response)
        raise ProtocolError(f"{self.host} redirects without end")

    def _exchange(self, call: Call, url: str, key: str) -> requests.Response:
        request = self._prepared(call, url, key)
        settings = self._session.merge_environment_settings(request.url, {}, True, None, None)
        connect, read = self._timeout
        if isinstance(call.body, UploadBody):
            connect = max(connect, read)  # urllib3 bounds each send by the connect timeout
        try:
            return self._session.send(request, timeout=(connect, read), allow_redirects=False, **settings)
        except FOREIGN as error:
            raise translate(error, urlsplit(url).netloc) from error
        finally:
            request.headers.pop(self.profile.key_header, None)  # exceptions and answers keep the request

    def _prepared(self, call: Call, url: str, key: str) -> requests.PreparedRequest:
        headers = {"Accept": "application/json", **call.headers}
        if self._is_home(url):
            headers |= self._headers
        # An `auth` of our own keeps requests from putting in a password of ~/.netrc or of the session.
        request = requests.Request(call.method, url, headers=headers, data=call.body, auth=lambda prepared: prepared)
        prepared = self._session.prepare_request(request)
        if self._is_home(url):
            prepared.headers[self.profile.key_header] = self.profile.key_prefix + key
        return prepared

    def _url(self, call: Call) -> str:
        query = {**self._query, **self.profile.query, **call.query}
        text = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query.items())
        return f"{self.base_url}{call.path}" + (f"?{text}" if text else "")

    def _is_home(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.base_url)[:2]

    def _redirected(self, call: Call, url: str, response: requests.Response) -> str:
        location = response.headers.get("location", "")
        try:
            target = urljoin(url, location)
            secure = urlsplit(target).scheme == "https" or urlsplit(url).scheme == "http"
        except ValueError as error:
            raise ProtocolError(f"{self.host} redirects to nowhere", status=response.status_code) from error
        if not location or call.method != "GET" or not secure or not (call.may_leave or self._is_home(target)):
            raise ProtocolError(f"{self.host} redirects where we do not follow", status=response.status_code)
        return target

    def _refused(self, response: requests.Response, key: str) -> BatchClientError:
        status = response.status_code
        if status < 400:
            return ProtocolError(f"{self.host} answered with the unexpected status {status}", status=status)
        clock = self.retrier.clock
        try:
            body = self._read(response, _LARGEST_REFUSAL, clock.monotonic() + self.retrier.policy.total)
        except BatchClientError:
            body = b""  # the status says enough
        return refusal(status, response.headers, without_key(body, key), clock.time())

    def _read(self, response: requests.Response, limit: int, deadline: float) -> bytes:
        body = bytearray()
        try:
            while chunk := response.raw.read1(_READ_BYTES, decode_content=True):
                body += chunk
                if len(body) > limit:
                    raise ProtocolError(f"The answer of {self.host} is longer than {limit} bytes")
                if self.retrier.clock.monotonic() > deadline:
                    raise APITimeoutError(f"The answer of {self.host} does not end")
        except FOREIGN as error:
            raise translate(error, self.host) from error
        return bytes(body)


def split_base_url(base_url: str) -> tuple[str, dict[str, str]]:
    """Part a base URL into what stands before each path and the query that goes with every call.

    Raises InvalidArgumentError for anything but http(s) with a host and without a password.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        _ = parts.port  # reading it is what checks it
    except ValueError:
        usable = None
    if not usable:
        raise InvalidArgumentError("The base URL must be http(s)://host/path, without a password in it")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", dict(parse_qsl(parts.query))


def path_id(identifier: str) -> str:
    """Quote an id for a path.

    Raises InvalidArgumentError for an empty id and for dots, which would name another path.
    """
    if not identifier or not identifier.strip("."):
        raise InvalidArgumentError(f"{identifier!r} is no id")
    return quote(identifier, safe="")
