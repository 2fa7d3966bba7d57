"""The operations of Anthropic's API: message batches, and messages that are answered at once."""

import asyncio
from typing import Any

from starlette.requests import Request

from local.emulator import direct_api, identifiers
from local.emulator.anthropic import bill, incoming, runner
from local.emulator.anthropic.batches import MessageBatch
from local.emulator.anthropic.errors import no_such_batch, refused
from local.emulator.anthropic.operation import is_of_gateway
from local.emulator.batches_api import json_object
from local.emulator.bill import shown
from local.emulator.errors import ApiError
from local.emulator.lines import InputLine
from local.emulator.outcomes import shuffle_lines
from local.emulator.prompts import MESSAGES
from local.emulator.reply import FileSlice, Reply, refused_by_gateway
from local.emulator.state import State

_PAGE, _LONGEST_PAGE = 20, 1000


async def create(state: State, request: Request) -> Reply:
    """Take in the requests, check their ids, not their params, and run them."""
    limits, path = state.scenario.messages, state.directory / identifiers.hex_id("incoming-")
    try:
        await incoming.spool(request, limits, path)
        total = await asyncio.to_thread(incoming.check, path, limits)
        batch = state.message_batches.add(total, limits.queued_requests)
    except ApiError as error:
        path.unlink(missing_ok=True)
        if error.status == 413 and state.scenario.too_large_by_gateway:
            return refused_by_gateway(413)
        raise
    reply = Reply(_shown(state, request, batch), made=batch.id)
    runner.start(state, batch, path)
    return reply


async def retrieve(state: State, request: Request) -> Reply:
    """Answer one batch."""
    return Reply(_shown(state, request, _batch(state, request)))


async def cancel(state: State, request: Request) -> Reply:
    """Begin to cancel a batch; refuse it if the batch has ended."""
    batch = _batch(state, request)
    batch.cancel(state.clock.now())
    state.clock.wake()
    return Reply(_shown(state, request, batch))


async def delete(state: State, request: Request) -> Reply:
    """Delete a batch that has ended, with its results."""
    batch = _batch(state, request)
    state.message_batches.delete(batch)
    return Reply({"id": batch.id, "type": "message_batch_deleted"})


async def results(state: State, request: Request) -> Reply:
    """Answer the results of a batch that has ended, line by line and in any order, for 29 days."""
    batch = _batch(state, request)
    if not batch.ended:
        raise refused(404, f"Batch {batch.id} has not finished processing; its results are not available.")
    if batch.is_archived(state.clock.now()):
        raise refused(404, f"The results of batch {batch.id} are no longer available.")
    if state.scenario.messages.reshuffled:
        await asyncio.to_thread(shuffle_lines, batch.results_path)
    size = batch.results_path.stat().st_size
    return Reply(content=FileSlice(batch.results_path, 0, size), content_type="application/x-jsonl")


async def list_all(state: State, request: Request) -> Reply:
    """Answer one page of batches, newest first: those after `after_id`, or the nearest before `before_id`."""
    batches, query = state.message_batches.newest_first(), request.query_params
    limit = _limit(query.get("limit"))
    before = query.get("before_id")
    if before:
        found = batches[: _place(batches, before)]
        page, more = found[-limit:], len(found) > limit
    else:
        after = query.get("after_id")
        found = batches[_place(batches, after) + 1 :] if after else batches
        page, more = found[:limit], len(found) > limit
    data = [_shown(state, request, batch) for batch in page]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return Reply({"data": data, "has_more": more, "first_id": first, "last_id": last})


async def answer(state: State, request: Request) -> Reply:
    """Answer one message at once, at the full price; without a version, as a gateway of OpenAI's API does."""
    if is_of_gateway(request):
        return await direct_api.answer(state, request)
    body = await json_object(request)
    if body.get("stream"):
        raise refused(400, "stream: the emulator does not stream")
    answerer, line = state.answerer(state.scenario), InputLine(1, "", body)
    told = await asyncio.to_thread(answerer.ask, MESSAGES, line, state.clock.seconds())
    if not told.succeeded:
        return Reply(told.body, told.status or 504)
    message = {**told.body, "usage": {**told.body.get("usage", {}), "service_tier": "standard"}}
    cost = bill.dollars(state.prices, str(body["model"]), message["usage"], batch=False)
    usage = bill.summed({}, message["usage"])
    state.direct.append({"endpoint": MESSAGES, "body": body, "usage": usage, "usd": shown(cost)})
    return Reply(message)


def entry(state: State, batch: MessageBatch) -> dict[str, Any]:
    """Return what the ledger says of a batch."""
    return {
        **batch.wire("", state.clock.now()),
        "ordinal": batch.ordinal,
        "endpoint": MESSAGES,
        "status": batch.status,
        "requests": batch.total,
        "billed_requests": batch.counts["succeeded"],
        "usage": batch.usage,
        "usd": shown(batch.dollars),
    }


def _batch(state: State, request: Request) -> MessageBatch:
    return state.message_batches.get(request.path_params["batch_id"])


def _shown(state: State, request: Request, batch: MessageBatch) -> dict[str, Any]:
    address = str(request.base_url).rstrip("/").removesuffix("/v1") + "/v1/messages/batches"
    shown = batch.wire(address, state.clock.now())
    status = shown["processing_status"]
    return {**shown, "processing_status": state.scenario.statuses.get(status, status)}


def _place(batches: list[MessageBatch], batch_id: str) -> int:
    ids = [batch.id for batch in batches]
    if batch_id not in ids:
        raise no_such_batch(batch_id)
    return ids.index(batch_id)


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_PAGE:
        raise refused(400, f"limit: Input should be a number from 1 to {_LONGEST_PAGE}")
    return int(text)
