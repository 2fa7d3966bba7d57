"""Send one request and read its answer: headers, key, redirects, refusals."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from copy import copy
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import requests

from . import nesting
from .address import Address
from .credentials import Credentials, hide_key, without_key, without_long_key
from .errors import APITimeoutError, BatchClientError, ProtocolError
from .http_info import HttpInfo
from .profiles import Profile
from .refusals import read_envelope, refusal
from .retry import Retrier, harmless
from .sources import Source
from .transport_errors import TRANSPORT_ERRORS, translate
from .upload import StreamedBody

T = TypeVar("T")

_SECRET = ("Authorization", "X-Amz-Security-Token")
_UNSIGNED = frozenset({"connection", "accept-encoding", "content-length", "user-agent"})  # proxies may change them
JSON = {"Content-Type": "application/json"}
_READ_BYTES = 64 * 1024
_LARGEST_ANSWER = 64 * 1024 * 1024  # of a request that was sent on its own, with pictures or sound
_LARGEST_OBJECT = 32 * 1024 * 1024  # 10,000 files or 100,000 line errors stay below
_MOST_VALUES = 2_000_000  # in one answer; each takes some hundred bytes once it is read
_LARGEST_REFUSAL = 1024 * 1024
_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_STALE_SECONDS = 15.0  # load balancers drop idle connections, some after 20 s and without closing them


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a request."""

    method: str
    #: The path below the base URL.
    path: str
    query: Mapping[str, str] = {}  # msgspec copies an empty default for each object
    headers: Mapping[str, str] = {}
    body: bytes | StreamedBody | None = None
    #: Whether redirects may lead to another origin, to which the key is not sent.
    may_leave: bool = False
    #: Whether it goes to where the service answers single requests.
    ordinary: bool = False
    #: The seconds to wait for the answer; None means those of the client.
    patience: float | None = None


