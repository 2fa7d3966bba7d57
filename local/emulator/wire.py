"""Send an answer, whole or broken as a fault orders."""

import asyncio
import gzip
import socket
import struct
from asyncio import Transport
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from local.emulator.faults import CallFault, Cut
from local.emulator.reply import Reply

_TRANSPORT = "emulator.transport"
_PENDING = 1 << 20
_STALL_SECONDS = 3_600

NO_FAULT = CallFault()


class ReachableProtocol(H11Protocol):
    """HTTP/1.1 whose application can also reach the connection, to break it."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # uvicorn widens it
        """Put the connection into the scope of each of its requests."""
        super().connection_made(transport)
        application = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 # uvicorn's own types
            scope[_TRANSPORT] = transport
            await application(scope, receive, send)

        self.app = with_transport


class Connection:
    """The connection on which one request is answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport: Transport = scope[_TRANSPORT]
        self._receive = receive
        self._send = send

    async def deliver(self, reply: Reply, fault: CallFault) -> None:
        """Send `reply`, broken as `fault` orders."""
        if fault.connection is not None:
            await self._hang_up(fault.connection)
            return
        body = reply.body()
        headers = {"content-type": reply.content_type, **reply.headers}
        if fault.gzip:
            body, headers["content-encoding"] = gzip.compress(b"".join(_chunks(body))), "gzip"
        chunks, pause = _dribbled(body, fault), fault.dribble.seconds if fault.dribble else 0.0
        if fault.cut is None:
            await self._start(reply.status, {**headers, "content-length": str(len(body))})
            await self._stream(chunks, pause, more=False)
        else:
            await self._deliver_cut(reply.status, headers, chunks, len(body), fault.cut, pause)

    async def _deliver_cut(
        self, status: int, headers: dict[str, str], chunks: Iterable[bytes], size: int, cut: Cut, pause: float
    ) -> None:
        sent = _first(chunks, int(cut.at if cut.at >= 1 else cut.at * size))
        if cut.framing == "close":
            await self._stream_raw(_head(status, headers), sent, pause)
        else:
            length = {"content-length": str(size)} if cut.framing == "length" else {}
            await self._start(status, {**headers, **length})
            await self._stream(sent, pause, more=True)
        await self._hang_up("reset" if cut.reset else "close")

    async def _start(self, status: int, headers: dict[str, str]) -> None:
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def _stream(self, chunks: Iterable[bytes], pause: float, *, more: bool) -> None:
        for chunk in chunks:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            if pause:
                await asyncio.sleep(pause)
        if not more:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream_raw(self, head: bytes, chunks: Iterable[bytes], pause: float) -> None:
        self._transport.write(head)
        for chunk in chunks:
            self._transport.write(chunk)
            await self._drain(_PENDING)
            if pause:
                await asyncio.sleep(pause)

    async def _hang_up(self, manner: str) -> None:
        if manner == "stall":
            await asyncio.wait_for(self._gone(), _STALL_SECONDS)
        if manner == "reset":
            await self._drain(0)
            _reset_on_close(self._transport)
            self._transport.abort()
        self._transport.close()
        await self._gone()

    async def _drain(self, pending: int) -> None:
        while self._transport.get_write_buffer_size() > pending and not self._transport.is_closing():
            await asyncio.sleep(0.002)

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _reset_on_close(transport: Transport) -> None:
    linger = struct.pack("ii", 1, 0)
    cast("socket.socket", transport.get_extra_info("socket")).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")


def _chunks(body: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return [body] if isinstance(body, bytes) else body


def _dribbled(body: bytes | Iterable[bytes], fault: CallFault) -> Iterator[bytes]:
    for chunk in _chunks(body):
        size = fault.dribble.bytes if fault.dribble else len(chunk) or 1
        for start in range(0, len(chunk), size):
            yield chunk[start : start + size]


def _first(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    left = size
    for chunk in chunks:
        if left <= 0:
            return
        yield chunk[:left]
        left -= len(chunk)
