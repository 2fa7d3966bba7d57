"""Serve the files of the console, each by its exact name and under a strict Content-Security-Policy.

The page at `/console` is never kept by a browser without asking. All other files stand below a version, which follows from
their bytes, and so are kept for a year.
"""

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from batchyard.domain.errors import ApiError
from batchyard.gateway.request import Request
from batchyard.gateway.response import Response

ROOT: Final = "/console"
FOLDER: Final = Path(__file__).with_name("static")
PAGE: Final = "index.html"
VERSION: Final = b"{version}"  # stands for the version in the page
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
KEPT: Final = "public, max-age=31536000, immutable"
ASKED_FOR: Final = "no-cache"  # kept, but compared with ours at each use
HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class StaticFile(NamedTuple):
    """A file of the console, ready to be sent."""

    data: bytes
    packed: bytes
    content_type: str
    etag: str


def is_for(path: str) -> bool:
    """Tell whether a path is one of the console."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def answer(request: Request, bucket_origin: str) -> Response:
    """Answer with a file of the console; the page may call this origin and `bucket_origin`. Raises ApiError 404 or 405."""
    if request.method not in {"GET", "HEAD"}:
        raise _not_allowed(request.method)
    name = request.path.removeprefix(ROOT).removeprefix("/")
    file = _page() if not name else _versioned(name)
    headers = {**HEADERS, "Content-Security-Policy": policy(bucket_origin), "ETag": file.etag}
    headers["Cache-Control"] = KEPT if name else ASKED_FOR
    if request.header("if-none-match") == file.etag:
        return Response(b"", HTTPStatus.NOT_MODIFIED, file.content_type, headers)
    if request.takes_gzip():
        return Response(file.packed, HTTPStatus.OK, file.content_type, {**headers, "Content-Encoding": "gzip"})
    return Response(file.data, HTTPStatus.OK, file.content_type, headers)


def policy(bucket_origin: str) -> str:
    """Return the Content-Security-Policy: files and calls of this origin, calls to the bucket, and nothing else."""
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": f"'self' {bucket_origin}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


@cache
def files() -> Mapping[str, bytes]:
    """Return every file of the console but the page, by its name with slashes."""
    every = (path for path in sorted(FOLDER.rglob("*")) if path.is_file() and path.suffix in KINDS)
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in every if path.name != PAGE}


@cache
def version() -> str:
    """Name the version of the files, as it stands in their addresses."""
    digest = hashlib.sha256()
    for name, data in files().items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:12]


@cache
def _page() -> StaticFile:
    return _ready(PAGE, (FOLDER / PAGE).read_bytes().replace(VERSION, version().encode()))


@cache
def _versioned(name: str) -> StaticFile:
    """Find a file by `<version>/<name>`: it is looked up among names that are known, so no path leads elsewhere."""
    asked, _, known = name.partition("/")
    if asked != version() or known not in files():
        raise ApiError(HTTPStatus.NOT_FOUND, "The console has no such file. Load its page again.")
    return _ready(known, files()[known])


def _ready(name: str, data: bytes) -> StaticFile:
    etag = f'"{hashlib.sha256(data).hexdigest()[:24]}"'
    return StaticFile(data, gzip.compress(data, 9, mtime=0), KINDS[Path(name).suffix], etag)


def _not_allowed(method: str) -> ApiError:
    message = f"Not allowed to {method} on the console. Allowed: GET, HEAD."
    error = ApiError(HTTPStatus.METHOD_NOT_ALLOWED, message, code="method_not_supported")
    error.headers["Allow"] = "GET, HEAD"
    return error
