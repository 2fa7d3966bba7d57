"""Serve the page of the figures, and the figures, beside the console of the stack and with the console's own design."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from local.board.figures import Source, figures

ROOT: Final = "/console/operator"
FOLDER: Final = Path(__file__).with_name("static")
CONSOLE: Final = Path(__file__).parents[2] / "layers/core/batchyard/console/static"
SHARED: Final = ("style.css", "icon.svg", "dom.js", "format.js")  # of the console
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def with_board(application: Application, source: Source) -> Application:
    """Answer below `/console/operator`, and leave all else to the application."""
    files = _files()

    async def with_page(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path == ROOT or path.startswith(f"{ROOT}/")):
            await application(scope, receive, send)
        elif path == f"{ROOT}/figures":
            told = await asyncio.to_thread(figures, source, time.time())
            await _answer(send, HTTPStatus.OK, "application/json", json.dumps(told).encode())
        elif path in files:
            await _answer(send, HTTPStatus.OK, *files[path])
        else:
            await _answer(send, HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"There is no such page.")

    return with_page


def _files() -> dict[str, tuple[str, bytes]]:
    """Return each file by its address, with its type: no address leads elsewhere."""
    own = {f"{ROOT}/{path.name}": path for path in FOLDER.iterdir() if path.suffix in KINDS}
    found = {**own, ROOT: FOLDER / "index.html", **{f"{ROOT}/{name}": CONSOLE / name for name in SHARED}}
    return {address: (KINDS[path.suffix], path.read_bytes()) for address, path in found.items()}


async def _answer(send: Send, status: HTTPStatus, content_type: str, body: bytes) -> None:
    headers = {**HEADERS, "Content-Type": content_type, "Content-Length": str(len(body))}
    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status.value, "headers": named})
    await send({"type": "http.response.body", "body": body})
