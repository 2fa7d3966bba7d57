"""The description of the HTTP API, `openapi.json`."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("openapi.json")
PARAMETER: Final = re.compile(r"\\\{\w+\\\}")


@cache
def text() -> str:
    """Return the document as it is served."""
    return FILE.read_text(encoding="utf-8")


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
