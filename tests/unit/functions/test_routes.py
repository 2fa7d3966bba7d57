"""The API answers on the routes that its description names, and on no other."""

import importlib
import json
import re

from batchyard.api import openapi
from batchyard.api.app import app


def registered() -> set[tuple[str, str]]:
    """Return the method and path of every route, as the resolver itself has them."""
    importlib.import_module("functions.api.handler")  # which includes them
    routes = [*app._static_routes, *app._dynamic_routes]  # noqa: SLF001 - the public way needs pydantic
    return {(route.method.upper(), re.sub(r"<(\w+)>", r"{\1}", route.path)) for route in routes}


def described() -> set[tuple[str, str]]:
    paths = json.loads(openapi.text())["paths"].items()
    return {(method.upper(), path) for path, operations in paths for method in operations}


def test_every_route_is_described() -> None:
    assert registered()
    assert registered() - described() == set()


def test_everything_described_has_a_route() -> None:
    assert described()
    assert described() - registered() == set()