class Transport:
    """Send calls to one service."""

    def __init__(
        self,
        session: requests.Session,
        address: Address,
        profile: Profile,
        credentials: Credentials,
        headers: Mapping[str, str],
        timeout: tuple[float, float],
        retrier: Retrier,
    ) -> None:
        self.address = address
        self.profile = profile
        self.retrier = retrier
        self._session = session
        self._credentials = credentials
        self._headers = headers
        self._timeout = timeout
        self._last_used = retrier.clock.time()
        self.meaning: Callable[[BatchClientError], BatchClientError] = _as_it_came

    def with_refusals(self, meaning: Callable[[BatchClientError], BatchClientError], **headers: str) -> "Transport":
        """Return one like this whose refusals have the meaning that a dialect gives them; `headers` go with each call, too."""
        other = copy(self)
        other.meaning, other._headers = meaning, {**self._headers, **headers}  # noqa: SLF001 - of the same class
        return other

    @property
    def paged(self) -> bool:
        """Tell whether the service's lists have pages."""
        return self.profile.facts.paging != "none"

    def call(
        self,
        call: Call,
        read: Callable[[object], T],
        may_repeat: Callable[[BatchClientError], bool] = harmless,
    ) -> HttpInfo[T]:
        """Return what `read` makes of the answer's JSON; repeat the request after errors that `may_repeat` accepts."""
        answer = self.retrier.run(lambda: self._answer(call), may_repeat)
        try:
            return HttpInfo(read(answer.data), answer.status, answer.headers)
        except ProtocolError as error:
            error.status, error.request_id = answer.status, answer.request_id
            raise

    def open(self, call: Call) -> requests.Response:
        """Return an answer with status 2xx, whose body the caller reads and closes.

        Redirects of a GET are followed. Any other status raises the error with its meaning.
        """
        return self._open(call, self._credentials.current())

    def fetch(self, call: Call, may_repeat: Callable[[BatchClientError], bool]) -> HttpInfo[bytes]:
        """Return an answer with status 2xx as it came; repeat the request after errors that `may_repeat` accepts."""
        return self.retrier.run(lambda: self._whole(call, self._credentials.current(), _LARGEST_ANSWER), may_repeat)

    def put(self, url: str, source: Source, headers: Mapping[str, str]) -> int:
        """PUT bytes once to an address elsewhere, without the key, and return the status; raises the error of a refusal."""
        request = requests.Request("PUT", url, headers=headers, data=source, auth=lambda prepared: prepared).prepare()
        request.url = url  # as it was signed
        settings = self._session.merge_environment_settings(url, {}, True, None, None)
        timeout = (max(self._timeout), self._timeout[1])  # urllib3 bounds each send by the connect timeout
        host = urlsplit(url).netloc
        try:
            response = self._session.send(request, timeout=timeout, allow_redirects=False, **settings)
        except TRANSPORT_ERRORS as error:
            raise translate(error, host) from error
        with closing(response):
            if 200 <= response.status_code < 300:
                return response.status_code
            raise self._refused(response, "")

    def _whole(self, call: Call, key: str, limit: int) -> HttpInfo[bytes]:
        body = bytearray()
        with closing(self._open(call, key)) as response:
            self._read_into(body, response, limit)
        return HttpInfo(without_long_key(bytes(body), key), response.status_code, response.headers)

    def _answer(self, call: Call) -> HttpInfo[object]:
        key = self._credentials.current()
        whole = self._whole(call, key, _LARGEST_OBJECT)
        body = whole.data
        if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
            raise ProtocolError(
                f"The answer of {self.address.host} holds more than {_MOST_VALUES:,} values", status=whole.status
            )
        try:
            data = nesting.decode(body) if body.strip() else None
        except ValueError as error:
            said = read_envelope(without_key(body, key), whole.headers.get("content-type", ""))
            request_id = whole.request_id
            raise ProtocolError(said.message, status=whole.status, request_id=request_id, retryable=True) from error
        return HttpInfo(data, whole.status, whole.headers)

    def _open(self, call: Call, key: str) -> requests.Response:
        url = self.address.url(call.path, call.query, ordinary=call.ordinary)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._exchange(call, url, key)
            if 200 <= response.status_code < 300:
                return response
            with closing(response):
                if response.status_code not in _REDIRECTS:
                    raise self._refused(response, key)
                url = self._redirected(call, url, response)
        raise ProtocolError(f"{self.address.host} redirects without end", status=response.status_code)

    def _exchange(self, call: Call, url: str, key: str) -> requests.Response:
        request = self._prepared(call, url, key)
        settings = self._session.merge_environment_settings(request.url, {}, True, None, None)
        connect, read = self._timeout[0], call.patience or self._timeout[1]
        if isinstance(call.body, StreamedBody):
            connect = max(connect, read)  # urllib3 bounds each send by the connect timeout
        self._drop_stale_connections(call, url)
        try:
            response = self._session.send(request, timeout=(connect, read), allow_redirects=False, **settings)
        except TRANSPORT_ERRORS as error:
            raise translate(error, urlsplit(url).netloc) from error
        finally:
            for name in (self.profile.key_header, *_SECRET):  # exceptions and answers keep the request
                request.headers.pop(name, None)
            self._last_used = self.retrier.clock.time()
        hide_key(response.headers, key)
        return response

    def _drop_stale_connections(self, call: Call, url: str) -> None:
        """Open a new connection for a POST after a pause; on a dead connection the POST's outcome would be unknown."""
        if call.method == "POST" and self.retrier.clock.time() - self._last_used > _STALE_SECONDS:
            self._session.get_adapter(url).close()

    def _prepared(self, call: Call, url: str, key: str) -> requests.PreparedRequest:
        headers = {"Accept": "application/json", **call.headers}
        if self.address.is_home(url):
            headers |= self._headers
        # With an `auth` of our own, requests adds no password of ~/.netrc or of the session.
        request = requests.Request(call.method, url, headers=headers, data=call.body, auth=lambda prepared: prepared)
        prepared = self._session.prepare_request(request)
        if call.method == "DELETE":
            prepared.headers.pop("Content-Length", None)  # there is no body, and OpenAI's SDK sends no length either
        if self.address.is_home(url):
            prepared.headers.update(self._proof(call, prepared, key))
        return prepared

    def _proof(self, call: Call, prepared: requests.PreparedRequest, key: str) -> Mapping[str, str]:
        """Return the header with the key, or those of a signature, for which a streamed body is read once more."""
        signer, profile = self._credentials.signer, self.profile
        if signer is None or profile.signing is None:
            return {profile.key_header: profile.key_prefix + key}
        body = [call.body] if isinstance(call.body, bytes) else call.body or []
        digest = hashlib.sha256()
        for chunk in body:
            digest.update(chunk)
        sent = {name: value for name, value in prepared.headers.items() if name.lower() not in _UNSIGNED}
        return signer.sign(profile.signing, call.method, prepared.url or "", sent, digest.hexdigest())

    def _redirected(self, call: Call, url: str, response: requests.Response) -> str:
        try:
            location = response.headers.get("location", "") if call.method == "GET" else ""
            return self.address.redirected(url, location, may_leave=call.may_leave)
        except ProtocolError as error:
            error.status = response.status_code
            raise

    def _refused(self, response: requests.Response, key: str) -> BatchClientError:
        status = response.status_code
        if status < 400:
            return ProtocolError(f"{self.address.host} answered with the unexpected status {status}", status=status)
        body = bytearray()
        with suppress(BatchClientError):  # the status says most, and the part of the body that came is used, too
            self._read_into(body, response, _LARGEST_REFUSAL)
        said, now = without_key(bytes(body), key), self.retrier.clock.time()
        return self.meaning(refusal(status, response.headers, said, now, self.profile.facts))

    def _read_into(self, body: bytearray, response: requests.Response, limit: int) -> None:
        clock = self.retrier.clock
        deadline = clock.monotonic() + self.retrier.policy.total
        try:
            while chunk := response.raw.read1(_READ_BYTES, decode_content=True):
                body += chunk
                if len(body) > limit:
                    raise ProtocolError(f"The answer of {self.address.host} is longer than {limit} bytes")
                if clock.monotonic() > deadline:
                    raise APITimeoutError(f"The answer of {self.address.host} does not end")
        except TRANSPORT_ERRORS as error:
            raise translate(error, self.address.host) from error


def _as_it_came(error: BatchClientError) -> BatchClientError:
    return error
