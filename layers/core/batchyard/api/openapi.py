"""The description of the HTTP API, `openapi.json`."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("openapi.json")
PARAMETER: Final = re.compile(r"\\\{\w+\\\}")


# What the document says of a webhook's URL, and what holds in a stack that calls private addresses.
PUBLIC_URL: Final = {
    r'"^https://': r'"^https?://',
    "An https URL of port 443 at a public address,": "An http or https URL at any address,",
}


@cache
def text(*, private_webhooks: bool = False) -> str:
    """Return the document as it is served; with `private_webhooks`, a webhook's URL may be plain http and lead anywhere."""
    document = FILE.read_text(encoding="utf-8")
    for public, any_url in PUBLIC_URL.items() if private_webhooks else ():
        document = document.replace(public, any_url)
    return document


def allowed(path: str) -> list[str]:
    """Return the methods of a path; empty for a path that is not ours."""
    return sorted(method for pattern, methods in _paths() if pattern.fullmatch(path) for method in methods)


@cache
def _paths() -> list[tuple[re.Pattern[str], list[str]]]:
    document: dict[str, Any] = json.loads(text())
    return [
        (re.compile(PARAMETER.sub("[^/]+", re.escape(path))), [method.upper() for method in operations])
        for path, operations in document["paths"].items()
    ]
