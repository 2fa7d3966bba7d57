"""What a caller may ask for beside OpenAI's own members: as members of `POST /batches`, or as user metadata of an upload."""

from collections.abc import Mapping
from typing import Any, Final

from batchyard.batch import REFUSE, SKIP, LineError

NAMES: Final = ("on_invalid",)


def of_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the options a checked body names."""
    return {name: body[name] for name in NAMES if body.get(name) is not None}


def of_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Pick the options an object's user metadata names, with hyphens for underscores."""
    return {name: text for name in NAMES if (text := metadata.get(name.replace("_", "-"))) is not None}


def wrong(options: Mapping[str, Any]) -> LineError | None:
    """Name the first option that cannot be followed."""
    return _wrong_on_invalid(options.get("on_invalid"))


def _wrong_on_invalid(wanted: object) -> LineError | None:
    if wanted in {None, REFUSE, SKIP}:
        return None
    return LineError("invalid_value", f"on_invalid must be '{REFUSE}' or '{SKIP}'.", "on_invalid")
