"""Serve the engine: `python -m local.tether local.engine LISTENING_SOCKET [MEND_TO_LEAVE_OUT …]`."""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/test_engine.py holds these names

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from typing import Any

from local.engine.mends import MENDS

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def as_the_stack_expects(application: Application) -> Application:
    """Serve the stack's HTTP API at `/v1` of the engine's own address, and count every request as encrypted.

    No S3 bucket has a name as short as `v1`. The data bucket refuses what does not come over TLS; the loopback is as private.
    """

    async def changed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "scheme": "https"}
            apis = import_module("ministack.services.apigateway")._apis
            if (scope["path"] + "/").startswith("/v1/") and len(apis) == 1:
                prefix = f"/_aws/execute-api/{next(iter(apis))}"
                scope |= {"path": prefix + scope["path"], "raw_path": prefix.encode() + scope["raw_path"]}
        await application(scope, receive, send)

    return changed


def main(socket: str, *left_out: str) -> None:
    """Serve on the inherited listening `socket` (its number) until the process is ended."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # one log
    application: Application = import_module("ministack.app").app
    for name, mend in MENDS.items():
        if name not in left_out:
            mend()
    _raise_open_files()
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{socket}"]
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)
    serve = import_module("hypercorn.asyncio").serve
    # a trigger that never comes leaves SIGTERM its plain meaning: nothing here is worth saving
    asyncio.run(serve(as_the_stack_expects(application), config, shutdown_trigger=asyncio.Event().wait))


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
