"""Keep large S3 objects of ministack on disk; ministack keeps all bytes in memory, and twice while parts are joined.

An upload is written to a file while it arrives, and ministack gets a `Body` in place of bytes. Ranges, copies and joined
parts share such files. A download is read while it is sent. A file is deleted with the last body that needs it.
"""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import asyncio
import hashlib
import inspect
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local.engine.bodies import Body, Storing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Module = Any  # the engine ships no types
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_IN_MEMORY = 1 << 20  # most objects are smaller, and are read whole
_NOT_S3 = ("/v1/", "/_", "/20")  # our API, ministack's own paths, and paths of other services, which begin with a date
_IS_OBJECT: ContextVar[bool] = ContextVar("is_object", default=False)


def with_objects_on_disk(application: Application) -> Application:
    """Keep each S3 object of more than a MiB on disk."""
    app: Module = import_module("ministack.app")
    s3: Module = import_module("ministack.services.s3")
    _receive_to_disk(app, Path(s3.DATA_DIR, "bodies"))
    _hash_from_disk(s3)
    _join_on_disk(s3)
    _answer_from_disk(s3)

    async def telling_objects(scope: Scope, receive: Receive, send: Send) -> None:
        _IS_OBJECT.set(scope["type"] == "http" and scope["method"] == "PUT" and not scope["path"].startswith(_NOT_S3))
        await application(scope, receive, send)

    return telling_objects


def _receive_to_disk(app: Module, folder: Path) -> None:
    read = app._read_request_body

    async def read_to_disk(receive: Receive, method: str, headers: dict[str, str]) -> bytes | Body:
        size = headers.get("content-length", "")
        small = size.isdigit() and int(size) <= _IN_MEMORY
        if small or not _IS_OBJECT.get() or _is_framed(headers):
            data: bytes = await read(receive, method, headers)  # it removes the frames, and a framed upload is one part
            return Body.stored(data, folder) if _IS_OBJECT.get() and len(data) > _IN_MEMORY else data
        body = await _received(app, receive, folder)
        if size and str(len(body)) != size:
            raise app._IncompleteRequestBody("Content-Length does not match request body")
        return body if len(body) > _IN_MEMORY else bytes(body)

    app._read_request_body = read_to_disk


def _is_framed(headers: Mapping[str, str]) -> bool:
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or "aws-chunked" in headers.get(
        "content-encoding", ""
    )


async def _received(app: Module, receive: Receive, folder: Path) -> Body:
    with Storing(folder) as storing:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise app._RequestBodyDisconnected
            storing.write(message.get("body", b""))
            more = message.get("more_body", False)
    return storing.body()


def _hash_from_disk(s3: Module) -> None:
    def hashing(new: Callable[..., Any]) -> Callable[..., Any]:
        return lambda data=b"": data.digested(new) if isinstance(data, Body) else new(data)

    kinds = {name: hashing(getattr(hashlib, name)) for name in ("md5", "sha1", "sha256")}
    s3.hashlib = SimpleNamespace(**{**vars(hashlib), **kinds})
    s3.md5_hash = lambda data: kinds["md5"](data).hexdigest()

    def crc32(data: bytes | Body, *value: int) -> int:
        return data.crc32() if isinstance(data, Body) else zlib.crc32(data, *value)

    s3.zlib = SimpleNamespace(**{**vars(zlib), "crc32": crc32})


def _join_on_disk(s3: Module) -> None:
    in_memory, source = 'b"".join(combined_parts)', inspect.getsource(s3._complete_multipart_upload)
    if source.count(in_memory) != 1:
        raise ValueError("ministack joins the parts of an upload in another way than this mend knows")
    folder = Path(s3.DATA_DIR, "bodies")

    def joined(parts: Sequence[bytes | Body]) -> bytes | Body:
        if not any(isinstance(part, Body) for part in parts):
            return b"".join(parts)  # type: ignore[arg-type]  # bytes, all of them
        return Body.joined([part if isinstance(part, Body) else Body.stored(part, folder) for part in parts])

    s3._joined = joined
    exec(source.replace(in_memory, "_joined(combined_parts)"), s3.__dict__)  # noqa: S102 - ministack's own source


def _answer_from_disk(s3: Module) -> None:
    dispatch, data = s3._dispatch, s3._get_object_data
    streaming = import_module("ministack.core.responses").StreamingResponse

    def dispatch_streaming(*request: object) -> tuple[int, dict[str, str], object]:
        status, headers, body = dispatch(*request)
        return status, headers, streaming(_sender(body)) if isinstance(body, Body) else body

    def data_in_memory(*where: object, **more: object) -> bytes | None:
        found: bytes | Body | None = data(*where, **more)
        return bytes(found) if isinstance(found, Body) else found  # other services read code, templates and lists so

    s3._dispatch, s3._get_object_data = dispatch_streaming, data_in_memory


def _sender(body: Body) -> Callable[[Send, Receive], Awaitable[None]]:
    async def send_from_disk(send: Send, receive: Receive) -> None:
        gone = asyncio.ensure_future(_gone(receive))
        try:
            for chunk in body.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await asyncio.sleep(0)  # sending does not wait while the client is fast, and other requests wait, too
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()

    return send_from_disk


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
