"""A service without sockets: an adapter for requests that plays prepared answers, and a clock that only sleeps advance."""

import io
import json
from collections.abc import Callable, Iterable, Mapping

import msgspec
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from batch_client import BatchClient, Profile, RetryPolicy

KEY = "sk-made-up-key"


class FakeClock:
    """Be the time; waiting takes none of ours."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Sent(msgspec.Struct, frozen=True):
    """What reached the service."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True):
    """What the service says; `cut` bytes of the body are lost on the way."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}
    length: bool = True
    cut: int = 0


Step = Answer | Exception | Callable[[Sent], Answer]


def answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(json.dumps(data).encode(), status, {"content-type": "application/json", **(headers or {})})


class FakeService(BaseAdapter):
    """Play the steps one by one; the last one stays."""

    def __init__(self, steps: Iterable[Step]) -> None:
        super().__init__()
        self.steps = list(steps)
        self.sent: list[Sent] = []
        #: how long each was to be waited for: for a connection, and for an answer
        self.timeouts: list[tuple[float, float]] = []
        self.closed = 0

    def send(  # type: ignore[override]  # the rest of requests' parameters goes unread
        self, request: requests.PreparedRequest, timeout: tuple[float, float] = (0, 0), **_: object
    ) -> requests.Response:
        self.timeouts.append(timeout)
        body = request.body or b""
        whole = body.encode() if isinstance(body, str) else b"".join(body) if not isinstance(body, bytes) else body
        sent = Sent(request.method or "", request.url or "", dict(request.headers), whole)
        self.sent.append(sent)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return _response(request, step if isinstance(step, Answer) else step(sent))

    def close(self) -> None:
        self.closed += 1


def _response(request: requests.PreparedRequest, step: Answer) -> requests.Response:
    headers = dict(step.headers)
    if step.length and "content-length" not in headers:
        headers["content-length"] = str(len(step.body))
    body = io.BytesIO(step.body[: len(step.body) - step.cut])
    raw = urllib3.HTTPResponse(body=body, headers=headers, status=step.status, preload_content=False)
    return HTTPAdapter().build_response(request, raw)


def client_of(
    *steps: Step,
    base_url: str = "https://service.test/v1",
    api_key: str | Callable[[], str] = KEY,
    profile: str | Profile | None = None,
    retry: RetryPolicy | None = None,
    clock: FakeClock | None = None,
    random: Callable[[], float] = lambda: 0.5,
) -> tuple[BatchClient, FakeService]:
    """Build a client whose service plays `steps`."""
    service = FakeService(steps)
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", service)
    session.mount("http://", service)
    client = BatchClient(
        api_key,
        base_url,
        session=session,
        profile=profile,
        retry=retry,
        clock=clock or FakeClock(),
        random=random,
    )
    return client, service


def refused() -> requests.ConnectionError:
    """Be the error of a port nobody listens on: nothing was sent."""
    pool = urllib3.HTTPConnectionPool("service.test")
    reason = urllib3.exceptions.NewConnectionError(urllib3.connection.HTTPConnection("service.test"), "refused")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, "/", reason))


def proxy_refused() -> requests.exceptions.ProxyError:
    """Be the error of a proxy that lets nothing through."""
    pool = urllib3.HTTPConnectionPool("service.test")
    reason = urllib3.exceptions.ProxyError("Unable to connect to proxy", OSError())
    return requests.exceptions.ProxyError(urllib3.exceptions.MaxRetryError(pool, "/", reason))


def reset() -> requests.ConnectionError:
    """Be the error of a connection that broke while the answer was awaited."""
    return requests.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset"))
    )


BATCH = {
    "id": "batch_00000000000000000000000000000001",
    "object": "batch",
    "endpoint": "/v1/responses",
    "model": None,
    "errors": None,
    "input_file_id": "file-AAAAAAAAAAAAAAAAAAAAAA",
    "completion_window": "24h",
    "status": "validating",
    "output_file_id": None,
    "error_file_id": None,
    "created_at": 1790000000,
    "in_progress_at": None,
    "expires_at": 1790086400,
    "finalizing_at": None,
    "completed_at": None,
    "failed_at": None,
    "expired_at": None,
    "cancelling_at": None,
    "cancelled_at": None,
    "request_counts": {"total": 0, "completed": 0, "failed": 0},
    "usage": None,
    "metadata": {"run": "7"},
}
FILE = {
    "id": "file-AAAAAAAAAAAAAAAAAAAAAA",
    "object": "file",
    "bytes": 3,
    "created_at": 1790000000,
    "expires_at": 1792592000,
    "filename": "requests.jsonl",
    "purpose": "batch",
    "status": "processed",
    "status_details": None,
}


def envelope(code: str | None, message: str = "no", **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code, **more}}


def page(*items: Mapping[str, object], has_more: bool | None = False, **more: object) -> dict[str, object]:
    known = {} if has_more is None else {"has_more": has_more}
    return {"object": "list", "data": list(items), **known, **more}


def lost_answers() -> list[Step]:
    """List what comes in place of an answer after which nobody knows what was done."""
    return [
        reset(),
        requests.ReadTimeout(),
        answer(envelope(None), 500),
        Answer(b"<html>Bad gateway</html>", 502),
        Answer(b"", 504),
        Answer(b"", 408),
        Answer(b"<html>Sign in</html>", 200),
        Answer(b"", 200),
    ]
