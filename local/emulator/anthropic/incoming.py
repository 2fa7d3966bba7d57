"""Take in the body of a create: spooled to disk as it comes, and read there request by request."""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request

from local.emulator.anthropic.errors import refused
from local.emulator.faults import Messages

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class _Body(msgspec.Struct):
    requests: list[msgspec.Raw]


class _Entry(msgspec.Struct):
    custom_id: str
    params: dict[str, Any]


class Wanted(NamedTuple):
    """One request of a batch."""

    #: Its number in the batch, from 1.
    number: int
    custom_id: str
    params: dict[str, Any]


async def spool(request: Request, limits: Messages, path: Path) -> None:
    """Write the body to `path`; raise ApiError 413 for one that is too large."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= limits.most_bytes:
                file.write(chunk)
    if size > limits.most_bytes:
        raise refused(413, "Request exceeds the maximum size")


def check(path: Path, limits: Messages) -> int:
    """Check ids and number of the requests, and return their number; their params are checked when they run."""
    seen: set[str] = set()
    for number, (entry, _) in enumerate(_entries(path)):
        if not _CUSTOM_ID.fullmatch(entry):
            raise refused(400, f"requests.{number}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if entry in seen:
            raise refused(400, f"requests: custom_id must be unique, but '{entry}' is there twice")
        seen.add(entry)
    if not seen:
        raise refused(400, "requests: List should have at least 1 item")
    if len(seen) > limits.most_requests:
        raise refused(400, f"requests: List should have at most {limits.most_requests:,} items")
    return len(seen)


def read(path: Path) -> Iterator[Wanted]:
    """Yield the requests of a body that has been checked."""
    for number, (custom_id, params) in enumerate(_entries(path), start=1):
        yield Wanted(number, custom_id, params)


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if not path.stat().st_size:
        raise refused(400, "The request body is not valid JSON.")
    with path.open("rb") as file:
        body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with the last request that lies in it
    try:
        for raw in msgspec.json.decode(memoryview(body), type=_Body).requests:
            entry = msgspec.json.decode(raw, type=_Entry)
            yield entry.custom_id, entry.params
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(400, f"The request body is not valid: {error}") from error
