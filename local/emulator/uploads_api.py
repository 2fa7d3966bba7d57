"""The Uploads API: create, add a part, complete, cancel."""

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import Any

from starlette.requests import Request

from local.emulator import identifiers
from local.emulator.batches_api import json_object
from local.emulator.errors import ApiError, missing_parameter
from local.emulator.files import THIRTY_DAYS
from local.emulator.files_api import PURPOSES, lifetime_of
from local.emulator.multipart import FormReceiver
from local.emulator.reply import Reply
from local.emulator.state import State
from local.emulator.uploads import MAX_BYTES, MAX_PART_BYTES, Upload


async def create_upload(state: State, request: Request) -> Reply:
    """Start an upload."""
    body = await json_object(request)
    for name in ("filename", "purpose", "bytes", "mime_type"):
        if body.get(name) is None:
            raise missing_parameter(name)
    if body["purpose"] not in PURPOSES:
        raise ApiError(400, f"'{body['purpose']}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    if not isinstance(body["bytes"], int) or not 0 < body["bytes"] <= MAX_BYTES:
        raise ApiError(400, f"'bytes' must be between 1 and {MAX_BYTES}.", param="bytes", code="invalid_value")
    lifetime = _lifetime(body)
    upload = Upload(body["bytes"], body["filename"], body["purpose"], lifetime, state.clock.seconds())
    return Reply(state.uploads.add(upload).wire(), made=upload.id)


async def add_upload_part(state: State, request: Request) -> Reply:
    """Take one part of at most 64 MB."""
    upload = state.uploads.pending(request.path_params["upload_id"])
    path = state.directory / f"part-{secrets.token_hex(8)}"
    form = await FormReceiver(path).receive(request)
    size = path.stat().st_size
    if form.file_part != "data" or size > MAX_PART_BYTES:
        path.unlink()
        raise missing_parameter("data") if form.file_part != "data" else ApiError(400, "The part is over 64 MB.")
    part_id = identifiers.hex_id("part_")
    upload.parts[part_id] = path
    part = {"id": part_id, "object": "upload.part", "created_at": state.clock.seconds(), "upload_id": upload.id}
    return Reply(part, made=part_id)


async def complete_upload(state: State, request: Request) -> Reply:
    """Join the parts in the given order; together they must have the size that was announced."""
    upload = state.uploads.pending(request.path_params["upload_id"])
    body = await json_object(request)
    whole = _joined(state, upload, body)
    upload.file = state.files.add(whole, upload.filename, upload.purpose, upload.lifetime)
    upload.close("completed")
    return Reply(upload.wire(), made=upload.file.id)


async def cancel_upload(state: State, request: Request) -> Reply:
    """Cancel an upload."""
    upload = state.uploads.pending(request.path_params["upload_id"])
    upload.close("cancelled")
    return Reply(upload.wire())


def _lifetime(body: dict[str, Any]) -> int | None:
    if body.get("expires_after") is not None:
        return lifetime_of(body["expires_after"], "expires_after")
    return THIRTY_DAYS if body["purpose"] == "batch" else None


def _joined(state: State, upload: Upload, body: dict[str, Any]) -> Path:
    part_ids = body.get("part_ids")
    if not isinstance(part_ids, list):
        raise missing_parameter("part_ids")
    unknown = [part_id for part_id in part_ids if part_id not in upload.parts]
    if unknown:
        raise ApiError(400, f"No such part: {unknown[0]}", param="part_ids")
    paths = [upload.parts[part_id] for part_id in part_ids]
    if sum(path.stat().st_size for path in paths) != upload.size:
        raise ApiError(400, f"The parts do not sum up to the {upload.size} bytes announced.")
    whole = state.directory / f"upload-{secrets.token_hex(8)}"
    if _join(paths, whole) != body.get("md5", _join(paths, whole)):
        whole.unlink()
        raise ApiError(400, "The md5 of the parts differs from the one given.", param="md5")
    return whole


def _join(paths: list[Path], whole: Path) -> str:
    """Write the parts to `whole`, and return the hex MD5 of `whole`."""
    with whole.open("wb") as target:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, target, 1 << 20)
    with whole.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
