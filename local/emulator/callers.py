"""The emulator answers no web page of another place: such a page could read, order and forward what the emulator has."""

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from local.callers import REFUSED, is_foreign
from local.emulator.errors import ApiError

_REFUSED = ApiError(403, REFUSED)


class ForOwnCallers:
    """An application that sees no request that is foreign."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and is_foreign(scope["headers"]):
            await JSONResponse(_REFUSED.envelope(), _REFUSED.status)(scope, receive, send)
        else:
            await self._application(scope, receive, send)
