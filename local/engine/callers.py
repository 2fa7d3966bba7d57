"""The engine answers no web page of another place: such a page could use it, and with it the provider's key."""

import json
from http import HTTPStatus

from local.callers import REFUSED, is_foreign
from local.engine.objects_on_disk import Application, Receive, Scope, Send

_BODY = json.dumps({"message": REFUSED}).encode()


def for_own_callers(application: Application) -> Application:
    """Let the application see no request that is foreign."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(scope["headers"]):
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
            await send({"type": "http.response.start", "status": HTTPStatus.FORBIDDEN.value, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
        elif scope["type"] == "websocket" and is_foreign(scope["headers"]):
            await send({"type": "websocket.close"})
        else:
            await application(scope, receive, send)

    return guarded
