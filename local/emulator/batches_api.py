"""The Batches API: create, retrieve, cancel, list."""

from typing import Any

import msgspec
from starlette.requests import Request

from local.emulator import runner
from local.emulator.batches import Batch, BatchRequest
from local.emulator.errors import ApiError, missing_parameter, no_such_batch
from local.emulator.files import THIRTY_DAYS
from local.emulator.files_api import lifetime_of, status_of
from local.emulator.paging import page
from local.emulator.prompts import REQUIRED_MEMBER
from local.emulator.reply import Reply
from local.emulator.state import State

_HOUR = 3_600
_METADATA = {"pairs": 16, "key": 64, "value": 512}


async def create_batch(state: State, request: Request) -> Reply:
    """Check the body of the request, not the file, and start a batch whose status is `validating`."""
    wanted = parse_batch_request(await json_object(request))
    _check_rate(state)
    _check_file(state, wanted.input_file_id)
    batch = state.batches.add(wanted)
    reply = Reply(_shown(state, batch), made=batch.id)
    runner.start(state, batch)
    return reply


async def retrieve_batch(state: State, request: Request) -> Reply:
    """Answer one batch."""
    return Reply(_shown(state, state.batches.get(request.path_params["batch_id"])))


async def cancel_batch(state: State, request: Request) -> Reply:
    """Begin to cancel a batch; answer 409 if it has ended otherwise, and the same batch if it is cancelled."""
    batch = state.batches.get(request.path_params["batch_id"])
    batch.cancel(state.clock.seconds())
    state.clock.wake()
    return Reply(_shown(state, batch))


async def list_batches(state: State, request: Request) -> Reply:
    """Answer one page of batches, newest first."""
    shown = [_shown(state, batch) for batch in state.batches.newest_first()]
    return Reply(page(request, shown, no_such_batch, default=20, most=100))


def _shown(state: State, batch: Batch) -> dict[str, Any]:
    shown = batch.wire()
    return {**shown, "status": state.scenario.statuses.get(shown["status"], shown["status"])}


async def json_object(request: Request) -> dict[str, Any]:
    """Return the body of the request; raise ApiError 400 if it is no JSON object."""
    try:
        body = msgspec.json.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = "We could not parse the JSON body of your request."
        raise ApiError(400, message) from error
    if not isinstance(body, dict):
        raise ApiError(400, "The JSON body of your request must be an object.")
    return body


def parse_batch_request(body: dict[str, Any]) -> BatchRequest:
    """Return the checked body of createBatch; raise ApiError 400, which names the wrong member."""
    for name in ("input_file_id", "endpoint", "completion_window"):
        if body.get(name) is None:
            raise missing_parameter(name)
        if not isinstance(body[name], str):
            raise ApiError(400, f"Invalid type for '{name}': expected a string.", param=name, code="invalid_type")
    _check_value("endpoint", body["endpoint"], list(REQUIRED_MEMBER))
    _check_value("completion_window", body["completion_window"], ["24h"])
    _check_metadata(body.get("metadata"))
    after = body.get("output_expires_after")
    lifetime = THIRTY_DAYS if after is None else lifetime_of(after, "output_expires_after")
    return BatchRequest(
        body["input_file_id"], body["endpoint"], body["completion_window"], body.get("metadata"), lifetime
    )


def _check_value(name: str, value: str, supported: list[str]) -> None:
    if value not in supported:
        listed = ", ".join(f"'{item}'" for item in supported)
        message = f"Invalid value: '{value}'. Supported values are: {listed}."
        raise ApiError(400, message, param=name, code="invalid_value")


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        message = "Invalid type for 'metadata': expected an object with string values."
        raise ApiError(400, message, param="metadata", code="invalid_type")
    if len(metadata) > _METADATA["pairs"]:
        message = f"Invalid 'metadata': too many properties. Expected at most {_METADATA['pairs']}."
        raise ApiError(400, message, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        _check_metadata_pair(key, value)


def _check_metadata_pair(key: str, value: object) -> None:
    param = f"metadata.{key}"
    if not isinstance(value, str):
        raise ApiError(400, f"Invalid type for '{param}': expected a string.", param=param, code="invalid_type")
    if len(key) > _METADATA["key"] or len(value) > _METADATA["value"]:
        message = f"Invalid '{param}': string too long (key {_METADATA['key']}, value {_METADATA['value']} at most)."
        raise ApiError(400, message, param=param, code="string_above_max_length")


def _check_file(state: State, file_id: str) -> None:
    """Raise ApiError 400 for a file that is not ready; a file that is not there fails the batch later."""
    stored = state.files.find(file_id)
    status = "processed" if stored is None else status_of(state, stored)
    if status != "processed":
        raise ApiError(400, f"The file {file_id} is '{status}': it must be processed.", param="input_file_id")


def _check_rate(state: State) -> None:
    most = state.scenario.creates_per_hour
    newest = state.batches.newest_first()
    if len(newest) >= most and newest[most - 1].created_at > state.clock.seconds() - _HOUR:
        message = f"Rate limit reached for batch creation: {most} per hour."
        raise ApiError(429, message, kind="requests", code="rate_limit_exceeded")
