"""What every operation has in common: the key, the ordered fault, the record of the call, the headers."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from local.emulator import identifiers
from local.emulator.errors import ApiError
from local.emulator.faults import CallFault
from local.emulator.reply import Reply, refused_by_gateway
from local.emulator.scenario import CallSubject
from local.emulator.spoilt import spoil
from local.emulator.state import State
from local.emulator.wire import NO_FAULT, Connection


class HasOrdinal(Protocol):
    """A batch of any kind."""

    ordinal: int


Handler = Callable[[State, Request], Awaitable[Reply]]
_CREATES = frozenset({"createBatch", "createMessageBatch", "createBatchJob", "createModelInvocationJob"})
_LISTS = ("data", "invocationJobSummaries")
_MADE = {"createFile": "file_id", "completeUpload": "file_id", **dict.fromkeys(_CREATES, "batch_id")}


class Operation:
    """One operation of the API as an ASGI application."""

    def __init__(self, state: State, name: str, handler: Handler) -> None:
        self._state = state
        self._name = name
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        fault = self._state.director.for_call(self._name, self._subject(request))
        call = self._record(request, fault)
        began = time.monotonic()
        reply = await self._reply(request, fault)
        self.note(call, reply, fault)
        reply.headers = {**self.headers(call["request_id"], began), **reply.headers}
        await Connection(scope, receive, send).deliver(reply, fault)

    async def _reply(self, request: Request, fault: CallFault) -> Reply:
        await asyncio.sleep(fault.delay)
        if fault.replaces_reply and not fault.after_effect:
            if not fault.early:
                await _drain(request)
            return self._ordered_reply(fault)
        try:
            self.check_caller(request)
        except ApiError as error:
            await _drain(request)  # a caller that still sends would get a broken pipe before the refusal
            return Reply(self.envelope(error), error.status)
        try:
            reply = await self._handler(self._state, request)
        except ApiError as error:
            reply = Reply(self.envelope(error), error.status)
        return self._replaced(reply, fault) if fault.replaces_reply else _altered(reply, fault)

    def check_caller(self, request: Request) -> None:
        """Raise ApiError for a request that is refused by its headers alone."""
        check_key(request, self._state.scenario.api_key or self._state.api_key)

    def envelope(self, error: ApiError) -> dict[str, Any]:
        """Return the body of a refusal."""
        return error.envelope()

    def ordered_error(self, status: int) -> ApiError:
        """Return the error that a fault orders by its status alone."""
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return ApiError(status, f"The emulator answers {status} on order.", kind=kind)

    def _subject(self, request: Request) -> CallSubject:
        if self._name in _CREATES:
            return CallSubject(batch=self._state.ordinals.coming)
        batch_id = request.path_params.get("batch_id", "")
        state = self._state
        batch: HasOrdinal | None = state.batches.find(batch_id) or state.message_batches.find(batch_id)
        batch = batch or state.jobs.find(batch_id) or state.bedrock_batches.find(batch_id)
        stored = state.files.find(request.path_params.get("file_id", ""))
        return CallSubject(batch.ordinal if batch else None, stored.filename if stored else None)

    def _record(self, request: Request, fault: CallFault) -> dict[str, Any]:
        call = {
            "time": self._state.clock.now(),
            "operation": self._name,
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "request_id": identifiers.hex_id("req_"),
            "status": None,
            "faulted": fault != NO_FAULT,
            **request.path_params,
        }
        self._state.calls.append(call)
        return call

    def note(self, call: dict[str, Any], reply: Reply, fault: CallFault) -> None:
        """Record the status that the caller gets, None for no answer, and the id of what the call made."""
        call["status"] = None if fault.connection else reply.status
        if reply.made is not None:
            call[_MADE.get(self._name, "id")] = reply.made

    def headers(self, request_id: str, began: float) -> dict[str, str]:
        """Return the headers of every answer."""
        return {
            "x-request-id": request_id,
            "openai-version": "2020-10-01",
            "openai-organization": "org-emulator",
            "openai-processing-ms": str(int((time.monotonic() - began) * 1000)),
        }

    def _ordered_reply(self, fault: CallFault) -> Reply:
        """Return the answer that a fault orders; without a body, an error object that fits the status."""
        status = fault.status or 200
        if fault.html:
            return refused_by_gateway(status, fault.headers)
        if isinstance(fault.body, str):
            return Reply(None, status, fault.body.encode(), headers=dict(fault.headers))
        if fault.body is not None:
            return Reply(fault.body, status, headers=dict(fault.headers))
        error = self.ordered_error(status)
        error.error.update(fault.error or {})
        return Reply(self.envelope(error), status, headers=dict(fault.headers))

    def _replaced(self, reply: Reply, fault: CallFault) -> Reply:
        ordered = self._ordered_reply(fault)
        ordered.made = reply.made
        return ordered


def check_key(request: Request, wanted: str | None) -> None:
    """Raise ApiError 401 unless the request has a bearer key; if a key is `wanted`, only this key is accepted."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise ApiError(401, "You didn't provide an API key in an Authorization header using Bearer auth.")
    if wanted is not None and not hmac.compare_digest(key.encode(), wanted.encode()):
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


async def _drain(request: Request) -> None:
    async for _ in request.stream():
        pass


def _altered(reply: Reply, fault: CallFault) -> Reply:
    """Change members of a JSON answer; what the call did stays as it is."""
    reply.headers.update(fault.headers)
    if reply.payload is None or reply.status >= 400:
        return reply
    if fault.says is not None:
        reply.payload = spoil(reply.payload, fault.says)
    if fault.hide_newest:
        name = next(name for name in _LISTS if name in reply.payload)
        reply.payload[name] = reply.payload[name][fault.hide_newest :]
    reply.payload.update(fault.set)
    for name in fault.unset:
        reply.payload.pop(name, None)
    if fault.wrap is not None:
        reply.payload = {fault.wrap: reply.payload}
    return reply
