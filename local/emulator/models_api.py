"""The Models API: list and retrieve."""

from typing import Any

from starlette.requests import Request

from local.emulator.answers import SNAPSHOTS
from local.emulator.errors import ApiError
from local.emulator.reply import Reply
from local.emulator.state import State

CREATED = 1_744_588_800  # 14 April 2025, the day of the dated models


async def list_models(state: State, _: Request) -> Reply:
    """Answer the models that are known."""
    return Reply({"object": "list", "data": [_wire(name) for name in _known(state)]})


async def retrieve_model(state: State, request: Request) -> Reply:
    """Answer one model."""
    name = request.path_params["model"]
    if name not in _known(state):
        message = f"The model '{name[:200]}' does not exist or you do not have access to it."
        raise ApiError(404, message, param="model", code="model_not_found")
    return Reply(_wire(name))


def _known(state: State) -> list[str]:
    """Return the only models that the scenario knows, or else some of the provider's and those of all batches."""
    if state.scenario.models is not None:
        return state.scenario.models
    used = [batch.model for batch in state.batches.newest_first() if batch.model]
    return list(dict.fromkeys([*SNAPSHOTS, *SNAPSHOTS.values(), *used]))


def _wire(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "emulator"}
