"""The same API as Together has it: other paths, words and lines, and much that it does not tell.

Source: docs.together.ai, Batch inference, 2026-09; together-python 3.1.1; recorded exchanges of 2026-09. Together's own client
uploads in another way, by a redirect and a PUT.
"""

import secrets
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request

from local.emulator import batches_api, files_api, runner
from local.emulator.batches import Batch, BatchRequest
from local.emulator.errors import ApiError, missing_parameter
from local.emulator.files import THIRTY_DAYS, StoredFile
from local.emulator.multipart import FormReceiver
from local.emulator.operations import Handler
from local.emulator.reply import Reply, refused_by_gateway
from local.emulator.state import State

NAME: Final = "together"
PURPOSE: Final = "batch-api"
WINDOW: Final = "24h"
_WORDS: Final = {"cancelling": "CANCELING", "finalizing": "IN_PROGRESS"}  # beside the others in capital letters


async def create_file(state: State, request: Request) -> Reply:
    """Store an upload to a path of its own; the form names the file, and nothing but its size is checked."""
    if not request.url.path.endswith("/files/upload"):
        raise ApiError(400, "This path takes the description of a file, and answers where its bytes go.")
    path = state.directory / f"upload-{secrets.token_hex(8)}"
    try:
        form = await FormReceiver(path).receive(request)
        for name in ("purpose", "file_name"):
            if not form.texts.get(name):
                raise missing_parameter(name)
        if form.path.stat().st_size > state.scenario.max_file_bytes:
            return refused_by_gateway(413)
        stored = state.files.add(path, form.texts["file_name"], "batch", None)
        return Reply(_file(stored), made=stored.id)
    finally:
        path.unlink(missing_ok=True)


async def list_files(state: State, request: Request) -> Reply:  # noqa: ARG001 - it has no pages
    """Answer all files."""
    return Reply({"data": [_file(each) for each in state.files.newest_first()]})


async def retrieve_file(state: State, request: Request) -> Reply:
    """Answer one file, without any status."""
    return Reply(_file(state.files.get(request.path_params["file_id"])))


async def create_batch(state: State, request: Request) -> Reply:
    """Start a batch, also of a file that is not there: it fails later. Metadata is not kept."""
    body = await batches_api.json_object(request)
    wanted = batches_api.parse_batch_request({"completion_window": WINDOW, **body, "metadata": None})
    batch = state.batches.add(BatchRequest(wanted.input_file_id, wanted.endpoint, WINDOW, None, THIRTY_DAYS, NAME))
    reply = Reply({"job": _job(state, batch), "warning": ""}, status=201, made=batch.id)
    runner.start(state, batch)
    return reply


async def retrieve_batch(state: State, request: Request) -> Reply:
    """Answer one job."""
    return Reply(_job(state, state.batches.get(request.path_params["batch_id"])))


async def list_batches(state: State, request: Request) -> Reply:  # noqa: ARG001 - it has no pages
    """Answer all jobs as a bare array."""
    jobs = [_job(state, batch) for batch in state.batches.newest_first()]
    return Reply(content=msgspec.json.encode(jobs))


async def cancel_batch(state: State, request: Request) -> Reply:
    """Begin to cancel a job; one that has ended, however, is refused."""
    batch = state.batches.get(request.path_params["batch_id"])
    if batch.ended:
        word = _job(state, batch)["status"]
        return Reply({"error": f"Cannot cancel job - already in terminal state: {word}"}, status=409)
    batch.cancel(state.clock.seconds())
    state.clock.wake()
    return Reply(_job(state, batch))


HANDLERS: Final[dict[str, Handler]] = {
    "createFile": create_file, "listFiles": list_files, "retrieveFile": retrieve_file,
    "downloadFile": files_api.download_file, "deleteFile": files_api.delete_file,
    "createBatch": create_batch, "listBatches": list_batches, "retrieveBatch": retrieve_batch,
    "cancelBatch": cancel_batch,
}  # fmt: skip


def line(whole: bytes) -> bytes:
    """Write a line of a result as Together does: an answer without ids of its own, an error without a status."""
    told: dict[str, Any] = msgspec.json.decode(whole)
    shown = {"id": told["id"].replace("batch_req_", "br_"), "custom_id": told["custom_id"]}
    response, error = told["response"], told["error"]
    if response is not None and 200 <= response["status_code"] < 300:
        shown["response"] = {"status_code": response["status_code"], "body": response["body"]}
    else:
        said = error or response["body"].get("error") or {}
        shown["error"] = {"code": "batch_client_error", "message": str(said.get("message") or "")}
    return msgspec.json.encode(shown) + b"\n"


def _file(stored: StoredFile) -> dict[str, Any]:
    purpose = PURPOSE if stored.purpose == "batch" else stored.purpose
    return {
        "id": stored.id, "object": "file", "created_at": stored.created_at, "filename": stored.filename,
        "bytes": stored.size, "purpose": purpose, "FileType": "jsonl", "LineCount": 0, "Processed": True,
    }  # fmt: skip


def _job(state: State, batch: Batch) -> dict[str, Any]:
    """Show a job: no counts, no metadata, no usage, and of errors one text."""
    told = batch.wire()
    word = state.scenario.statuses.get(told["status"], _WORDS.get(told["status"], told["status"].upper()))
    stored = state.files.find(batch.request.input_file_id)
    job = {
        "id": batch.id, "input_file_id": batch.request.input_file_id, "file_size_bytes": stored.size if stored else 0,
        "status": word, "progress": 100 if batch.ended else 0, "endpoint": batch.request.endpoint,
        "model_id": told["model"] or "", "created_at": _iso(batch.created_at),
        "job_deadline": _iso(told["expires_at"]), "completed_at": _iso(told["completed_at"]),
        "output_file_id": told["output_file_id"], "error_file_id": told["error_file_id"],
        "error": "; ".join(each["message"] for each in batch.errors or []),
    }  # fmt: skip
    return {name: value for name, value in job.items() if value not in (None, "")}


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
