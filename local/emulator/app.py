"""The emulator as an ASGI application: the paths and methods of all operations."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from local.emulator import (
    admin_api,
    batches_api,
    direct_api,
    files_api,
    models_api,
    together,
    uploads_api,
    webhooks_api,
)  # fmt: skip
from local.emulator.anthropic import api as messages_api
from local.emulator.anthropic.operation import MessagesOperation
from local.emulator.bedrock import api as bedrock_api
from local.emulator.bedrock import batches as bedrock_batches
from local.emulator.bedrock.operation import BedrockOperation, OpenAIOperation
from local.emulator.callers import ForOwnCallers
from local.emulator.errors import ApiError
from local.emulator.mistral import api as mistral
from local.emulator.mistral.shapes import NAME as MISTRAL
from local.emulator.operations import Handler, Operation
from local.emulator.reply import Reply
from local.emulator.state import State
from local.emulator.wire import NO_FAULT, Connection

_WEBHOOKS = "/webhook_endpoints"


async def not_there(_: State, request: Request) -> Reply:
    """Refuse a path that only another service has."""
    raise ApiError(404, f"Invalid URL ({request.method} {request.url.path})")


OPERATIONS: list[tuple[str, str, str, Handler]] = [
    ("createFile", "POST", "/files", files_api.create_file),
    ("createFile", "POST", "/files/upload", not_there),
    ("listFiles", "GET", "/files", files_api.list_files),
    ("retrieveFile", "GET", "/files/{file_id}", files_api.retrieve_file),
    ("deleteFile", "DELETE", "/files/{file_id}", files_api.delete_file),
    ("downloadFile", "GET", "/files/{file_id}/content", files_api.download_file),
    ("createUpload", "POST", "/uploads", uploads_api.create_upload),
    ("addUploadPart", "POST", "/uploads/{upload_id}/parts", uploads_api.add_upload_part),
    ("completeUpload", "POST", "/uploads/{upload_id}/complete", uploads_api.complete_upload),
    ("cancelUpload", "POST", "/uploads/{upload_id}/cancel", uploads_api.cancel_upload),
    ("createBatch", "POST", "/batches", batches_api.create_batch),
    ("listBatches", "GET", "/batches", batches_api.list_batches),
    ("retrieveBatch", "GET", "/batches/{batch_id}", batches_api.retrieve_batch),
    ("cancelBatch", "POST", "/batches/{batch_id}/cancel", batches_api.cancel_batch),
    ("createBatchJob", "POST", "/batch/jobs", not_there),
    ("listBatchJobs", "GET", "/batch/jobs", not_there),
    ("retrieveBatchJob", "GET", "/batch/jobs/{batch_id}", not_there),
    ("cancelBatchJob", "POST", "/batch/jobs/{batch_id}/cancel", not_there),
    ("createWebhookEndpoint", "POST", _WEBHOOKS, webhooks_api.create_webhook_endpoint),
    ("listWebhookEndpoints", "GET", _WEBHOOKS, webhooks_api.list_webhook_endpoints),
    ("retrieveWebhookEndpoint", "GET", f"{_WEBHOOKS}/{{endpoint_id}}", webhooks_api.retrieve_webhook_endpoint),
    ("updateWebhookEndpoint", "POST", f"{_WEBHOOKS}/{{endpoint_id}}", webhooks_api.update_webhook_endpoint),
    ("deleteWebhookEndpoint", "DELETE", f"{_WEBHOOKS}/{{endpoint_id}}", webhooks_api.delete_webhook_endpoint),
    ("rotateWebhookSecret", "POST", f"{_WEBHOOKS}/{{endpoint_id}}/rotate_secret", webhooks_api.rotate_webhook_secret),
    ("testWebhookEndpoint", "POST", f"{_WEBHOOKS}/{{endpoint_id}}/test", webhooks_api.test_webhook_endpoint),
    ("listWebhookEventTypes", "GET", "/webhook_event_types", webhooks_api.list_webhook_event_types),
    ("listModels", "GET", "/models", models_api.list_models),
    ("retrieveModel", "GET", "/models/{model:path}", models_api.retrieve_model),
    ("createResponse", "POST", "/responses", direct_api.answer),
    ("createChatCompletion", "POST", "/chat/completions", direct_api.answer),
    ("createEmbedding", "POST", "/embeddings", direct_api.answer),
    ("createFimCompletion", "POST", "/fim/completions", direct_api.answer),
    ("createCompletion", "POST", "/completions", direct_api.answer),
    ("createModeration", "POST", "/moderations", direct_api.answer),
    ("createImage", "POST", "/images/generations", direct_api.answer),
]
ANTHROPIC: list[tuple[str, str, str, Handler]] = [
    ("createMessageBatch", "POST", "/messages/batches", messages_api.create),
    ("listMessageBatches", "GET", "/messages/batches", messages_api.list_all),
    ("retrieveMessageBatch", "GET", "/messages/batches/{batch_id}", messages_api.retrieve),
    ("deleteMessageBatch", "DELETE", "/messages/batches/{batch_id}", messages_api.delete),
    ("cancelMessageBatch", "POST", "/messages/batches/{batch_id}/cancel", messages_api.cancel),
    ("retrieveMessageBatchResults", "GET", "/messages/batches/{batch_id}/results", messages_api.results),
    ("createMessage", "POST", "/messages", messages_api.answer),
]
BEDROCK: list[tuple[str, str, str, Handler]] = [
    ("createModelInvocationJob", "POST", "/model-invocation-job", bedrock_api.create),
    ("listModelInvocationJobs", "GET", "/model-invocation-jobs", bedrock_api.list_all),
    ("stopModelInvocationJob", "POST", "/model-invocation-job/{batch_id:path}/stop", bedrock_api.stop),
    ("getModelInvocationJob", "GET", "/model-invocation-job/{batch_id:path}", bedrock_api.retrieve),
    ("invokeModel", "POST", "/model/{model:path}/invoke", bedrock_api.invoke),
    ("converse", "POST", "/model/{model:path}/converse", bedrock_api.converse),
]
OPENAI_ON_BEDROCK: list[tuple[str, str, str, Handler]] = [
    ("createBatch", "POST", "/batches", bedrock_batches.create),
    ("listBatches", "GET", "/batches", bedrock_batches.list_all),
    ("retrieveBatch", "GET", "/batches/{batch_id}", bedrock_batches.retrieve),
    ("cancelBatch", "POST", "/batches/{batch_id}/cancel", bedrock_batches.cancel),
    ("createChatCompletion", "POST", "/chat/completions", bedrock_batches.answer),
]
_ADMIN: list[tuple[str, str, Handler]] = [
    ("POST", "/scenario", admin_api.set_scenario),
    ("GET", "/scenario", admin_api.get_scenario),
    ("POST", "/clock", admin_api.advance_clock),
    ("GET", "/calls", admin_api.list_calls),
    ("GET", "/ledger", admin_api.list_ledger),
    ("POST", "/aws", admin_api.set_aws),
]


_SERVICES = {together.NAME: together.HANDLERS, MISTRAL: mistral.HANDLERS}
HEALTH = ("/health", "/v1/health")


def _health(_: Request) -> Response:
    """Tell, without a key, that the emulator answers."""
    return JSONResponse({"status": "ok"})


def by_service(name: str, handler: Handler) -> Handler:
    """Return a handler that does as the service which the scenario names."""

    async def handle(state: State, request: Request) -> Reply:
        own = _SERVICES.get(state.scenario.service, {}).get(name)
        return await (own or handler)(state, request)

    return handle


class AdminOperation:
    """One operation of the emulator's own API as an ASGI application: no key, no fault, no record."""

    def __init__(self, state: State, handler: Handler) -> None:
        self._state = state
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            reply = await self._handler(self._state, Request(scope, receive))
        except ApiError as error:
            reply = Reply(error.envelope(), error.status)
        await Connection(scope, receive, send).deliver(reply, NO_FAULT)


