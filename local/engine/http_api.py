"""Read the OpenAPI document in which SAM writes an HttpApi into ministack's routes, integrations and authorizers."""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/test_engine_mends.py holds these names

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def import_body(api_id: str, body: Mapping[str, Any]) -> None:
    """Create in the API of this id what the document `body` describes: Lambda proxies behind request authorizers.

    Raises:
        ValueError: ministack refused a part of it.

    """
    gateway = import_module("ministack.services.apigateway")
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
