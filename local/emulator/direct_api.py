"""The endpoints that answer one request at once, as a batch answers one of its lines."""

import asyncio
from typing import Any

from starlette.requests import Request

from local.emulator.batches import Usage
from local.emulator.batches_api import json_object
from local.emulator.bill import FLEX, STANDARD, PriceList, shown
from local.emulator.errors import ApiError
from local.emulator.lines import InputLine
from local.emulator.reply import Reply
from local.emulator.state import State

_TIMED_OUT = 504
_TIER = "service_tier"
_FLEX, _DEFAULT = "flex", "default"


async def answer(state: State, request: Request) -> Reply:
    """Answer the request as a line of a batch is answered, and bill it."""
    return await answered(state, request, request.url.path, state.prices)


async def answered(state: State, request: Request, endpoint: str, prices: PriceList) -> Reply:
    """Answer a request to an endpoint, and bill it by a list of prices."""
    body = await json_object(request)
    tier = await _tier(state, body)
    answerer, now = state.answerer(state.scenario), state.clock.seconds()
    outcome = await asyncio.to_thread(answerer.ask, endpoint, InputLine(1, "", body), now)
    if outcome.error is not None:
        code, message = outcome.error
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        return Reply({"error": error}, _TIMED_OUT)
    if not outcome.succeeded:
        return Reply(outcome.body, outcome.status)
    told = {**outcome.body, _TIER: tier} if _TIER in outcome.body else outcome.body
    state.direct.append(_billed(prices, endpoint, body, told))
    return Reply(told, outcome.status)


async def _tier(state: State, body: dict[str, Any]) -> str:
    """Return the tier by which a request is answered, once it is its turn; refuse one that gets no flex processing."""
    flex, model = state.scenario.flex, str(body.get("model"))
    if body.get(_TIER) != _FLEX:
        return _DEFAULT
    if not flex.sold or not (state.prices.sells(model, FLEX) or state.prices.empty):
        raise ApiError(400, f"Flex is not available for the model {model[:200]}.", param=_TIER, code="invalid_value")
    if not state.director.has_room_by_flex():
        message = "Resource unavailable: flex processing has no room now. You are not charged. Try again later."
        raise ApiError(429, message, kind="resource_unavailable", code="resource_unavailable")
    await asyncio.sleep(flex.seconds)
    return flex.served_as


def _billed(prices: PriceList, endpoint: str, body: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    usage, tier = Usage(), told.get(_TIER, _DEFAULT)
    usage.add(told.get("usage"))
    cost = prices.dollars(str(body.get("model")), FLEX if tier == _FLEX else STANDARD, usage, endpoint)
    return {"endpoint": endpoint, "body": body, _TIER: tier, "usage": usage.wire(), "usd": shown(cost)}
