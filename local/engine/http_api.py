"""Turn the OpenAPI document of an HttpApi, as SAM writes it, into routes and integrations of ministack."""
# ruff: noqa: SLF001 - ministack offers no public way in; tests/integration/local/engine/test_mends.py holds these names

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any


def import_body(api_id: str, body: Mapping[str, Any]) -> None:
    """Create the Lambda proxies that the document `body` describes in the API with this id.

    Raises:
        ValueError: ministack refused a route or an integration.

    """
    gateway = import_module("ministack.services.apigateway")
    for path, operations in body.get("paths", {}).items():
        for method, operation in operations.items():
            integration = _answer(gateway._create_integration(api_id, _integration(operation)))
            gateway._create_route(api_id, _route(path, method, integration["integrationId"]))


def _integration(operation: Mapping[str, Any]) -> dict[str, Any]:
    settings = operation["x-amazon-apigateway-integration"]
    return {
        "integrationType": settings["type"].upper(),
        "integrationUri": settings["uri"],
        "payloadFormatVersion": str(settings["payloadFormatVersion"]),
        "timeoutInMillis": int(settings.get("timeoutInMillis", 30_000)),
    }


def _route(path: str, method: str, integration: str) -> dict[str, Any]:
    verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
    key = "$default" if path.removeprefix("/") == "$default" else f"{verb} {path}"
    return {"routeKey": key, "target": f"integrations/{integration}"}


def _answer(response: tuple[int, Any, bytes | str]) -> dict[str, Any]:
    status, _, body = response
    if status >= 400:
        raise ValueError(f"the engine refused a part of the HTTP API: {body!r}")
    answer: dict[str, Any] = json.loads(body)
    return answer
