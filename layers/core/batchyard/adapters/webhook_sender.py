"""Calls to the addresses of tenants: never to a private address, and only the status of the answer is read."""

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_hardened.ip_filter import InvalidIPAddress
from requests_hardened.ip_filter_adapter import IPFilterAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError

from batchyard.domain.errors import DeliveryFailed
from batchyard.domain.webhook_endpoint import public

DEADLINE: Final = 10.0  # seconds for all of a call: its name, connection, TLS and the head of its answer
TIMEOUT: Final = (5.0, DEADLINE)  # seconds to connect, and between two pieces of the answer


class _PublicOnly(IPFilterAdapter):  # type: ignore[misc]  # the library ships no types
    """Look a name up once, refuse an address that is not public, and connect to the address that was checked.

    The library lets some ranges of IPv6 pass that reach no public host; `webhook_endpoint.public` refuses them.
    """

    def __init__(self) -> None:
        super().__init__(is_https_proto=True)

    def build_connection_pool_key_attributes(self, *request: Any, **more: Any) -> Any:  # noqa: ANN401 - as inherited
        host, pool = super().build_connection_pool_key_attributes(*request, **more)
        if not public(host["host"].strip("[]")):
            raise InvalidIPAddress(host["host"])
        return host, pool


class WebhookSender:
    """Post to the URLs of tenants."""

    def __init__(self, *, private: bool) -> None:
        """With `private`, call any address, also by plain http."""
        self._private = private

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Post a body and return the status of the answer, whatever it is; raises DeliveryFailed if there is no answer.

        All of the call has `DEADLINE` seconds, however slowly bytes come. No redirect is followed, no proxy is used, and the
        body of the answer is never read.
        """
        opened = _Opened()
        call: Future[int] = Future()
        # A thread makes the call, because nothing else can leave the look-up of a name, or a server that sends byte by byte.
        request = requests.Request("POST", url, headers, data=body)
        threading.Thread(target=_settle, args=(call, lambda: self._send(request, opened)), daemon=True).start()
        try:
            if not wait([call], DEADLINE).done:
                raise DeliveryFailed(_too_slow(urlsplit(url).hostname))
            return call.result()
        except (requests.RequestException, ValueError) as error:  # ValueError: the name cannot be a host
            raise DeliveryFailed(_reason(error, urlsplit(url).hostname)) from error
        finally:
            opened.break_off()

    def _send(self, request: requests.Request, opened: "_Opened") -> int:
        with requests.Session() as session:
            session.trust_env = False  # no proxy and no netrc of this machine
            if not self._private:
                session.adapters.clear()
                session.mount("https://", _PublicOnly())
            adapter = session.get_adapter(str(request.url))
            opened.watch(adapter)
            # The session's own `send` would read the body of a redirect, which may have no end.
            answer = adapter.send(session.prepare_request(request), stream=True, timeout=TIMEOUT, proxies={})
            answer.close()
        return answer.status_code


class _Opened:
    """The connections of one call, which another thread can break off."""

    def __init__(self) -> None:
        self._lock, self._over = threading.Lock(), False
        self._sockets: list[socket.socket] = []

    def watch(self, adapter: BaseAdapter) -> None:
        """Have each connection that the adapter opens noted before a byte is sent."""
        note = self._note

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return note(super()._new_conn())

        class OverTls(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return note(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class PoolOverTls(HTTPSConnectionPool):
            ConnectionCls = OverTls

        pools = {"http": PlainPool, "https": PoolOverTls}
        cast("HTTPAdapter", adapter).poolmanager.pool_classes_by_scheme = pools

    def _note(self, made: socket.socket) -> socket.socket:
        with self._lock:
            if self._over:
                made.close()
                raise ConnectTimeoutError("the deadline is over")
            self._sockets.append(made.dup())  # TLS takes the first one's place
        return made

    def break_off(self) -> None:
        """End every connection, and any that is opened later."""
        with self._lock:
            self._over = True
            for each in self._sockets:
                with each, suppress(OSError):  # the other side may have ended it
                    each.shutdown(socket.SHUT_RDWR)


def _settle(call: "Future[int]", work: Callable[[], int]) -> None:
    """Do the work, and keep its result or its error for who waits."""
    try:
        call.set_result(work())
    except Exception as error:  # noqa: BLE001 - raised again where the result is taken
        call.set_exception(error)


def _reason(error: Exception, host: str | None) -> str:
    """Say why there is no answer, without the address of the host: a tenant must not learn private addresses."""
    match error:
        case InvalidIPAddress():
            return f"{host} leads to an address that is not public."
        case requests.exceptions.SSLError():
            return f"No TLS with {host}: its certificate or its protocol was refused."
        case requests.exceptions.Timeout():
            return _too_slow(host)
    return f"No connection to {host}."


def _too_slow(host: str | None) -> str:
    return f"{host} did not answer within {DEADLINE:.0f} seconds."
