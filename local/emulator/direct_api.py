"""The endpoints that answer one request at once, as a batch answers one of its lines."""

import asyncio

from starlette.requests import Request

from local.emulator.batches_api import json_object
from local.emulator.lines import InputLine
from local.emulator.reply import Reply
from local.emulator.state import State

_TIMED_OUT = 504


async def answer(state: State, request: Request) -> Reply:
    """Answer the request as a line of a batch is answered, and bill it."""
    body, endpoint = await json_object(request), request.url.path
    answerer, now = state.answerer(state.scenario), state.clock.seconds()
    answered = await asyncio.to_thread(answerer.ask, endpoint, InputLine(1, "", body), now)
    if answered.error is not None:
        code, message = answered.error
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        return Reply({"error": error}, _TIMED_OUT)
    if answered.succeeded:
        state.direct.append({"endpoint": endpoint, "body": body})
    return Reply(answered.body, answered.status)
