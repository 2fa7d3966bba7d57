"""The options of a command line, read into what the work takes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from batchyard_client.asked import READING, RECIPE
from batchyard_client.errors import UsageFault
from batchyard_client.front import Front, open_front
from batchyard_client.inputs import Input, named_input
from batchyard_client.screen import choose_screen
from batchyard_client.sending import Options

FILES: Final = ("body", "schema")  # options that name a JSON file
_TOO_LONG: Final = (
    "Integer value out of range"  # msgspec of an integer of more than 4,300 digits, and of no other number
)


def front_of(asked: Mapping[str, Any]) -> Front:
    """Return the front that the options name."""
    screen = choose_screen(quiet=asked["quiet"], plain=asked["as_json"])
    return open_front(asked["url"], asked["key"], screen, asked["patience"])


def input_of(source: str, asked: Mapping[str, Any], front: Front | None = None, batch_id: str = "") -> Input:
    """Return the input with its recipe, which may be the one of a batch; raises UsageFault."""
    recipe = {name: asked[name] for name in RECIPE if asked.get(name) is not None}
    for name in FILES:
        if name in recipe:
            recipe[name] = _json_file(recipe[name], f"--{name}")
    reading = {name: asked[name] for name in READING if asked.get(name)}
    if front is None:
        return Input(source, recipe, reading)
    return named_input(front.records.of_batch(batch_id), batch_id, source, recipe, reading)


def options_of(asked: Mapping[str, Any]) -> Options:
    """Return what is asked beside the requests; raises UsageFault."""
    pairs = dict(each.partition("=")[::2] for each in asked["metadata"])
    if "" in pairs or any("=" not in each for each in asked["metadata"]):
        raise UsageFault("--metadata takes NAME=VALUE, as in --metadata project=corpus.")
    accept = None if asked["accept"] is None else _json_text(asked["accept"].encode(), "--accept")
    return Options(
        completion_window=asked["window"], metadata=pairs or None, on_invalid=asked["on_invalid"], accept=accept,
        max_cost_usd=asked["max_cost"], provider=asked["provider"], estimate=asked["estimate"], pack=asked["pack"],
        new=asked["new"],
    )  # fmt: skip


def _json_file(path: str, option: str) -> dict[str, Any]:
    from batchyard_client.tables.cells import as_it_stands  # noqa: PLC0415 - only where there is a table

    try:
        return _json_text(Path(path).read_bytes(), f"{option} {path}", as_it_stands)
    except OSError as error:
        raise UsageFault(f"{option} {path} cannot be read: {error.strerror}.") from error


def _json_text(text: bytes, name: str, read: Callable[[bytes], Any] = msgspec.json.decode) -> dict[str, Any]:
    try:
        found = read(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        if str(error).startswith(_TOO_LONG):
            raise UsageFault(
                f"{name} has an integer of more than 4,300 digits. Write it shorter, or as a text."
            ) from error
        raise UsageFault(f"{name} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise UsageFault(f"{name} is no JSON object. Write {{…}} around its members.")
    return found
