"""The AWS of the local stack: ministack, served on one loopback port, with the mends the template needs.

Everything that knows ministack is in this module; the rest of the project speaks boto3 to its endpoint.
Run it as `python -m local.tether local.engine LISTENING_SOCKET [NAME_OF_A_MEND_TO_LEAVE_OUT …]`.
"""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/test_engine.py holds every name used here

import asyncio
import json
import logging
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_KEPT_FROM_HOST = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV"),
    # a real provider may be behind a proxy or a private certificate authority
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def client_environment(port: int) -> dict[str, str]:
    """Return the variables that point boto3, and nothing else of the host's configuration, at the engine on `port`."""
    return {
        **CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def session(port: int) -> boto3.Session:
    """Point this whole process's boto3 at the engine on `port`, and return a session."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(client_environment(port))
    return boto3.Session()


def environment(port: int, scratch: Path, host: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of the engine's process, which its Lambda workers inherit.

    Of `host` only what programs need to run is kept: no credential or AWS setting of the user reaches a function.
    """
    kept = {name: host[name] for name in _KEPT_FROM_HOST if name in host}
    return {
        **kept,
        **client_environment(port),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "AUTH": "true",  # Lambda roles are enforced: a permission the template forgot fails here too
        "DOCKER_HOST": "unix:///nonexistent",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "TMPDIR": str(scratch),
        "LOG_LEVEL": "INFO",
    }


def _ministack(module: str) -> Any:  # noqa: ANN401 - the engine ships no types
    # imported late: ministack reads its environment while it is imported, and only its own process should pay for it
    return import_module(f"ministack.{module}")


def mend_http_api_body() -> None:
    """Give an AWS::ApiGatewayV2::Api the routes of its `Body`, where SAM writes them and ministack does not look."""
    handlers = _ministack("services.cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create = handlers["create"]

    def create_with_body(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        api_id, attributes = create(logical_id, properties, stack)
        _import_body(api_id, properties.get("Body") or {})
        return api_id, attributes

    handlers["create"] = create_with_body


def _import_body(api_id: str, body: Mapping[str, Any]) -> None:
    gateway = _ministack("services.apigateway")
    schemes = body.get("components", {}).get("securitySchemes", {})
    authorizers = {
        name: _answer(gateway._create_authorizer(api_id, _authorizer(name, scheme)))["authorizerId"]
        for name, scheme in schemes.items()
    }
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            integration = _answer(gateway._create_integration(api_id, _integration(operation)))
            gateway._create_route(api_id, _route(path, method, operation, integration["integrationId"], authorizers))


def _authorizer(name: str, scheme: Mapping[str, Any]) -> dict[str, Any]:
    settings = scheme["x-amazon-apigateway-authorizer"]
    return {
        "name": name,
        "authorizerType": "REQUEST",
        "identitySource": settings.get("identitySource", []),
        "authorizerUri": settings["authorizerUri"],
        "authorizerPayloadFormatVersion": str(settings["authorizerPayloadFormatVersion"]),
        "authorizerResultTtlInSeconds": int(settings.get("authorizerResultTtlInSeconds", 0)),
        "enableSimpleResponses": bool(settings.get("enableSimpleResponses", False)),
    }


def _integration(operation: Mapping[str, Any]) -> dict[str, Any]:
    settings = operation["x-amazon-apigateway-integration"]
    return {
        "integrationType": settings["type"].upper(),
        "integrationUri": settings["uri"],
        "payloadFormatVersion": str(settings["payloadFormatVersion"]),
        "timeoutInMillis": int(settings.get("timeoutInMillis", 30_000)),
    }


def _route(
    path: str, method: str, operation: Mapping[str, Any], integration: str, authorizers: Mapping[str, str]
) -> dict[str, Any]:
    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    route = {
        "routeKey": "$default" if path == "/$default" else f"{verb} {path}",
        "target": f"integrations/{integration}",
    }
    required = [name for requirement in operation.get("security", []) for name in requirement if name in authorizers]
    if required:
        route |= {"authorizationType": "CUSTOM", "authorizerId": authorizers[required[0]]}
    return route


def _answer(response: tuple[int, Any, bytes | str]) -> dict[str, Any]:
    status, _, body = response
    if status >= 400:
        raise ValueError(f"the engine refused a part of the HTTP API: {body!r}")
    answer: dict[str, Any] = json.loads(body)
    return answer


def mend_max_concurrency_path() -> None:
    """Read a Distributed Map's `MaxConcurrencyPath`, which ministack ignores and runs up to 64 items at once."""
    states = _ministack("services.stepfunctions")
    run = states._run_distributed_map

    def run_bounded(
        state: dict[str, object], raw: object, effective: object, iterator: object, execution: object, context: object
    ) -> object:
        if path := state.get("MaxConcurrencyPath"):
            state = {**state, "MaxConcurrency": states._resolve_path_or_ctx(path, effective, context)}
        return run(state, raw, effective, iterator, execution, context)

    states._run_distributed_map = run_bounded


MENDS: Mapping[str, Callable[[], None]] = {
    "http_api_body": mend_http_api_body,
    "max_concurrency_path": mend_max_concurrency_path,
}


def with_api_at_v1(application: Application) -> Application:
    """Serve the stack's one HTTP API at `/v1` of the engine's own address (no S3 bucket has a name that short)."""

    async def application_with_api(
        scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        apis = _ministack("services.apigateway")._apis
        if scope["type"] == "http" and (scope["path"] + "/").startswith("/v1/") and len(apis) == 1:
            prefix = f"/_aws/execute-api/{next(iter(apis))}"
            scope = {**scope, "path": prefix + scope["path"], "raw_path": prefix.encode() + scope["raw_path"]}
        await application(scope, receive, send)

    return application_with_api


def main(socket: str, *left_out: str) -> None:
    """Serve on the inherited listening `socket` (its number) until the process is ended."""
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # one log
    application: Application = _ministack("app").app
    for name, mend in MENDS.items():
        if name not in left_out:
            mend()
    _raise_open_files()
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{socket}"]
    logging.getLogger("hypercorn.access").setLevel(logging.WARNING)
    serve = import_module("hypercorn.asyncio").serve
    # a trigger that never comes leaves SIGTERM its plain meaning: nothing here is worth saving
    asyncio.run(serve(with_api_at_v1(application), config, shutdown_trigger=asyncio.Event().wait))


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard > 0 else 65_536, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
