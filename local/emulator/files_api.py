"""The Files API: upload, list, retrieve, content, delete."""

import re
import secrets
from pathlib import Path, PureWindowsPath
from typing import Any

import msgspec
from starlette.requests import Request

from local.emulator.errors import ApiError, missing_parameter, no_such_file
from local.emulator.files import THIRTY_DAYS, StoredFile
from local.emulator.multipart import Form, FormReceiver
from local.emulator.paging import page
from local.emulator.reply import FileSlice, Reply, refused_by_gateway
from local.emulator.state import State

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
NAMELESS = "upload"  # what OpenAI's client in Python names bytes
LIFETIMES = range(3_600, THIRTY_DAYS + 1)


async def create_file(state: State, request: Request) -> Reply:
    """Store an upload; of a batch file only name, size and first line are checked, as the provider does at once."""
    path = state.directory / f"upload-{secrets.token_hex(8)}"
    try:
        form = await FormReceiver(path).receive(request)
        purpose, lifetime = _check_form(form)
        if purpose == "batch":
            if state.scenario.too_large_by_gateway and form.path.stat().st_size > state.scenario.max_file_bytes:
                return refused_by_gateway(413)
            _check_batch_file(form, state.scenario.max_file_bytes)
        stored = state.files.add(path, form.filename or NAMELESS, purpose, lifetime)
        return Reply(stored.wire(status_of(state, stored)), made=stored.id)
    finally:
        path.unlink(missing_ok=True)


async def list_files(state: State, request: Request) -> Reply:
    """Answer one page of files, newest first unless `order=asc`."""
    purpose = request.query_params.get("purpose")
    files = list(state.files.newest_first())
    if request.query_params.get("order") == "asc":
        files.reverse()
    shown = [file.wire(status_of(state, file)) for file in files]

    def wanted(file: dict[str, Any]) -> bool:
        return purpose in (None, file["purpose"])

    return Reply(page(request, shown, no_such_file, wanted, default=10_000, most=10_000))


async def retrieve_file(state: State, request: Request) -> Reply:
    """Answer one file object."""
    stored = _file(state, request)
    return Reply(stored.wire(status_of(state, stored)))


async def delete_file(state: State, request: Request) -> Reply:
    """Delete a file."""
    stored = state.files.delete(request.path_params["file_id"])
    return Reply({"id": stored.id, "object": "file", "deleted": True})


async def download_file(state: State, request: Request) -> Reply:
    """Answer the bytes of a file, or one range of them if the scenario allows ranges."""
    stored = _file(state, request)
    whole = Reply(content=FileSlice(stored.path, 0, stored.size), content_type="application/octet-stream")
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not (state.scenario.ranges and asked):
        return whole
    first, last = int(asked[1]), min(int(asked[2] or stored.size), stored.size - 1)
    if first > last:
        return Reply(status=416, content=b"", headers={"content-range": f"bytes */{stored.size}"})
    whole.status, whole.content = 206, FileSlice(stored.path, first, last - first + 1)
    whole.headers["content-range"] = f"bytes {first}-{last}/{stored.size}"
    return whole


def status_of(state: State, stored: StoredFile) -> str:
    """Tell how far the provider has processed a file; what the provider wrote itself is ready at once."""
    if stored.purpose != "batch":
        return "processed"
    ready = state.clock.now() >= stored.created_at + state.scenario.seconds_per_file
    return state.scenario.file_status if ready else "pending"


def _file(state: State, request: Request) -> StoredFile:
    return state.files.get(request.path_params["file_id"])


def _check_form(form: Form) -> tuple[str, int | None]:
    if form.file_part != "file":
        raise missing_parameter("file")
    purpose = form.texts.get("purpose")
    if purpose is None:
        raise missing_parameter("purpose")
    if purpose not in PURPOSES:
        raise ApiError(400, f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    anchor, seconds = form.texts.get("expires_after[anchor]"), form.texts.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return purpose, THIRTY_DAYS if purpose == "batch" else None
    return purpose, lifetime_of({"anchor": anchor, "seconds": seconds}, "expires_after")


def lifetime_of(after: dict[str, Any], name: str) -> int:
    """Return the seconds of an `expires_after` object; raise ApiError 400 if it is malformed."""
    if after.get("anchor") != "created_at":
        message = f"Invalid value: '{after.get('anchor')}'. Supported values are: 'created_at'."
        raise ApiError(400, message, param=f"{name}.anchor", code="invalid_value")
    try:
        seconds = int(str(after.get("seconds")))
    except ValueError:
        raise ApiError(400, "Expected an integer.", param=f"{name}.seconds", code="invalid_type") from None
    if seconds not in LIFETIMES:
        side = "below_min" if seconds < LIFETIMES.start else "above_max"
        message = f"Expected a value between {LIFETIMES.start} and {LIFETIMES[-1]}, but got {seconds}."
        raise ApiError(400, message, param=f"{name}.seconds", code=f"integer_{side}_value")
    return seconds


def _check_batch_file(form: Form, most: int) -> None:
    if PureWindowsPath(form.filename).suffix.strip(".") and not form.filename.lower().endswith(".jsonl"):
        named = repr(form.filename[:64])
        raise ApiError(400, f"Invalid file format for Batch API. Must be .jsonl, and the file is named {named}.")
    if form.path.stat().st_size > most:
        raise ApiError(400, f"The file is too large: a batch input may have at most {most} bytes.")
    if not _is_json(form.path):
        raise ApiError(400, "Invalid file format. Input file must be in .jsonl format for Batch API")


def _is_json(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline()
    try:
        return isinstance(msgspec.json.decode(first), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
