"""The operations of Mistral's API: files, and jobs at a path of their own. Lists go on by numbers of pages."""

import asyncio
import secrets
from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request

from local.emulator import files_api, runner
from local.emulator.batches import Batch, BatchRequest
from local.emulator.batches_api import json_object
from local.emulator.errors import ApiError
from local.emulator.files import THIRTY_DAYS
from local.emulator.lines import raw_lines
from local.emulator.mistral import shapes
from local.emulator.mistral.shapes import NAME
from local.emulator.multipart import FormReceiver
from local.emulator.operations import Handler
from local.emulator.prompts import FIM
from local.emulator.reply import Reply, refused_by_gateway
from local.emulator.state import State

ENDPOINTS: Final = ("/v1/chat/completions", "/v1/embeddings", FIM, "/v1/moderations")
RESULTS_KEPT: Final = 86_400
_HOURS: Final = range(1, 7 * 24)
_PAGE: Final = 100
_RULES: Final = ("page", "page_size", "model", "agent_id", "created_after", "created_by_me", "status", "order_by")


async def create_file(state: State, request: Request) -> Reply:
    """Store an upload; nothing but its purpose and its size is checked."""
    path = state.directory / f"upload-{secrets.token_hex(8)}"
    try:
        form = await FormReceiver(path).receive(request)
        if form.file_part != "file" or form.texts.get("purpose") != "batch":
            raise _invalid("purpose: the emulator takes files of the purpose 'batch' alone")
        if form.path.stat().st_size > state.scenario.max_file_bytes:
            return refused_by_gateway(413)
        stored = state.files.add(path, form.filename, "batch", THIRTY_DAYS)
        return Reply(shapes.file(stored), made=stored.id)
    finally:
        path.unlink(missing_ok=True)


async def list_files(state: State, request: Request) -> Reply:
    """Answer one page of files."""
    return _page(request, [shapes.file(each) for each in state.files.newest_first()])


async def retrieve_file(state: State, request: Request) -> Reply:
    """Answer one file."""
    return Reply({**shapes.file(state.files.get(request.path_params["file_id"])), "deleted": False})


async def create_job(state: State, request: Request) -> Reply:
    """Start a job of one file."""
    wanted = _wanted(await json_object(request))
    stored = state.files.get(wanted.input_file_id)
    await _check_room(state, sum(1 for _ in raw_lines(stored.path)))
    batch = state.batches.add(wanted)
    reply = Reply(_job(state, batch), made=batch.id)
    runner.start(state, batch)
    return reply


async def retrieve_job(state: State, request: Request) -> Reply:
    """Answer one job."""
    return Reply(_job(state, _known(state, request)))


async def cancel_job(state: State, request: Request) -> Reply:
    """Begin to cancel a job; one that has ended is refused."""
    batch = _known(state, request)
    if batch.ended:
        raise ApiError(400, f"Job {batch.id} has ended, and cannot be cancelled.")
    batch.cancel(state.clock.seconds())
    state.clock.wake()
    return Reply(_job(state, batch))


async def list_jobs(state: State, request: Request) -> Reply:
    """Answer one page of jobs; a name that means nothing else selects by the metadata."""
    query = request.query_params
    wanted = {name: text for name, text in query.items() if name not in _RULES}
    jobs = [_job(state, batch) for batch in state.batches.newest_first() if batch.request.service == NAME]
    jobs = [each for each in jobs if wanted.items() <= (each["metadata"] or {}).items()]
    words = query.getlist("status")
    return _page(request, [each for each in jobs if not words or each["status"] in words])


async def not_there(_: State, request: Request) -> Reply:
    """Refuse a path that only another service has."""
    raise ApiError(404, f"no Route matched with those values ({request.method} {request.url.path})")


HANDLERS: Final[dict[str, Handler]] = {
    "createFile": create_file, "listFiles": list_files, "retrieveFile": retrieve_file,
    "downloadFile": files_api.download_file, "deleteFile": files_api.delete_file,
    "createBatchJob": create_job, "listBatchJobs": list_jobs, "retrieveBatchJob": retrieve_job,
    "cancelBatchJob": cancel_job,
    **dict.fromkeys(("createBatch", "listBatches", "retrieveBatch", "cancelBatch"), not_there),
}  # fmt: skip


def _wanted(body: dict[str, Any]) -> BatchRequest:
    files, metadata, hours = body.get("input_files"), body.get("metadata"), body.get("timeout_hours", 24)
    if body.get("endpoint") not in ENDPOINTS:
        raise _invalid(f"endpoint: Input should be one of {', '.join(ENDPOINTS)}")
    if not isinstance(files, list) or len(files) != 1 or not isinstance(files[0], str):
        raise _invalid("input_files: the emulator takes one file")
    if not isinstance(hours, int) or hours not in _HOURS:
        raise _invalid(f"timeout_hours: Input should be from {_HOURS.start} to {_HOURS[-1]}")
    if metadata is not None and not (isinstance(metadata, dict) and all(map(_is_text, metadata.values()))):
        raise _invalid("metadata: Input should be an object of texts")
    return BatchRequest(
        files[0], body["endpoint"], f"{hours}h", metadata, RESULTS_KEPT, service=NAME, model=body.get("model"),
        seconds=hours * 3_600,
    )  # fmt: skip


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _known(state: State, request: Request) -> Batch:
    batch = state.batches.get(request.path_params["batch_id"])
    if batch.request.service != NAME:
        raise ApiError(404, f"No job {batch.id}.")
    return batch


async def _check_room(state: State, lines: int) -> None:
    """Refuse a job whose requests have no place beside those that wait or run."""
    most = state.scenario.pending_requests
    waiting = await asyncio.to_thread(lambda: sum(_pending(state.batches.newest_first())))
    if most is not None and waiting + lines > most:
        raise ApiError(429, f"This would exceed the limit of {most:,} pending batch requests of the workspace.")


def _pending(batches: Iterable[Batch]) -> Iterable[int]:
    return (batch.total - batch.completed - batch.failed for batch in batches if not batch.ended)


def _page(request: Request, items: list[dict[str, Any]]) -> Reply:
    number, size = (_number(request, name, usual) for name, usual in (("page", 0), ("page_size", _PAGE)))
    return Reply({"object": "list", "data": items[number * size : (number + 1) * size], "total": len(items)})


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isdecimal():
        raise _invalid(f"{name}: Input should be a whole number")
    return int(text)


def _job(state: State, batch: Batch) -> dict[str, Any]:
    return shapes.job(batch, state.scenario.statuses)


def _invalid(message: str) -> ApiError:
    return ApiError(422, message, kind="invalid_request_error")
