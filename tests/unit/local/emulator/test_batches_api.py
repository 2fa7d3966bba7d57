"""What the emulator reads of a request to make a batch."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from local.emulator.batches_api import json_object
from local.emulator.errors import ApiError


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"[" * 9_999 + b"]" * 9_999]
)
def test_a_body_that_is_no_object_is_a_400_however_deep_it_nests(body: bytes) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    with pytest.raises(ApiError) as refused:
        asyncio.run(json_object(Request({"type": "http"}, receive)))
    assert refused.value.status == 400