def unknown_url(request: Request, error: Exception) -> Response:
    """Refuse a path or a method that the provider does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    refused = ApiError(status, f"Invalid URL ({request.method} {request.url.path})")
    return JSONResponse(refused.envelope(), status)


def build(state: State) -> ASGIApp:
    """Return the application that serves `state`."""
    api = [
        Route(path, Operation(state, name, by_service(name, handler)), methods=[method])
        for name, method, path, handler in OPERATIONS
    ]
    api += [
        Route(path, MessagesOperation(state, name, handler), methods=[method])
        for name, method, path, handler in ANTHROPIC
    ]
    health = [Route(path, _health) for path in HEALTH]
    admin = [Route(path, AdminOperation(state, handler), methods=[method]) for method, path, handler in _ADMIN]
    bedrock = [
        Route(path, BedrockOperation(state, name, handler), methods=[method]) for name, method, path, handler in BEDROCK
    ]
    openai = [
        Route(path, OpenAIOperation(state, name, handler), methods=[method])
        for name, method, path, handler in OPENAI_ON_BEDROCK
    ]
    mounts = [Mount("/v1", routes=api), Mount("/openai/v1", routes=openai), Mount("/_emulator", routes=admin)]
    routes = [*health, *bedrock, *mounts]
    return ForOwnCallers(Starlette(routes=routes, exception_handlers={404: unknown_url, 405: unknown_url}))
