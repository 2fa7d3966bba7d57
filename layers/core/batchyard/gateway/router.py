"""Which operation answers a request."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from batchyard.domain.errors import ApiError
from batchyard.gateway.request import Request
from batchyard.gateway.response import Response

Operation = Callable[..., Response | dict[str, object]]
_LONGEST: Final = 512  # characters of a parameter: no id is longer, and a table's key could be too long
_REST: Final = "+}"  # ends a parameter that takes the rest of the path, slashes and all, as API Gateway writes it


class Route(Struct, frozen=True):
    """A method and a path, and who answers there."""

    method: str
    #: With parameters in braces: `/v1/files/{file_id}`.
    path: str
    operation: Operation
    #: Whether a request needs an API key.
    locked: bool


class Router:
    """Routes; those that name a path in full go before those with a parameter in its place."""

    def __init__(self) -> None:
        """Begin without a route."""
        self.routes: list[Route] = []

    def add(self, method: str, path: str, *, locked: bool = True) -> Callable[[Operation], Operation]:
        """Have the decorated operation answer; it is given the request, and the parameters of the path by name."""

        def added(operation: Operation) -> Operation:
            self.routes.append(Route(method, path, operation, locked))
            self.routes.sort(key=lambda route: route.path.count("{"))
            return operation

        return added

    def is_open(self, request: Request) -> bool:
        """Tell whether a request is for a route that needs no API key."""
        ways = (route for route in self.routes if route.method == request.method and not route.locked)
        return any(_matched(route.path, request.path) is not None for route in ways)

    def find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """Find the route of a request, and the parameters of its path; raises ApiError 404 or 405."""
        allowed = []
        for route in self.routes:
            parameters = _matched(route.path, request.path)
            if parameters is None:
                continue
            if route.method == request.method:
                return route, parameters
            allowed.append(route.method)
        raise _unknown(request, sorted({*allowed}))


def _unknown(request: Request, allowed: list[str]) -> ApiError:
    path = request.path[:200]
    if not allowed:
        return ApiError(HTTPStatus.NOT_FOUND, f"Unknown request URL: {request.method} {path}.")
    message = f"Not allowed to {request.method} on {path}. Allowed: {', '.join(allowed)}."
    error = ApiError(HTTPStatus.METHOD_NOT_ALLOWED, message, code="method_not_supported")
    error.headers["Allow"] = ", ".join(allowed)
    return error


def _matched(pattern: str, path: str) -> dict[str, str] | None:
    """Return the parameters of a path; None if the path does not fit the pattern."""
    wanted = pattern.split("/")
    pieces = path.split("/", len(wanted) - 1 if pattern.endswith(_REST) else -1)
    if len(pieces) != len(wanted):
        return None
    parameters = {}
    for want, piece in zip(wanted, pieces, strict=True):
        if not want.startswith("{"):
            if want != piece:
                return None
        elif not piece.isprintable() or not 0 < len(piece) <= _LONGEST:
            return None
        elif want.endswith(_REST):
            parameters[want[1:-2]] = unquote(piece)
        else:
            parameters[want[1:-1]] = piece
    return parameters
