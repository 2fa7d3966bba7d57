"""The API answers on the routes that its description names, and on no other."""

import json
import re
from collections.abc import Iterable

from batchyard.api import openapi
from batchyard.api.own_routes import router
from batchyard.message_batches import envelope
from local.emulator.app import HEALTH, OPERATIONS


def registered() -> set[tuple[str, str]]:
    """Return the method and path of every route; the document has no sign for a parameter that takes the rest of the path."""
    return {(route.method, route.path.replace("+}", "}")) for route in router.routes}


def described() -> set[tuple[str, str]]:
    paths = json.loads(openapi.text())["paths"].items()
    return {(method.upper(), path) for path, operations in paths for method in operations}


def test_every_route_is_described() -> None:
    assert registered()
    assert registered() - described() == set()


def test_everything_described_has_a_route() -> None:
    assert described()
    assert described() - registered() == set()


# What makes no sense at a provider, or is Batchyard's own.
NOT_AT_A_PROVIDER = {
    ("POST", "/v1/batches/{batch_id}/retry"): "a provider has no errors of several tries",
    ("GET", "/v1/batches/{batch_id}/results"): "a provider has no results before the end",
    ("GET", "/v1/usage"): "dollars of a tenant",
    ("GET", "/v1/batches/{batch_id}/shards"): "a provider has no shards",
    ("GET", "/v1/batches/{batch_id}/errors"): "a provider gives a file of errors",
    ("GET", "/v1/batches/{batch_id}/lines"): "a provider gives whole files",
    ("GET", "/v1/batches/{batch_id}/files"): "a provider gathers no folder",
    ("GET", "/v1/batches/{batch_id}/files/{number}/output"): "as above",
    ("GET", "/v1/batches/{batch_id}/files/{number}/errors"): "as above",
    ("GET", "/v1/files/{file_id}/link"): "a provider has no S3",
    ("GET", "/v1/batches/{batch_id}/report"): "Batchyard's report",
    ("POST", "/v1/batches/{batch_id}/resume"): "a provider's batch does not pause",
    ("POST", "/v1/uploads/presign"): "there is no S3",
    ("POST", "/v1/webhooks/provider"): "a provider has no provider",
    ("GET", "/v1/webhook_endpoints/{webhook_endpoint_id}/deliveries"): "deliveries are not kept",
    ("GET", "/v1/api_keys"): "a provider has one key",
    ("POST", "/v1/api_keys"): "as above",
    ("POST", "/v1/api_keys/{key_id}/revoke"): "as above",
    **dict.fromkeys(
        (
            ("POST", "/v1/schedules"),
            ("GET", "/v1/schedules"),
            ("GET", "/v1/schedules/{schedule_id}"),
            ("DELETE", "/v1/schedules/{schedule_id}"),
            ("POST", "/v1/schedules/{schedule_id}/run"),
            ("GET", "/v1/schedules/{schedule_id}/batches"),
        ),
        "a provider has no clock of its users",
    ),
    ("GET", "/v1/openapi.json"): "the document describes Batchyard",
}


def without_names(routes: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(method, re.sub(r"{[^}]+}", "{}", path)) for method, path in routes}


def test_the_emulator_has_every_route_that_makes_sense_at_a_provider() -> None:
    emulated = without_names((method, f"/v1{path}") for _, method, path, _ in OPERATIONS)
    emulated |= {("GET", path) for path in HEALTH}
    assert set(NOT_AT_A_PROVIDER) < registered()
    openai_s = {(method, path) for method, path in registered() if not envelope.is_for(path)}
    assert without_names(openai_s - set(NOT_AT_A_PROVIDER)) - emulated == set()
    assert not without_names(NOT_AT_A_PROVIDER) & emulated
