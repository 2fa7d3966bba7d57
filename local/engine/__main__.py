"""Serve the engine: `python -m local.stack.child_process local.engine LISTENING_SOCKET [MEND_TO_LEAVE_OUT …]`."""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Callable, Mapping
from importlib import import_module

from local.engine.callers import for_own_callers
from local.engine.mends import MENDS
from local.engine.objects_on_disk import Application, Receive, Scope, Send, with_objects_on_disk


def taken_as_encrypted(application: Application) -> Application:
    """Let the application take each request as one over TLS, because the data bucket refuses every other request."""

    async def encrypted(scope: Scope, receive: Receive, send: Send) -> None:
        await application({**scope, "scheme": "https"} if scope["type"] == "http" else scope, receive, send)

    return encrypted


_PROTOCOL = b"x-forwarded-proto"
_PLACES_OF_API = ("/v1/", "/health/", "/console/")


def with_api_at_v1(application: Application) -> Application:
    """Serve the one HTTP API of the stack at `/v1`, `/health` and `/console` of the engine's address, where no S3 bucket is.

    The API tells its clients addresses of its own, which are of plain HTTP here.
    """

    async def with_api(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["path"] + "/").startswith(_PLACES_OF_API):
            apis = import_module("ministack.services.apigateway")._apis
            prefix = f"/_aws/execute-api/{next(iter(apis), 'none')}"
            headers = [*(header for header in scope["headers"] if header[0] != _PROTOCOL), (_PROTOCOL, b"http")]
            place = {"path": prefix + scope["path"], "raw_path": prefix.encode() + scope["raw_path"]}
            scope = {**scope, **place, "headers": headers}
        await application(scope, receive, send)

    return with_api


WRAPPERS: Mapping[str, Callable[[Application], Application]] = {
    "encrypted": taken_as_encrypted,
    "api_at_v1": with_api_at_v1,
    "objects_on_disk": with_objects_on_disk,
    "own_callers": for_own_callers,  # the last, so that nothing else sees what is refused
}


def main(socket: str, *left_out: str) -> None:
    """Serve on the inherited listening socket with the number `socket`, without the mends and wrappers `left_out`."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # both go to one log
    application: Application = import_module("ministack.app").app
    for name, mend in MENDS.items():
        if name not in left_out:
            mend()
    for name, wrapper in WRAPPERS.items():  # in their order
        if name not in left_out:
            application = wrapper(application)
    _raise_open_files()
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{socket}"]
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)
    serve = import_module("hypercorn.asyncio").serve
    # the trigger never comes, so SIGTERM ends the process at once: it has nothing to save
    asyncio.run(serve(application, config, shutdown_trigger=asyncio.Event().wait))


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
