"""What a Python call may ask for, and the call itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .handle import Job

RECIPE: Final = ("model", "prompt", "system", "body", "image_column", "schema", "embed", "endpoint", "nulls")
READING: Final = ("format", "encoding")


class Recipe(TypedDict, total=False):
    """How a row becomes a request, and where the service is; each member may be left out."""

    model: str
    prompt: str
    system: str
    body: Mapping[str, Any]
    image_column: str
    schema: Mapping[str, Any]
    embed: str
    endpoint: str
    nulls: str
    format: str
    encoding: str
    url: str
    key: str
    #: Whether progress is shown; None means where a person sees it.
    progress: bool | None


class Asked(Recipe, total=False):
    """All that `run` and `submit` take."""

    completion_window: str
    metadata: dict[str, str]
    on_invalid: str
    max_cost_usd: float
    accept: dict[str, Any]
    provider: str
    estimate: bool
    new: bool


def submitted(source: object, asked: Asked) -> Job:
    """Send a source, and return its handle."""
    from .front import open_front  # noqa: PLC0415 - importing the package stays light
    from .handle import Job  # noqa: PLC0415 - as above
    from .inputs import Input  # noqa: PLC0415 - as above
    from .sending import Options, Sending  # noqa: PLC0415 - as above

    given = cast("dict[str, Any]", asked)
    known = set(Options.__struct_fields__) - {"pack"}
    _check(given, {*RECIPE, *READING, "url", "key", "progress", *known})
    front = open_front(given.get("url"), given.get("key"), _screen(given.get("progress")))
    options = Options(**{"estimate": False, **{name: given[name] for name in known if name in given}})
    made = Input(source, _part(given, RECIPE), _part(given, READING))
    with front.words():
        record = Sending(front, made, options).run()
    return Job(front, str(record.batch_id), made)


def taken_up(batch_id: str, source: object, asked: Recipe) -> Job:
    """Take up a batch."""
    from .front import open_front  # noqa: PLC0415 - as above
    from .handle import Job  # noqa: PLC0415 - as above
    from .inputs import named_input  # noqa: PLC0415 - as above

    given = cast("dict[str, Any]", asked)
    _check(given, {*RECIPE, *READING, "url", "key", "progress"})
    front = open_front(given.get("url"), given.get("key"), _screen(given.get("progress")))
    recipe, reading = _part(given, RECIPE), _part(given, READING)
    record = front.records.of_batch(batch_id)
    made = None if source is None else named_input(record, batch_id, source, recipe, reading)
    return Job(front, batch_id, made)


def _part(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: given[name] for name in names if given.get(name) is not None}


def _check(given: Mapping[str, Any], known: set[str]) -> None:
    """Raise TypeError for a name that no call takes, so that a misspelt bound of dollars is not left out."""
    strange = sorted(set(given) - known)
    if strange:
        raise TypeError(f"unknown: {', '.join(strange)}; there are {', '.join(sorted(known))}")


def _screen(progress: bool | None) -> Any:  # noqa: ANN401 - a Screen, which is imported late
    from .screen import QuietScreen, choose_screen  # noqa: PLC0415 - as above

    shown = sys.stderr.isatty() if progress is None else progress
    return choose_screen() if shown else QuietScreen()
