"""Serve an emulator on 127.0.0.1 until a signal comes or its parent process has ended."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from local.emulator.wire import ReachableProtocol

_ORPHAN_CHECK_SECONDS = 0.5
_KEEP_ALIVE_SECONDS = 75


class _Server(uvicorn.Server):
    """A server whose `serve` returns at its end, so that the caller can clean up."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end)
        yield

    def end(self) -> None:
        self.should_exit = True
        self.force_exit = True  # stalled answers must not keep the emulator from its end


def listen(port: int) -> socket.socket:
    """Bind 127.0.0.1 at `port`; 0 takes any free port."""
    # asyncio turns Nagle's delay off only if the protocol is named; else each answer waits 40 ms for an ACK
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    return listening


async def serve(application: ASGIApp, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent; call `ready` when connections are accepted."""
    config = uvicorn.Config(
        application,
        http=ReachableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    server = _Server(config)
    watching = asyncio.create_task(_watch(server, ready))
    try:
        await server.serve(sockets=[listening])
    finally:
        watching.cancel()


async def _watch(server: _Server, ready: Callable[[], None]) -> None:
    parent = os.getppid()
    while not server.started:
        await asyncio.sleep(0.005)
    ready()
    while os.getppid() == parent:
        await asyncio.sleep(_ORPHAN_CHECK_SECONDS)
    server.end()
