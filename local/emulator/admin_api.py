"""The emulator's own API under /_emulator: a test orders failures and reads what happened. It needs no key."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request

from local.emulator import faults
from local.emulator.anthropic import api as messages_api
from local.emulator.anthropic.batches import MessageBatch
from local.emulator.batches import Batch, Usage
from local.emulator.batches_api import json_object
from local.emulator.bedrock import api as bedrock_api
from local.emulator.bedrock.aws import Aws
from local.emulator.bedrock.jobs import Job
from local.emulator.bill import BATCH, PriceList, shown
from local.emulator.errors import ApiError
from local.emulator.mistral.shapes import HALF
from local.emulator.mistral.shapes import NAME as MISTRAL
from local.emulator.reply import Reply
from local.emulator.state import State


async def set_scenario(state: State, request: Request) -> Reply:
    """Follow the scenario in the body from now on."""
    try:
        state.play(msgspec.convert({**state.defaults, **await json_object(request)}, faults.Scenario))
    except msgspec.ValidationError as error:
        raise ApiError(400, f"Not a scenario: {error}") from error
    return await get_scenario(state, request)


async def get_scenario(state: State, request: Request) -> Reply:  # noqa: ARG001 # every operation has this shape
    """Answer the scenario that is played."""
    shown = msgspec.structs.replace(state.scenario, api_key=None)  # a key is never shown
    return Reply(msgspec.to_builtins(shown))


async def advance_clock(state: State, request: Request) -> Reply:
    """Move the clock by `seconds`, and answer its new time."""
    seconds = (await json_object(request)).get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ApiError(400, "Expected a number of seconds, 0 or more.", param="seconds")
    state.clock.advance(seconds)
    return Reply({"now": state.clock.now()})


async def list_calls(state: State, request: Request) -> Reply:
    """Answer the recorded calls, oldest first; the query `operation` selects one operation."""
    operation = request.query_params.get("operation")
    return Reply({"data": [call for call in list(state.calls) if operation in (None, call["operation"])]})


async def set_aws(state: State, request: Request) -> Reply:
    """Take the address of S3 and EventBridge that Bedrock uses from now on."""
    url = (await json_object(request)).get("endpoint_url")
    if not isinstance(url, str) or not url.startswith(("http://127.0.0.1:", "http://localhost:")):
        raise ApiError(400, "Expected the endpoint_url of an AWS on this machine, such as http://127.0.0.1:4566.")
    state.aws = Aws(url)
    return Reply({"endpoint_url": url})


async def list_ledger(state: State, request: Request) -> Reply:
    """Answer every batch, oldest first, with its billed custom_ids: those that were answered 2xx.

    The query `lines=false` leaves the custom_ids out. The member `direct` holds the requests answered 2xx at once. `usd`
    is the bill in dollars of each, and of all together; null where a model has no price.
    """
    with_lines = request.query_params.get("lines") != "false"
    entries = [_entry(each, state.prices, with_lines=with_lines) for each in state.batches.newest_first()]
    entries += [_entry(each, state.aws_prices, with_lines=with_lines) for each in state.bedrock_batches.newest_first()]
    entries += [_of_job(state, job, with_lines=with_lines) for job in state.jobs.newest_first()]
    entries += [_of_messages(state, batch, with_lines=with_lines) for batch in state.message_batches.ever_made()]
    entries.sort(key=lambda each: int(each["ordinal"]))
    direct = list(state.direct)
    amounts = [each["usd"] for each in (*entries, *direct)]
    whole = None if None in amounts else shown(sum(map(_exact, amounts), Decimal(0)))
    return Reply({"data": entries, "direct": direct, "usd": whole})


def _exact(dollars: float) -> Decimal:
    return Decimal(repr(dollars))


def _entry(batch: Batch, prices: PriceList, *, with_lines: bool) -> dict[str, Any]:
    entry = batch.wire()
    entry["ordinal"] = batch.ordinal
    entry["requests"] = batch.total
    entry["billed_requests"] = batch.completed
    entry["enqueued_tokens"] = 0 if batch.ended else batch.enqueued_tokens
    usage = batch.usage or Usage()
    model, listed = str(batch.model), prices.sells(str(batch.model), BATCH)
    cost = prices.dollars(model, BATCH, usage, batch.request.endpoint)
    if cost is not None and batch.request.service == MISTRAL and not listed:
        cost *= HALF
    entry["usd"] = shown(cost) if usage != Usage() else 0.0
    if with_lines:
        entry["billed"] = list(_billed(batch.ledger_path))
    return entry


def _of_job(state: State, job: Job, *, with_lines: bool) -> dict[str, Any]:
    lines = {"billed": list(_billed(job.ledger_path))} if with_lines else {}
    return {**bedrock_api.entry(state, job), **lines}


def _of_messages(state: State, batch: MessageBatch, *, with_lines: bool) -> dict[str, Any]:
    lines = {"billed": list(_billed(batch.ledger_path))} if with_lines else {}
    return {**messages_api.entry(state, batch), **lines}


def _billed(path: Path) -> Iterator[str]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            yield msgspec.json.decode(line, type=str)
