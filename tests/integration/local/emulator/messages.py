"""Message batches of a running emulator, by the official SDK."""

import time
from typing import Any

from anthropic import Anthropic
from anthropic.types.messages import MessageBatch
from anthropic.types.messages.batch_create_params import Request

from tests.integration.local.emulator.running import Emulator

_SECONDS_TO_END = 15.0


def sdk(emulator: Emulator, **options: Any) -> Anthropic:
    """Return the official client of an emulator, which retries nothing."""
    given = {"api_key": emulator.api_key, "max_retries": 0, "timeout": 10.0, **options}
    return Anthropic(base_url=emulator.url.removesuffix("/v1"), **given)


def wanted(count: int, model: str = "claude-haiku-4-5", **params: Any) -> list[Request]:
    """Return requests named r-1, r-2, …"""
    return [{"custom_id": f"r-{number}", "params": _params(number, model, params)} for number in range(1, count + 1)]


def _params(number: int, model: str, params: dict[str, Any]) -> Any:
    messages = [{"role": "user", "content": f"Say {number}"}]
    return {"model": model, "max_tokens": 64, "messages": messages, **params}


def ended(client: Anthropic, batch_id: str) -> MessageBatch:
    """Poll until a batch has ended, and return it."""
    deadline = time.monotonic() + _SECONDS_TO_END
    while time.monotonic() < deadline:
        batch = client.messages.batches.retrieve(batch_id)
        if batch.processing_status == "ended":
            return batch
        time.sleep(0.01)
    raise AssertionError(f"{batch.processing_status} after {_SECONDS_TO_END} s")
