"""Refuse what a web page sends: a page of any other place could else use the engine, and with it the provider's key.

A browser lets every page send requests to 127.0.0.1. It names the page in `Origin` and `Sec-Fetch-Site`, and a page whose own
name was led to 127.0.0.1 shows in `Host`. `local.emulator.callers` holds the same rule: neither package imports the other.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus

from local.engine.objects_on_disk import Application, Receive, Scope, Send

_THIS_MACHINE = re.compile(r"(?:(?:[a-z0-9._-]+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?")
_OWN_SITES = {"same-origin", "none"}  # none: a person typed the address
_REFUSED = b'{"message": "Refused: the request names another host, or comes from a web page of another place."}'


def is_foreign(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether these headers of a request name another host than this machine, or a page of another place."""
    named = [(name.decode("latin-1").lower(), value.decode("latin-1").strip().lower()) for name, value in headers]
    hosts = {value for name, value in named if name == "host"}
    if len(hosts) != 1 or not all(_THIS_MACHINE.fullmatch(host) for host in hosts):
        return True
    own = {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}
    return any(
        (name == "origin" and value not in own) or (name == "sec-fetch-site" and value not in _OWN_SITES)
        for name, value in named
    )


def for_own_callers(application: Application) -> Application:
    """Let the application see no request that is foreign."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(scope["headers"]):
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_REFUSED)).encode())]
            await send({"type": "http.response.start", "status": HTTPStatus.FORBIDDEN.value, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})
        elif scope["type"] == "websocket" and is_foreign(scope["headers"]):
            await send({"type": "websocket.close"})
        else:
            await application(scope, receive, send)

    return guarded
